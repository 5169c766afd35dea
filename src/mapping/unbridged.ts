/**
 * What clients of one side send and people of the other could do nothing with. From XMPP: encrypted messages (XEP-0384
 * OMEMO, XEP-0373 and XEP-0027 OpenPGP, whatever XEP-0380 names, OTR) and calls (XEP-0353 0.6), of which both sides are
 * told. From Matrix: calls (Client-Server API v1.15 "Voice over IP", MSC4075), signalling, and types that nobody knows.
 */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText } from "../xmpp/stanza.ts";
import type { StanzaErrorShape } from "./errors.ts";

export interface Unbridged extends StanzaErrorShape {
  kind: "encrypted" | "call";
  /** To its sender, who has to do something about it. */
  sentence: string;
  /** To the Matrix user, about the sender. */
  notice: string;
}

const encrypted: Unbridged = {
  kind: "encrypted",
  type: "modify",
  condition: "not-acceptable",
  sentence: "The bridge cannot read encrypted messages; turn encryption off for this conversation.",
  notice: "wrote an encrypted message, which the bridge cannot read; they have been told.",
};

const call: Unbridged = {
  kind: "call",
  type: "cancel",
  condition: "feature-not-implemented",
  sentence: "Calls cannot cross the bridge.",
  notice: "tried to call you; calls cannot cross the bridge.",
};

function isEncrypted(message: Element): boolean {
  if (readChild(message, NS.openPgp, "openpgp") || readChild(message, NS.legacyPgp, "x")) return true;
  const body = readText(message, "body");
  // What OTR has encrypted is in the body itself.
  if (body?.startsWith("?OTR:") || (body && readChild(message, NS.encryptionHint, "encryption"))) return true;
  const omemo = readChild(message, NS.omemo, "encrypted") ?? readChild(message, NS.omemo2, "encrypted");
  // Without a payload clients only tend to their keys.
  return omemo?.getChildElements().some(({ name }) => name === "payload") ?? false;
}

/** @returns undefined for all that can cross. A body beside what is encrypted only says that it is. */
export function unbridgedIn(message: Element): Unbridged | undefined {
  if (isEncrypted(message)) return encrypted;
  return readChild(message, NS.jingleMessage, "propose") ? call : undefined;
}

const calls: ReadonlySet<string> = new Set([
  "m.call.invite",
  "m.call.notify",
  "m.rtc.notification",
  "org.matrix.msc4075.call.notify",
  "org.matrix.msc4075.rtc.notification",
]);

/** What clients tell each other and not people: of calls, of devices that are verified, and each step of someone on the way. */
const signalling = [
  /^(?:m|io\.element|org\.matrix(?:\.msc\d+)?)\.(?:call|rtc|key\.verification)\./,
  /^(?:m|org\.matrix\.msc3672)\.beacon$/,
];

export interface Refusal {
  /** To its sender. */
  sentence: string;
  /** Clients send it without being asked, so that one word about it is enough for a while. */
  isRare: boolean;
}

/** What becomes of an event because of its type; undefined where that is no hindrance. */
export function unbridgedType(type: string): Refusal | "signalling" | undefined {
  if (type === "m.room.encrypted") {
    const sentence = "The bridge cannot read encrypted messages; use a room without encryption.";
    return { sentence, isRare: true };
  }
  if (calls.has(type)) return { sentence: "Calls cannot cross the bridge.", isRare: false };
  return signalling.some((pattern) => pattern.test(type)) ? "signalling" : undefined;
}

/** Of an event without words, whatever its type. */
export const wordless = (type: string): Refusal => ({
  sentence: `There are no words in it that could be shown (it is of the type ${type}).`,
  isRare: type !== "m.room.message",
});
