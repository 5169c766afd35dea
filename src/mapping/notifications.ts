/**
 * Notifications: what a homeserver tells a push gateway (Push Gateway API v1.15, POST /_matrix/push/v1/notify) as a
 * message stanza (RFC 6121 §5) in the reader's words. Nothing in it leads back into Matrix: no IDs and no links.
 */
import { type Content, isObject, readString } from "../matrix/event.ts";
import { type EventId, localpartOf, parseUserId, type RoomId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml, xmlSafe } from "../xmpp/stanza.ts";

export interface Notification {
  /** Without one there is nothing to show: only the counts are new. */
  eventId: EventId | undefined;
  roomId: RoomId | undefined;
  type: string | undefined;
  sender: string | undefined;
  senderName: string | undefined;
  roomName: string | undefined;
  roomAlias: string | undefined;
  /** The reader is the subject of a member event. */
  isTarget: boolean;
  content: Content;
  /** Unread messages in all rooms of the reader; undefined where the homeserver says nothing of them. */
  unread: number | undefined;
}

/** A highlight is a mention, or a word that the reader has asked for. */
export type Tweaks = { highlight: boolean };

const longestName = 60;
const longestText = 500;

const shortened = (text: string, limit: number): string => {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
};

/** One line without anything that a client would act on: controls, line breaks, marks that turn the direction of writing. */
const tame = (text: string): string =>
  xmlSafe(text)
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "")
    .replace(/[\s\p{Cc}\u2028\u2029]+/gu, " ")
    .trim();

/** Takes out links into Matrix, and the IDs of this event and room. */
function withoutLinks(text: string, { eventId, roomId }: Notification): string {
  const linkless = text
    .replace(/\bhttps?:\/\/matrix\.to\/\S*/gi, "(link)")
    .replace(/\bmatrix:[\w-]+\/\S*/gi, "(link)")
    .replace(/\bmxc:\/\/\S*/gi, "(file)");
  // A homeserver's IDs are long; what is as short as a word could be one.
  const ids = [eventId, roomId].filter((id) => id !== undefined && id.length > 4) as string[];
  return ids.reduce((rest, id) => rest.replaceAll(id, "…"), linkless);
}

/** As of a room or an event; a name may well begin with one of these characters. */
const opaqueId = /^[!$](?:\S+:\S+|\S{20,})$/;

/** A name as people gave it; undefined where there is none, or an identifier stands in its place. */
function nameOf(text: string | undefined, notification: Notification): string | undefined {
  const name = tame(text ?? "");
  if (name === "" || opaqueId.test(name) || parseUserId(name)) return undefined;
  return shortened(withoutLinks(name, notification), longestName);
}

/** Without a name, what one would say of `@juliet:hs.example`; Synapse gives the MXID where there is no name. */
function senderOf(notification: Notification): string | undefined {
  const { sender, senderName } = notification;
  const mxid = parseUserId(senderName ?? "") ?? parseUserId(sender ?? "");
  return nameOf(senderName, notification) ?? (mxid && nameOf(localpartOf(mxid), notification));
}

/** The text in front of a reply quotes the other message, with the author's MXID (Client-Server API v1.12, "Fallbacks"). */
function withoutQuote(body: string, content: Content): string {
  const relation = content["m.relates_to"];
  const isReply = isObject(relation) && isObject(relation["m.in_reply_to"]);
  return isReply ? body.replace(/^(?:>[^\n]*\n)+\n?/, "") : body;
}

/** What the sender wrote. */
function textOf(content: Content, notification: Notification, key = "body"): string | undefined {
  const text = tame(withoutQuote(readString(content, key) ?? "", content));
  return shortened(withoutLinks(text, notification), longestText) || undefined;
}

/** What the sender said, or did as told in the third person, or acted out as an emote, or did to the reader. */
type Happening = { said: string } | { did: string } | { acted: string } | { toYou: string };

const sentFile: Record<string, string> = {
  "m.image": "sent a picture",
  "m.video": "sent a video",
  "m.audio": "sent an audio file",
  "m.file": "sent a file",
};

const detailed = (did: string, detail: string | undefined): Happening => ({
  did: detail === undefined ? did : `${did}: ${detail}`,
});

function inMessage(notification: Notification): Happening | undefined {
  const { content } = notification;
  const newContent = content["m.new_content"];
  if (isObject(newContent)) return detailed("edited a message", textOf(newContent, notification));
  const [msgtype, body] = [readString(content, "msgtype"), textOf(content, notification)];
  if (msgtype === "m.location") return { did: "shared a location" };
  if (msgtype === "m.key.verification.request") return { did: "asks to verify a session" };
  if (isObject(content["org.matrix.msc3245.voice"])) return { did: "sent a voice message" };
  if (msgtype !== undefined && Object.hasOwn(sentFile, msgtype))
    return detailed(`${sentFile[msgtype]}`, body);
  if (body === undefined) return undefined;
  return msgtype === "m.emote" ? { acted: body } : { said: body };
}

function inMembership({ content, isTarget }: Notification): Happening | undefined {
  if (!isTarget) return undefined;
  switch (readString(content, "membership")) {
    case "invite":
      return { toYou: "invited you to" };
    case "leave":
      return { toYou: "removed you from" };
    case "ban":
      return { toYou: "banned you from" };
    default:
      return undefined;
  }
}

function inPoll(notification: Notification): Happening {
  const { content } = notification;
  const poll = content["m.poll"] ?? content["m.poll.start"] ?? content["org.matrix.msc3381.poll.start"];
  const question = isObject(poll) && isObject(poll.question) ? poll.question : {};
  // Stable polls hold it as an extensible event's text.
  const [first] = Array.isArray(question["m.text"]) ? question["m.text"] : [];
  return detailed("started a poll", textOf(isObject(first) ? first : question, notification));
}

function inReaction(notification: Notification): Happening {
  const relation = notification.content["m.relates_to"];
  const key = isObject(relation) ? textOf(relation, notification, "key") : undefined;
  return { did: `reacted with ${key ?? "something"}` };
}

function happeningOf(notification: Notification): Happening {
  const fallback: Happening = { said: "new message" };
  switch (notification.type) {
    case "m.room.message":
      return inMessage(notification) ?? fallback;
    case "m.room.member":
      return inMembership(notification) ?? { did: "changed a membership" };
    case "m.room.encrypted":
      return { said: "encrypted message" };
    case "m.sticker":
      return detailed("sent a sticker", textOf(notification.content, notification));
    case "m.reaction":
      return inReaction(notification);
    case "m.call.invite":
    case "m.call.notify":
    case "org.matrix.msc4075.call.notify":
    case "m.rtc.notification":
    case "org.matrix.msc4075.rtc.notification":
      return { did: "is calling" };
    case "m.poll.start":
    case "org.matrix.msc3381.poll.start":
      return inPoll(notification);
    default: {
      const said = textOf(notification.content, notification);
      return said === undefined ? fallback : { said };
    }
  }
}

/** The whole notification as one line for a person. */
export function bodyOf(notification: Notification, { highlight }: Tweaks): string {
  const who = senderOf(notification);
  const named = nameOf(notification.roomName, notification) ?? nameOf(notification.roomAlias, notification);
  // A room of two is often named after the other one.
  const room = named === who ? undefined : named;
  const where = room === undefined ? "" : ` in ${room}`;
  if (who === undefined) {
    const { unread = 0 } = notification;
    return `New message${where}${unread > 1 ? ` (${unread} unread)` : ""}`;
  }
  const happening = happeningOf(notification);
  if ("toYou" in happening) return `${who} ${happening.toYou} ${room ?? "a room"}`;
  if ("acted" in happening) return `* ${who}${where} ${happening.acted}`;
  if ("did" in happening) return `${who}${where} ${happening.did}`;
  return `${who}${highlight ? " mentioned you" : ""}${where}: ${happening.said}`;
}

/** A message of the bridge itself. */
export function noteStanza(
  body: string,
  { from, to, id }: { from: BareJid; to: BareJid; id: string },
): Element {
  return xml(
    "message",
    { type: "chat", from, to, id },
    xml("body", {}, body),
    xml("origin-id", { xmlns: NS.stableId, id }),
    // Kept for readers who are offline: that is when a notification is worth most.
    xml("store", { xmlns: NS.hints }),
  );
}

/** The bridge's own status for a reader; undefined where there is nothing unread. */
export function unreadStatus(unread: number): string | undefined {
  if (unread === 0) return undefined;
  return `${unread} unread ${unread === 1 ? "message" : "messages"} on Matrix`;
}
