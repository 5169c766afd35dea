/** What the conversation needs of the two networks, so that it does not care whether they are real. */

/** How a line is meant, and so how the other side shows it. */
export type Manner = "text" | "emote" | "notice";

export interface Line {
  manner: Manner;
  text: string;
}

/** One of the two people, with a client on the network that is theirs. */
export interface Person {
  name: "Juliet" | "Romeo";
  network: "Matrix" | "XMPP";
  /** Their own address. */
  address: string;
  /** Where people on the other network write to them. */
  addressAcross: string;
  /** Resolves once their own server has taken the line. */
  send(line: Line): Promise<void>;
  /** Resolves when their client shows the line; rejects where it has not after `timeoutMs`. */
  waitFor(line: Line, timeoutMs: number): Promise<void>;
  /** All that the other person's lines have become here, oldest first. */
  seen(): Promise<Line[]>;
}

export interface Stage {
  /** What plays the servers, as a phrase for the transcript. */
  servers: string;
  juliet: Person;
  romeo: Person;
  /** Juliet opens a direct chat and invites Romeo's ghost: the first contact. */
  open(): Promise<void>;
  /** Both meet in rooms as well; undefined where there are none. @returns a sentence for each fault. */
  meetInRooms?: (print: (line: string) => void) => Promise<string[]>;
  /** How to join in with ordinary clients; undefined where nobody can. */
  invitation: string | undefined;
  stop(): Promise<void>;
}

/** A body of XMPP as a line: XEP-0245 marks what someone does by its beginning. */
export const lineOfBody = (body: string): Line =>
  body.startsWith("/me ") ? { manner: "emote", text: body.slice(4) } : { manner: "text", text: body };

export const bodyOfLine = ({ manner, text }: Line): string => (manner === "emote" ? `/me ${text}` : text);

/** The content of an m.room.message as a line (Client-Server API v1.15, m.room.message msgtypes). */
export const lineOfContent = ({ msgtype, body }: Record<string, unknown>): Line => ({
  manner: msgtype === "m.emote" ? "emote" : msgtype === "m.notice" ? "notice" : "text",
  text: String(body),
});

export const contentOfLine = ({ manner, text }: Line) => ({ msgtype: `m.${manner}`, body: text });

export const sameLine = (a: Line, b: Line): boolean => a.manner === b.manner && a.text === b.text;
