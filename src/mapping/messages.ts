/**
 * Messages: m.room.message (Client-Server API v1.15 §11.2) <-> message stanzas (RFC 6121 §5), with `/me` of
 * XEP-0245 1.0. What has no counterpart yet becomes a line that a person can read.
 */
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText, xml } from "../xmpp/stanza.ts";
import { locationContent, locationSpoken } from "./locations.ts";
import { mention } from "./mentions.ts";
import { pollBody, readPoll } from "./polls.ts";
import { reactionLine, reactionsIn } from "./reactions.ts";
import type { MxidOf } from "./text/matrix-html.ts";
import { type Spoken, type Telling, toSpoken, toTexts } from "./text/message-text.ts";
import type { NameOf } from "./text/plain-text.ts";
import type { Mentionable, Tree } from "./text/tree.ts";
import { toXhtmlIm } from "./text/xhtml-im.ts";
import { type Refusal, unbridgedType, wordless } from "./unbridged.ts";

export type Crossing =
  | { kind: "stanza"; stanza: Element }
  | { kind: "nothing" }
  /** It cannot cross, and the sender is to be told in these words. */
  | ({ kind: "refused" } & Refusal);

const filePrefixes: Record<string, string> = {
  "m.image": "[image]",
  "m.video": "[video]",
  "m.audio": "[audio]",
  "m.file": "[file]",
};

function roomMessage(content: Content, telling: Telling): Spoken | undefined {
  const [body, msgtype = "m.text"] = [readString(content, "body"), readString(content, "msgtype")];
  if (!body) return undefined;
  if (msgtype === "m.location") {
    const place = locationSpoken(content);
    if (place) return { ...place, mentions: [] };
  }
  const isFile = Object.hasOwn(filePrefixes, msgtype);
  return isFile
    ? { body: `${filePrefixes[msgtype]} ${body}`, payloads: [], mentions: [] }
    : toSpoken(content, telling);
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
function fallbackBody(event: MatrixEvent): string | undefined {
  const poll = readPoll(event);
  return poll ? pollBody(poll) : plainText(event.content) || undefined;
}

function withoutWords({ type, content }: MatrixEvent): Crossing {
  // Redacted before it got here, or empty from the start.
  const isEmpty = Object.keys(content).length === 0 || content.body === "";
  return isEmpty ? { kind: "nothing" } : { kind: "refused", ...wordless(type) };
}

export interface Way {
  from: Jid;
  to: Jid;
  type?: "chat" | "groupchat";
  /** The event's where it is left out. */
  id?: string;
  /** A Matrix user as XMPP calls them, ghosts included. */
  jidOf?: (userId: UserId) => Jid | undefined;
  /** Whether formatted text goes as XHTML-IM too. */
  xhtmlIm?: boolean;
}

/** One message event as one message stanza, whose ID is the event's so that an error names its message. */
export function toStanza(
  event: MatrixEvent,
  { from, to, type = "chat", id = event.event_id, jidOf, xhtmlIm }: Way,
  nameOf?: NameOf,
): Crossing {
  const stanza = (body: string, payloads: Element[] = []): Crossing => ({
    kind: "stanza",
    stanza: xml(
      "message",
      { type, from, to, id },
      xml("body", {}, body),
      ...payloads,
      xml("origin-id", { xmlns: NS.stableId, id }),
    ),
  });
  switch (event.type) {
    case "m.room.message": {
      const personOf = (one: Mentionable) => (one.startsWith("@") ? jidOf?.(one as UserId) : undefined);
      const xhtmlOf = xhtmlIm ? (tree: Tree) => toXhtmlIm(tree, personOf) : undefined;
      const spoken = roomMessage(event.content, { nameOf, xhtmlOf });
      if (!spoken) return withoutWords(event);
      const mentions = spoken.mentions.flatMap(({ userId, begin, end }) => {
        const jid = jidOf?.(userId);
        return jid ? [mention(jid, begin, end)] : [];
      });
      return stanza(spoken.body, [...spoken.payloads, ...mentions]);
    }
    case "m.sticker":
      return stanza(`[sticker] ${readString(event.content, "body") ?? ""}`.trimEnd());
    case "m.reaction":
      return stanza(reactionLine(event));
    default: {
      const refusal = unbridgedType(event.type);
      if (refusal === "signalling") return { kind: "nothing" };
      if (refusal) return { kind: "refused", ...refusal };
      const body = fallbackBody(event);
      return body === undefined ? withoutWords(event) : stanza(body);
    }
  }
}

/** Payloads that say something to a person although the message has no body, in words. */
const spoken: {
  namespace: string;
  name: string;
  text: (stanza: Element, payload: Element) => string | false;
}[] = [
  {
    namespace: NS.reactions,
    name: "reactions",
    // A set that is empty takes away what nobody knows.
    text: (stanza) => reactionsIn(stanza).length > 0 && `reacted with ${reactionsIn(stanza).join(" ")}`,
  },
  {
    namespace: NS.fileSharing,
    name: "file-sharing",
    // COMPAT(Dino, since 0.5): it shares a file before it has uploaded it, and says in another message where it is.
    text: (_, sharing) =>
      sharing.getChild("sources") !== undefined && "shared a file in a way that the bridge cannot follow",
  },
  {
    namespace: NS.conference,
    name: "x",
    text: (_, { attrs }) => attrs.jid !== undefined && `invites you to the XMPP room ${attrs.jid}`,
  },
];

/**
 * What a message stanza says, as the contents of m.room.message events: several where it is long.
 * @returns none where it says nothing to a person: chat states, receipts, markers and the like.
 */
export function toContents(stanza: Element, mxidOf?: MxidOf): Content[] {
  const place = locationContent(stanza);
  if (place) return [place];
  const written = readText(stanza, "body");
  const subject = readText(stanza, "subject");
  const link = readChild(stanza, NS.outOfBand, "x")?.getChildText("url") ?? undefined;
  const isBeside = written && link !== undefined && !written.includes(link);
  const body = written || link || "";
  if (body !== "" || subject) {
    const above = subject ? `Subject: ${subject}${body === "" ? "" : "\n\n"}` : "";
    return toTexts(stanza, { above, body, below: isBeside ? `\n${link}` : "" }, mxidOf);
  }
  for (const { namespace, name, text } of spoken) {
    const payload = readChild(stanza, namespace, name);
    const said = payload && text(stanza, payload);
    if (said) return [{ msgtype: "m.emote", body: said }];
  }
  return [];
}
