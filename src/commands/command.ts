/** What a command is, on whichever network it is given and however: as a line of chat or as an ad-hoc form. */
import type { Level } from "../config/permissions.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Affiliation } from "../xmpp/affiliation.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";

/** The room where a command is given; neither in a chat with the bridge alone nor by a form. */
export interface Place {
  roomId?: RoomId;
  muc?: BareJid;
}

/** Who gives a command; only people whom the permissions let in get this far. */
export type Caller = { level: Level; place?: Place } & (
  | { network: "matrix"; userId: UserId }
  /** The JID of an occupant is `room/nick`. */
  | { network: "xmpp"; jid: Jid; occupant?: { nick: string; affiliation: Affiliation } }
);

export const addressOf = (caller: Caller): UserId | Jid =>
  caller.network === "matrix" ? caller.userId : caller.jid;

/** What was asked for cannot be done, for a reason that the caller is told. */
export class CommandRefusal extends Error {
  override readonly name = "CommandRefusal";
}

/** One argument: the words of a chat line in their order, or the fields of a form. */
export interface Field {
  name: string;
  label: string;
  required?: boolean;
  /** Never stored, logged or repeated, and the message that held it is removed where possible. */
  secret?: boolean;
  /** Of a chat line: whether a word can be this argument. One that cannot is the next one's. */
  fits?: (word: string) => boolean;
}

/** What is said to the caller. */
export interface Reply {
  /** Plain text of one or more lines; what stands between two lines of ``` is there to be copied. */
  text: string;
  /** The command did not do what it was given for. */
  failed?: true;
}

export type Args = Readonly<Record<string, string | undefined>>;

export interface Command {
  /** One or more words in lower case, such as "help" or "notify confirm"; the longest name that fits counts. */
  name: string;
  /** Half a line that says what it does, for the list of commands. */
  summary: string;
  fields: readonly Field[];
  /** Lines as one would write them, the most usual first. */
  examples?: readonly string[];
  /** Where it can be given; everywhere if left out. */
  network?: Caller["network"];
  /** The level that it takes; "user" if left out. */
  level?: "admin";
  /** Whether those of that level may give it where they are; they may if left out. */
  permits?(caller: Caller): boolean;
  /** What it answers is for the caller alone, so it is not given where others read along. */
  private?: true;
  /** May be called twice where the bridge was stopped before the answer was known to have arrived. */
  run(caller: Caller, args: Args): Promise<Reply>;
}

export const isAllowed = (command: Command, caller: Caller): boolean =>
  (command.network ?? caller.network) === caller.network &&
  (command.level === undefined || caller.level === command.level) &&
  (command.permits?.(caller) ?? true);
