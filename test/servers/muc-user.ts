/** One XMPP session's view of one room, as a client that knows XEP-0045 and nothing of the bridge, for tests and nothing else. */
import { randomUUID } from "node:crypto";
import type { Element } from "@xmpp/xml";
import xml from "@xmpp/xml";
import { type MucOccupant, occupantsOf, statusesOf, typeOf } from "./muc-view.ts";
import type { XmppUser } from "./xmpp-user.ts";

const muc = "http://jabber.org/protocol/muc";

export interface JoinOptions {
  password?: string;
  /** Attributes of `<history/>`, such as `{ maxstanzas: "0" }`. */
  history?: Record<string, string>;
  /** Children of the presence beside `<x/>`. */
  more?: Element[];
  timeoutMs?: number;
}

export interface MucUser {
  room: string;
  user: XmppUser;
  /** All that the room sent since the last join, oldest first. */
  received: () => Element[];
  /** What came on joining up to the subject, in order. */
  arrival: Element[];
  nick: () => string;
  /** Who is in the room by now, by nick. */
  occupants: () => Map<string, MucOccupant>;
  /** The nicks and bodies of the room's messages since the join, history included. */
  said: () => [string, string][];
  /** Joins anew, as after a disconnection; resolves with what came, up to the subject. */
  rejoin: (options?: JoinOptions) => Promise<Element[]>;
  /** Resolves with the message as the room gives it out. */
  say: (body: string, more?: Element[], id?: string) => Promise<Element>;
  /** Sends a groupchat message of these children; resolves with its ID and awaits nothing. */
  post: (children: Element[], id?: string) => Promise<string>;
  /** A private message; resolves with its ID. */
  sendTo: (nick: string, body: string, more?: Element[]) => Promise<string>;
  /** Resolves with the own presence under the new nick. */
  setNick: (nick: string) => Promise<Element>;
  /** Resolves with the own presence that says that one has left. */
  leave: () => Promise<Element>;
  /** Resolves with the message that gives it out. */
  setSubject: (subject: string) => Promise<Element>;
  setRole: (nick: string, role: string, reason?: string) => Promise<Element>;
  kick: (nick: string, reason?: string) => Promise<Element>;
  setAffiliation: (jid: string, affiliation: string, reason?: string) => Promise<Element>;
  ban: (jid: string, reason?: string) => Promise<Element>;
  /** The JIDs of an affiliation, or the nicks of a role, sorted. */
  list: (kind: "affiliation" | "role", value: string) => Promise<string[]>;
  /** Submits the owner's form with these fields. */
  configure: (fields: Record<string, string | string[]>) => Promise<Element>;
  request: (payload: Element, type?: "get" | "set") => Promise<Element>;
  /** The first that matches of what the room sent since the last join or will send. */
  waitFor: (matches: (stanza: Element) => boolean, timeoutMs?: number) => Promise<Element>;
  /** A groupchat message with this body. */
  waitForMessage: (body: string, timeoutMs?: number) => Promise<Element>;
  /** A presence of this occupant, available unless `matches` says otherwise. */
  waitForPresence: (
    nick: string,
    matches?: (stanza: Element) => boolean,
    timeoutMs?: number,
  ) => Promise<Element>;
  /** The presence by which an occupant leaves, with its status codes. */
  waitForExit: (nick: string, timeoutMs?: number) => Promise<Element>;
}

/** The rejected error stanza, as its type and condition. */
class MucRefusal extends Error {
  readonly stanza: Element;
  constructor(stanza: Element) {
    const error = stanza.getChild("error");
    const condition = error?.getChildElements().find(({ attrs }) => attrs.xmlns?.endsWith("stanzas"))?.name;
    super(`${error?.attrs.type}/${condition}`);
    this.name = "MucRefusal";
    this.stanza = stanza;
  }
}

/** Resolves once the subject has come, which ends a join; rejects with a `MucRefusal` where the room says no. */
export async function joinMuc(
  user: XmppUser,
  room: string,
  nick: string,
  options: JoinOptions = {},
): Promise<MucUser> {
  let joinedAt = 0;
  let ownNick = nick;
  const isOfRoom = ({ attrs }: Element) => String(attrs.from).split("/")[0] === room;
  const nickIn = ({ attrs }: Element) => String(attrs.from).slice(room.length + 1);
  const received = () => user.messages.slice(joinedAt).filter(isOfRoom);
  const waitSince = async (from: number, matches: (stanza: Element) => boolean, timeoutMs?: number) => {
    // Captured here: a stack made later would not lead to the waiting test.
    const late = new Error();
    try {
      return await user.waitFor(
        (stanza) => isOfRoom(stanza) && matches(stanza) && user.messages.indexOf(stanza) >= from,
        timeoutMs,
      );
    } catch {
      const seen = user.messages.slice(from).filter(isOfRoom).map(String).join("\n") || "nothing";
      late.message = `${room}: not received; received:\n${seen}`;
      throw late;
    }
  };
  /** Sends, and waits for what the room says to it: a match, or an error with the same ID. */
  const ask = async (stanza: Element, matches: (stanza: Element) => boolean, timeoutMs?: number) => {
    const from = user.messages.length;
    await user.send(stanza);
    const answer = await waitSince(
      from,
      (candidate) =>
        (typeOf(candidate) === "error" && candidate.attrs.id === stanza.attrs.id) || matches(candidate),
      timeoutMs,
    );
    if (typeOf(answer) === "error") throw new MucRefusal(answer);
    return answer;
  };
  const isOwnPresence = (stanza: Element) => stanza.is("presence") && statusesOf(stanza).includes("110");
  const isSubject = (stanza: Element) =>
    stanza.is("message") && stanza.getChild("subject") !== undefined && !stanza.getChild("body");

  const join = async ({ password, history, more = [], timeoutMs = 30_000 }: JoinOptions) => {
    const from = user.messages.length;
    joinedAt = from;
    const wish = xml(
      "x",
      { xmlns: muc },
      ...(password === undefined ? [] : [xml("password", {}, password)]),
      ...(history === undefined ? [] : [xml("history", history)]),
    );
    const to = `${room}/${ownNick}`;
    const own = await ask(xml("presence", { to, id: randomUUID() }, wish, ...more), isOwnPresence, timeoutMs);
    ownNick = nickIn(own);
    const subject = await waitSince(from, isSubject, timeoutMs);
    return user.messages.slice(from, user.messages.indexOf(subject) + 1).filter(isOfRoom);
  };

  const request = async (payload: Element, type: "get" | "set" = "set") =>
    user.request(xml("iq", { type, to: room, id: randomUUID() }, payload));
  const admin = (attrs: Record<string, string>, reason?: string, type: "get" | "set" = "set") =>
    request(
      xml(
        "query",
        { xmlns: `${muc}#admin` },
        xml("item", attrs, ...(reason === undefined ? [] : [xml("reason", {}, reason)])),
      ),
      type,
    );
  const post = async (children: Element[], id: string = randomUUID()) => {
    await user.send(xml("message", { type: "groupchat", to: room, id }, ...children));
    return id;
  };
  const setRole = (target: string, role: string, reason?: string) => admin({ nick: target, role }, reason);
  const setAffiliation = (jid: string, affiliation: string, reason?: string) =>
    admin({ jid, affiliation }, reason);
  const waitFor = (matches: (stanza: Element) => boolean, timeoutMs?: number) =>
    waitSince(joinedAt, matches, timeoutMs);

  const arrival = await join(options);
  return {
    room,
    user,
    received,
    arrival,
    nick: () => ownNick,
    occupants: () => occupantsOf(received()),
    said: () =>
      received()
        .filter((stanza) => typeOf(stanza) === "groupchat" && stanza.getChildText("body") !== null)
        .map((stanza) => [nickIn(stanza), String(stanza.getChildText("body"))]),
    rejoin: (again = {}) => join(again),
    say: (body, more = [], id = randomUUID()) =>
      ask(
        xml("message", { type: "groupchat", to: room, id }, xml("body", {}, body), ...more),
        (stanza) => typeOf(stanza) === "groupchat" && stanza.attrs.id === id && nickIn(stanza) === ownNick,
      ),
    post,
    sendTo: async (target, body, more = []) => {
      const id = randomUUID();
      const marker = xml("x", { xmlns: `${muc}#user` });
      await user.send(
        xml("message", { type: "chat", to: `${room}/${target}`, id }, xml("body", {}, body), marker, ...more),
      );
      return id;
    },
    setNick: async (wanted) => {
      const to = `${room}/${wanted}`;
      const own = await ask(
        xml("presence", { to, id: randomUUID() }),
        (stanza) => isOwnPresence(stanza) && typeOf(stanza) === undefined,
      );
      ownNick = nickIn(own);
      return own;
    },
    leave: () =>
      ask(
        xml("presence", { type: "unavailable", to: `${room}/${ownNick}`, id: randomUUID() }),
        (stanza) => isOwnPresence(stanza) && typeOf(stanza) === "unavailable",
      ),
    setSubject: (subject) => {
      const id = randomUUID();
      return ask(
        xml("message", { type: "groupchat", to: room, id }, xml("subject", {}, subject)),
        (stanza) => isSubject(stanza) && stanza.getChildText("subject") === subject,
      );
    },
    setRole,
    kick: (target, reason) => setRole(target, "none", reason),
    setAffiliation,
    ban: (jid, reason) => setAffiliation(jid, "outcast", reason),
    list: async (kind, value) => {
      const answer = await admin({ [kind]: value }, undefined, "get");
      const items = answer.getChild("query")?.getChildren("item") ?? [];
      return items.map(({ attrs }) => String(kind === "role" ? attrs.nick : attrs.jid)).sort();
    },
    configure: (fields) =>
      request(
        xml(
          "query",
          { xmlns: `${muc}#owner` },
          xml(
            "x",
            { xmlns: "jabber:x:data", type: "submit" },
            ...Object.entries({ FORM_TYPE: `${muc}#roomconfig`, ...fields }).map(([name, value]) =>
              xml("field", { var: name }, ...[value].flat().map((one) => xml("value", {}, one))),
            ),
          ),
        ),
      ),
    request,
    waitFor,
    waitForMessage: (body, timeoutMs) =>
      waitFor((stanza) => typeOf(stanza) === "groupchat" && stanza.getChildText("body") === body, timeoutMs),
    waitForPresence: (occupant, matches = (stanza) => typeOf(stanza) === undefined, timeoutMs) =>
      waitFor((stanza) => stanza.is("presence") && nickIn(stanza) === occupant && matches(stanza), timeoutMs),
    waitForExit: (occupant, timeoutMs) =>
      waitFor(
        (stanza) => stanza.is("presence") && typeOf(stanza) === "unavailable" && nickIn(stanza) === occupant,
        timeoutMs,
      ),
  };
}
