/**
 * Reactions: m.reaction (Client-Server API v1.15 §11.10.1.2) <-> XEP-0444 Message Reactions 0.2.1. Matrix has an event
 * for each reaction, XMPP the whole set of a sender each time.
 */
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { EventId } from "../matrix/ids.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";
import { type Head, idInRoom, type KnownMessage, relationOf } from "./references.ts";

/** Of one sender on one message; nobody means more, and each is an event. */
const most = 20;
const longestKey = 100;

const segmenter = new Intl.Segmenter();
const pictograph = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;

/** Whether a text is one emoji, as XEP-0444 §4 asks. */
const isEmoji = (text: string): boolean =>
  text.length <= longestKey &&
  pictograph.test(text) &&
  !/[\p{L}\p{White_Space}]/u.test(text) &&
  [...segmenter.segment(text)].length === 1;

const keyOf = ({ content }: MatrixEvent): string => {
  const key = readString(relationOf(content), "key") ?? "";
  const name = readString(content, "shortcode") ?? readString(content, "com.beeper.reaction.shortcode");
  return key.startsWith("mxc://") ? (name ?? "a picture") : key;
};

/** "[id] if present the origin-id, otherwise the id", and in rooms what the room calls it (XEP-0444 §4.2). */
export const reactionTargetOf = (target: KnownMessage, type?: Head["type"]): string | undefined =>
  idInRoom(type, target) ?? target.originId ?? target.messageId;

/** What it adds to which message; undefined where it is to be told in words. */
export function asReaction(
  event: MatrixEvent,
  target: KnownMessage | undefined,
  type?: Head["type"],
): { id: string; key: string } | undefined {
  const id = target && reactionTargetOf(target, type);
  const key = keyOf(event);
  return id !== undefined && isEmoji(key) ? { id, key } : undefined;
}

/** Everything that a sender has on a message now. */
export const reactionsStanza = (head: Head, target: string, keys: readonly string[]): Element =>
  xml(
    "message",
    { type: head.type ?? "chat", from: head.from, to: head.to, id: head.id },
    xml(
      "reactions",
      { xmlns: NS.reactions, id: target },
      ...[...new Set(keys)].map((key) => xml("reaction", {}, key)),
    ),
    xml("store", { xmlns: NS.hints }),
  );

/** What clients cannot show as a reaction, in words. */
export const reactionLine = (event: MatrixEvent): string => `/me reacted with ${keyOf(event) || "something"}`;

/** The set that a stanza brings, each once. */
export function reactionsIn(stanza: Element): string[] {
  const set = readChild(stanza, NS.reactions, "reactions")?.getChildElements() ?? [];
  const keys = set
    .filter((child) => child.name === "reaction")
    .map((child) => xmlSafe(child.getText()).trim())
    .filter((key) => key !== "" && key.length <= longestKey);
  return [...new Map(keys.map((key) => [bare(key), key])).values()].slice(0, most);
}

/** Clients differ in whether they ask for the picture that an emoji is by itself. */
const bare = (key: string): string => key.replaceAll("\ufe0f", "");

/** What makes the set that is there into the one that is wanted. */
export function reactionChanges(
  present: readonly { eventId: EventId; key: string }[],
  wanted: readonly string[],
): { add: string[]; remove: EventId[] } {
  const [old, now] = [new Set(present.map(({ key }) => bare(key))), new Set(wanted.map(bare))];
  return {
    add: wanted.filter((key) => !old.has(bare(key))),
    remove: present.filter(({ key }) => !now.has(bare(key))).map(({ eventId }) => eventId),
  };
}
