/**
 * Replies: m.in_reply_to (Client-Server API v1.15 §11.2.3) <-> XEP-0461 Message Replies 0.2.1, with the quotation that
 * others are shown marked by XEP-0428 0.2.1.
 */
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readText, xml } from "../xmpp/stanza.ts";
import { fallbackRanges, withoutFallback, withoutRange, withPrefix } from "./bodies.ts";
import { idInRoom, type KnownMessage, referencesOfEvent } from "./references.ts";

/** What is replied to, in words. */
export interface Quote {
  /** A display name and never an MXID, which says nothing to people on XMPP. */
  name: string;
  body: string;
}

/** @param plain who it is on their own network, where the name is missing or only an MXID. */
export function nameFor(displayName: string | undefined, plain: string): string {
  const name = displayName?.replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ").trim();
  return !name || /^@[^:]*:/.test(name) ? plain : name;
}

const most = { lines: 8, characters: 400 };

/** The body without the quotation that clients before Matrix v1.13 put ahead of a reply. */
export function withoutLegacyQuotation(body: string): string {
  if (!/^> (?:\* )?<@[^>\n]*>/.test(body)) return body;
  const lines = body.split("\n");
  const end = lines.findIndex((line) => !line.startsWith(">"));
  return end === -1 ? body : lines.slice(lines[end] === "" ? end + 1 : end).join("\n");
}

/** The event without the quotation in its body, where it is a reply. */
export function withoutQuotation(event: MatrixEvent): MatrixEvent {
  const body = readString(event.content, "body");
  if (body === undefined || !referencesOfEvent(event).repliesTo) return event;
  return { ...event, content: { ...event.content, body: withoutLegacyQuotation(body) } };
}

function quotation({ name, body }: Quote): string {
  const lines = body.trim().split(/\r\n|[\n\r]/);
  const characters = [...lines.slice(0, most.lines).join("\n")];
  const isShort = lines.length <= most.lines && characters.length <= most.characters;
  const said = characters.slice(0, most.characters).join("") + (isShort ? "" : " …");
  return [`${name}:`, ...said.split("\n")].map((line) => `> ${line}\n`).join("");
}

/** Whether words may come ahead: not where the beginning means something (XEP-0245), nor in a body that is a link. */
const mayQuote = (stanza: Element): boolean =>
  !/^\/me\s/.test(readText(stanza, "body") ?? "") &&
  !stanza.getChildElements().some(({ attrs }) => attrs.xmlns === NS.outOfBand);

/** @param quote undefined where nobody knows what was said. */
export function asReply(
  stanza: Element,
  target: KnownMessage | undefined,
  quote: Quote | undefined,
): Element {
  const words = quote && quote.body.trim() !== "" && mayQuote(stanza) ? quotation(quote) : "";
  const reply = words === "" ? stanza : withPrefix(stanza, words);
  const id = idInRoom(stanza.attrs.type, target) ?? target?.messageId ?? target?.originId;
  if (id === undefined || target === undefined) return reply;
  const { jid } = target;
  reply.append(xml("reply", { xmlns: NS.reply, ...(jid !== undefined && { to: jid }), id }));
  if (words === "") return reply;
  const range = xml("body", { start: "0", end: String([...words].length) });
  reply.append(xml("fallback", { xmlns: NS.fallback, for: NS.reply }, range));
  return reply;
}

const unquoted = (line: string): string => line.replace(/^> ?/, "");

/** Whether a reply may begin with a quotation that it does not mark as one. */
export const mayQuoteUnmarked = (stanza: Element): boolean =>
  (readText(stanza, "body") ?? "").startsWith(">") && fallbackRanges(stanza, NS.reply).length === 0;

/**
 * A reply whose target is known, without the quotation of it.
 * @param original what the target says, where it is known.
 */
export function withoutQuote(stanza: Element, original: string | undefined): Element {
  if (!mayQuoteUnmarked(stanza)) return withoutFallback(stanza, NS.reply);
  const lines = (readText(stanza, "body") ?? "").split("\n");
  const end = lines.findIndex((line) => !line.startsWith(">"));
  if (end === -1 || original === undefined) return stanza;
  const quoted = lines.slice(0, end).map(unquoted);
  // Some name whom they quote in a line of its own.
  const isOriginal = [quoted, quoted.slice(1)].some((text) => text.join("\n").trim() === original.trim());
  if (!isOriginal || original.trim() === "") return stanza;
  const cut = lines.slice(0, end).reduce((length, line) => length + [...line].length + 1, 0);
  return withoutRange(stanza, { start: 0, end: cut });
}
