/**
 * What XMPP clients send and Matrix users could do nothing with: messages encrypted for devices (XEP-0384 OMEMO,
 * XEP-0373 OpenPGP) and calls (XEP-0353 Jingle Message Initiation 0.6). Both sides are told.
 */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";
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
  if (readChild(message, NS.openPgp, "openpgp")) return true;
  const omemo = readChild(message, NS.omemo, "encrypted") ?? readChild(message, NS.omemo2, "encrypted");
  // Without a payload clients only tend to their keys.
  return omemo?.getChildElements().some(({ name }) => name === "payload") ?? false;
}

/** @returns undefined for all that can cross. A body beside what is encrypted only says that it is. */
export function unbridgedIn(message: Element): Unbridged | undefined {
  if (isEncrypted(message)) return encrypted;
  return readChild(message, NS.jingleMessage, "propose") ? call : undefined;
}
