/** Edits: m.replace (Client-Server API v1.15 §11.4.2) <-> XEP-0308 Last Message Correction 1.2.1. */
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import type { EventId } from "../matrix/ids.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { withPrefix } from "./bodies.ts";
import type { KnownMessage } from "./references.ts";

/** Ahead of a new version whose earlier one the other side does not have. */
const mark = "Edit: ";

const files: ReadonlySet<unknown> = new Set(["m.image", "m.video", "m.audio", "m.file"]);

export const isFile = ({ msgtype }: Content): boolean => files.has(msgtype);

/** What a new version of a file says: a file itself cannot be edited on XMPP, the words below it can. */
function captionOf(content: Content): Content {
  const [body, filename] = [readString(content, "body"), readString(content, "filename")];
  const caption = filename === undefined || filename === body ? "" : (body ?? "");
  const { format, formatted_body: formatted } = content;
  return {
    msgtype: "m.text",
    body: caption,
    ...(caption !== "" && formatted !== undefined && { format, formatted_body: formatted }),
  };
}

/** The event as if its sender had written the new version at once; any other event as it is. */
export function newVersion(event: MatrixEvent): MatrixEvent {
  const content = event.content["m.new_content"];
  if (!isObject(content)) return event;
  const { "m.relates_to": _, ...said } = content;
  return { ...event, content: isFile(said) ? captionOf(said) : said };
}

/**
 * The stanza as a correction of an earlier one. XEP-0308 §3: whatever version is edited, it is the first one's ID.
 * @param parts of the first version; a file has its words in the last one, if it has any.
 */
export function asCorrection(stanza: Element, event: MatrixEvent, parts: readonly KnownMessage[]): Element {
  const ofFile = isObject(event.content["m.new_content"]) && isFile(event.content["m.new_content"]);
  // Words for a file that had none are a message of their own.
  if (ofFile && parts.length === 1) return stanza;
  const id = (ofFile ? parts.at(-1) : parts[0])?.messageId;
  if (id === undefined) return withPrefix(stanza, mark);
  stanza.append(xml("replace", { xmlns: NS.correct, id }));
  return stanza;
}

/** The content that puts another in the place of an event's. */
export function replacing(content: Content, rootId: EventId): Content {
  const [body, formatted] = [readString(content, "body"), readString(content, "formatted_body")];
  return {
    ...content,
    ...(body !== undefined && { body: `* ${body}` }),
    ...(formatted !== undefined && { formatted_body: `* ${formatted}` }),
    "m.new_content": content,
    "m.relates_to": { rel_type: "m.replace", event_id: rootId },
  };
}

/** A correction of something that Matrix does not have, as a message that says so. */
export const asNewMessage = (stanza: Element): Element => withPrefix(stanza, mark);
