/**
 * What an event or a stanza refers to, as the bridge has to find it before either can be mapped: relations of
 * Client-Server API v1.15 §11.x; XEP-0308 1.2.1, XEP-0424 0.4.2, XEP-0444 0.2.1, XEP-0461 0.2.1 and RFC 6121 §5.2.5.
 */
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import { type EventId, parseEventId } from "../matrix/ids.ts";
import { type BareJid, bareJid, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText, xmlSafe } from "../xmpp/stanza.ts";

/** A message that has crossed, as either side calls it. */
export interface KnownMessage {
  eventId: EventId;
  /** Its sender as XMPP sees them; undefined for one who has left the room. */
  jid: Jid | undefined;
  messageId: string | undefined;
  originId: string | undefined;
  /** What its room calls it. */
  stanzaId?: { id: string; by: BareJid } | undefined;
}

/** Where a stanza comes from and goes to, and the ID that errors about it will have. */
export interface Head {
  from: Jid;
  to: Jid;
  id: string;
  type?: "chat" | "groupchat";
}

export interface EventReferences {
  replaces?: EventId;
  repliesTo?: EventId;
  /** The event that the thread begins with. */
  thread?: EventId;
  reactsTo?: EventId;
  redacts?: EventId;
}

export interface StanzaReferences {
  replaces?: string;
  /** `to` is what the sender claims of its author. */
  repliesTo?: { id: string; to: BareJid | undefined };
  thread?: string;
  reactsTo?: string;
  retracts?: string;
}

export const relationOf = (content: Content): Content => {
  const relation = Object.hasOwn(content, "m.relates_to") ? content["m.relates_to"] : undefined;
  return isObject(relation) ? relation : {};
};

const eventIdIn = (content: Content, key: string): EventId | undefined => {
  const id = readString(content, key);
  return id === undefined ? undefined : parseEventId(id);
};

function ofRelation(content: Content): EventReferences {
  const relation = relationOf(content);
  const target = eventIdIn(relation, "event_id");
  const type = readString(relation, "rel_type");
  if (type === "m.replace" && target && isObject(content["m.new_content"])) return { replaces: target };
  const inReplyTo = relation["m.in_reply_to"];
  const isThread = type === "m.thread" && target !== undefined;
  // Clients that know no threads are shown a reply, which those who do are to leave out.
  const isReply = isObject(inReplyTo) && !(isThread && relation.is_falling_back === true);
  const repliesTo = isReply ? eventIdIn(inReplyTo, "event_id") : undefined;
  return { ...(repliesTo && { repliesTo }), ...(isThread && { thread: target }) };
}

export function referencesOfEvent({ type, content }: MatrixEvent): EventReferences {
  if (type === "m.room.redaction") {
    const redacts = eventIdIn(content, "redacts");
    return redacts ? { redacts } : {};
  }
  if (type === "m.reaction") {
    const relation = relationOf(content);
    const reactsTo = eventIdIn(relation, "event_id");
    return reactsTo && readString(relation, "key") ? { reactsTo } : {};
  }
  return ofRelation(content);
}

/** An `id` of a payload; longer ones than any client makes are none. */
const idOf = (payload: Element | undefined): string | undefined => {
  const id: unknown = payload?.attrs.id;
  return typeof id === "string" && id !== "" && id.length <= 1000 ? xmlSafe(id) : undefined;
};

function repliesTo(stanza: Element): Pick<StanzaReferences, "repliesTo"> {
  const reply = readChild(stanza, NS.reply, "reply");
  const id = idOf(reply);
  const to = parseJid(String(reply?.attrs.to ?? ""));
  return id === undefined ? {} : { repliesTo: { id, to: to && bareJid(to.local, to.domain) } };
}

/** COMPAT(XEP-0424 before 0.4): the retraction is in another element, which names the message. */
const fastenedRetraction = (stanza: Element): Element | undefined => {
  const fastening = readChild(stanza, NS.fasten, "apply-to");
  return fastening && readChild(fastening, NS.retract0, "retract") ? fastening : undefined;
};

export function referencesOfStanza(stanza: Element): StanzaReferences {
  const retracts = idOf(readChild(stanza, NS.retract, "retract")) ?? idOf(fastenedRetraction(stanza));
  if (retracts) return { retracts };
  const reactsTo = idOf(readChild(stanza, NS.reactions, "reactions"));
  const replaces = idOf(readChild(stanza, NS.correct, "replace"));
  const thread = readText(stanza, "thread")?.trim();
  return {
    ...(reactsTo && { reactsTo }),
    ...(replaces && { replaces }),
    ...repliesTo(stanza),
    ...(thread && thread.length <= 1000 && { thread }),
  };
}

/**
 * What the sender itself calls a stanza: its `id`, and XEP-0359 0.7 `<origin-id/>`. What is attached to an earlier
 * stanza (XEP-0367 0.3), such as where Dino's file is, goes by the ID of that.
 */
export function idsOfStanza(stanza: Element): Pick<KnownMessage, "messageId" | "originId"> {
  const attachedTo = idOf(readChild(stanza, NS.attaching, "attach-to"));
  const originId = idOf(readChild(stanza, NS.stableId, "origin-id"));
  return attachedTo
    ? { messageId: attachedTo, originId: originId ?? idOf(stanza) }
    : { messageId: idOf(stanza), originId };
}

/**
 * What a room calls a message (XEP-0359 0.7): by that everybody refers to it, whatever its sender calls it. Only what the
 * stanza's own room says counts.
 */
export function stanzaIdOf(stanza: Element, by: BareJid): string | undefined {
  const named = stanza
    .getChildElements()
    .find(({ name, attrs }) => name === "stanza-id" && attrs.xmlns === NS.stableId && attrs.by === by);
  return idOf(named);
}

/** By which others in a room refer to a message, where the room gives IDs; undefined outside of rooms. */
export const idInRoom = (
  type: unknown,
  target: Pick<KnownMessage, "stanzaId"> | undefined,
): string | undefined => (type === "groupchat" ? target?.stanzaId?.id : undefined);
