/**
 * What became of a message: m.read (Client-Server API v1.15, "Receipts") <-> chat markers (XEP-0333 1.0.0), and
 * delivery receipts (XEP-0184 1.4.0).
 */
import type { Content } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";

/** With these a message asks to be told when it has arrived and when it was read. */
export const requests = (): Element[] => [
  xml("request", { xmlns: NS.receipts }),
  xml("markable", { xmlns: NS.chatMarkers }),
];

export interface Word {
  kind: "received" | "displayed";
  /** Of the message that it is about. */
  id: string;
}

const idOf = (element: Element | undefined): string | undefined => {
  const id = element?.attrs.id;
  return typeof id === "string" && id !== "" ? id : undefined;
};

const mayTell = ({ attrs: { type } }: Element): boolean => type !== "error" && type !== "groupchat";

/** What a message says about another one; having been read says that it has arrived, too. */
export function readWord(message: Element): Word | undefined {
  if (!mayTell(message)) return undefined;
  const displayed = idOf(readChild(message, NS.chatMarkers, "displayed"));
  if (displayed !== undefined) return { kind: "displayed", id: displayed };
  const received =
    idOf(readChild(message, NS.receipts, "received")) ?? idOf(readChild(message, NS.chatMarkers, "received"));
  return received === undefined ? undefined : { kind: "received", id: received };
}

/** The ID to answer with, where the sender wants to know that the message has arrived. */
export function readRequest(message: Element): string | undefined {
  const { id } = message.attrs;
  if (!mayTell(message) || typeof id !== "string" || id === "") return undefined;
  // XEP-0184 §5.6: a receipt asks for none.
  if (readChild(message, NS.receipts, "received")) return undefined;
  return readChild(message, NS.receipts, "request") ? id : undefined;
}

/** It has no ID: an error about it is nothing that anybody has to be told. */
export const toWord = ({ kind, id }: Word, { from, to }: { from: Jid; to: Jid }): Element =>
  xml(
    "message",
    { type: "chat", from, to },
    xml(kind, { xmlns: kind === "displayed" ? NS.chatMarkers : NS.receipts, id }),
    // XEP-0334: the reader's other clients learn it from the archive.
    xml("store", { xmlns: NS.hints }),
  );

/** The type of event by which several clients and bridges show that a message has arrived. */
export const statusType = "com.beeper.message_send_status";

export const deliveredStatus = (eventId: EventId, to: UserId): Content => ({
  network: "xmpp",
  status: "SUCCESS",
  delivered_to_users: [to],
  "m.relates_to": { rel_type: "m.reference", event_id: eventId },
});
