/** What it means that a room of an XMPP service does not let somebody in: XEP-0045 1.35 §7.2. */
import { type BareJid, parseBareJid } from "../xmpp/jid.ts";
import type { StanzaError } from "../xmpp/stanza.ts";
import { type Failure, failureOfStanzaError } from "./errors.ts";

export type JoinRefusal =
  /** Another nick may do. */
  | { kind: "nick" }
  /** The room wants the nick that is reserved for them. */
  | { kind: "reserved" }
  /** The same may succeed later. */
  | { kind: "later" }
  | { kind: "lasting"; isBan: boolean; failure: Failure };

const sentences: Partial<Record<Failure["condition"], (muc: BareJid, jid: BareJid) => string>> = {
  "not-authorized": (muc) =>
    `${muc} asks for a password, or for another one than it was given. Give it with the command that joins or links the room.`,
  forbidden: (muc, jid) => `${jid} is banned from ${muc}. Ask one of its administrators to lift that.`,
  "registration-required": (muc, jid) =>
    `Only members may enter ${muc}. Ask one of its administrators to make ${jid} a member.`,
  "item-not-found": (muc) => `There is no room ${muc}, or it is not open yet.`,
  "not-allowed": (muc) => `${muc} does not exist, and its service does not let the bridge make it.`,
  gone: (muc) => `${muc} no longer exists.`,
  redirect: (muc) => `${muc} has moved elsewhere.`,
  "not-acceptable": (muc, jid) =>
    `${muc} lets ${jid} in under no nick but one that is registered there, and there is none.`,
  "service-unavailable": (muc) => `There are no rooms at the address of ${muc}.`,
};

/** @param jid who wanted to enter. */
export function joinRefusalOf(error: StanzaError, muc: BareJid, jid: BareJid): JoinRefusal {
  const failure = failureOfStanzaError(error);
  const { condition } = failure;
  // Prosody calls nicks malformed that hold what it does not know.
  if (condition === "conflict" || condition === "jid-malformed") return { kind: "nick" };
  if (condition === "not-acceptable") return { kind: "reserved" };
  // Servers lose their way to each other and find it again.
  if (condition === "remote-server-not-found") return { kind: "later" };
  if (failure.retry || failure.type === "wait") return { kind: "later" };
  return { kind: "lasting", isBan: condition === "forbidden", failure: explained(failure, muc, jid) };
}

/** With a sentence that says what to do. */
export function explained(failure: Failure, muc: BareJid, jid: BareJid): Failure {
  return { ...failure, retry: false, sentence: sentences[failure.condition]?.(muc, jid) ?? failure.sentence };
}

/** Where a room goes on that is no more (XEP-0045 §10.9, RFC 5122). */
export const successorIn = ({ address = "" }: StanzaError): BareJid | undefined => {
  const [, path = ""] = /^xmpp:([^?#]+)/i.exec(address) ?? [];
  return path.includes("@") ? parseBareJid(decoded(path)) : undefined;
};

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
