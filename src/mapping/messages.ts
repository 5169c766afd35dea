/**
 * Messages: m.room.message (Client-Server API v1.15 §11.2) <-> message stanzas (RFC 6121 §5), with `/me` of
 * XEP-0245 1.0. What has no counterpart yet becomes a line that a person can read.
 */
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText, xml } from "../xmpp/stanza.ts";

export type Crossing =
  | { kind: "stanza"; stanza: Element }
  | { kind: "nothing" }
  /** It cannot cross, and the sender is to be told in these words. */
  | { kind: "refused"; sentence: string };

const filePrefixes: Record<string, string> = {
  "m.image": "[image]",
  "m.video": "[video]",
  "m.audio": "[audio]",
  "m.file": "[file]",
};

function roomMessageBody(content: Content): string | undefined {
  const [body, msgtype] = [readString(content, "body"), readString(content, "msgtype")];
  // Redacted before it got here, or empty from the start.
  if (!body || msgtype === undefined) return undefined;
  if (msgtype === "m.emote") return `/me ${body}`;
  return Object.hasOwn(filePrefixes, msgtype) ? `${filePrefixes[msgtype]} ${body}` : body;
}

/** The plain text of a content, as extensible events (MSC1767, Matrix v1.7 "m.text") and others carry it. */
function plainText(content: Content): string | undefined {
  const [first] = Array.isArray(content["m.text"]) ? content["m.text"] : [];
  return (
    readString(content, "body") ??
    (isObject(first) ? readString(first, "body") : undefined) ??
    readString(content, "org.matrix.msc1767.text")
  );
}

/** What an event of a type without a mapping says to clients that do not know it either. */
function fallbackBody({ type, content }: MatrixEvent): string {
  // Stable polls hold their question in the content itself, older ones below their type.
  const poll = content["m.poll"] ?? content["m.poll.start"] ?? content["org.matrix.msc3381.poll.start"];
  const question = isObject(poll) && isObject(poll.question) ? poll.question : {};
  return plainText(content) ?? plainText(question) ?? `[${type}]`;
}

function reactionBody({ content }: MatrixEvent): string {
  const relation = isObject(content["m.relates_to"]) ? content["m.relates_to"] : {};
  return `/me reacted with ${readString(relation, "key") ?? "something"}`;
}

/** One message event as one message stanza, whose ID is the event's so that an error names its message. */
export function toStanza(event: MatrixEvent, { from, to }: { from: BareJid; to: BareJid }): Crossing {
  const stanza = (body: string): Crossing => ({
    kind: "stanza",
    stanza: xml(
      "message",
      { type: "chat", from, to, id: event.event_id },
      xml("body", {}, body),
      xml("origin-id", { xmlns: NS.stableId, id: event.event_id }),
    ),
  });
  switch (event.type) {
    case "m.room.message": {
      const body = roomMessageBody(event.content);
      return body === undefined ? { kind: "nothing" } : stanza(body);
    }
    case "m.sticker":
      return stanza(`[sticker] ${readString(event.content, "body") ?? ""}`.trimEnd());
    case "m.reaction":
      return stanza(reactionBody(event));
    case "m.room.redaction":
      return stanza("/me removed a message");
    case "m.room.encrypted":
      return {
        kind: "refused",
        sentence: "The bridge cannot read encrypted messages; use a room without encryption.",
      };
    case "m.call.invite":
      return { kind: "refused", sentence: "Calls cannot cross the bridge." };
    default:
      // The rest of a call's signalling is nothing that a person has said.
      return event.type.startsWith("m.call.") ? { kind: "nothing" } : stanza(fallbackBody(event));
  }
}

/** Payloads that say something to a person although the message has no body, in words. */
const spoken: { namespace: string; name: string; text: (payload: Element) => string }[] = [
  {
    namespace: NS.omemo,
    name: "encrypted",
    text: () => "sent an encrypted message, which the bridge cannot read",
  },
  {
    namespace: NS.omemo2,
    name: "encrypted",
    text: () => "sent an encrypted message, which the bridge cannot read",
  },
  {
    namespace: NS.reactions,
    name: "reactions",
    text: (payload) =>
      `reacted with ${
        payload
          .getChildren("reaction")
          .map((reaction) => reaction.getText())
          .join(" ") || "nothing any more"
      }`,
  },
  { namespace: NS.retract, name: "retract", text: () => "removed a message" },
  { namespace: NS.conference, name: "x", text: ({ attrs }) => `invites you to the XMPP room ${attrs.jid}` },
];

const textContent = (msgtype: string, body: string): Content => ({ msgtype, body });

/**
 * What a message stanza says, as the content of an m.room.message.
 * @returns undefined where it says nothing to a person: chat states, receipts, markers and the like.
 */
export function toContent(stanza: Element): Content | undefined {
  const written = readText(stanza, "body");
  const subject = readText(stanza, "subject");
  const link = readChild(stanza, NS.outOfBand, "x")?.getChildText("url") ?? undefined;
  const body = [subject && `Subject: ${subject}`, written || link].filter(Boolean).join("\n\n");
  if (body !== "") {
    if (written === body && /^\/me\s/.test(body)) return textContent("m.emote", body.slice(4));
    return textContent(stanza.attrs.type === "headline" ? "m.notice" : "m.text", body);
  }
  for (const { namespace, name, text } of spoken) {
    const payload = readChild(stanza, namespace, name);
    if (payload) return textContent("m.emote", text(payload));
  }
  return undefined;
}
