/** What the bot says where it speaks for Matrix users: their words, with who they are. */
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { localpartOf, type UserId } from "../matrix/ids.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText, xml } from "../xmpp/stanza.ts";
import { withoutRange, withPrefix, withSuffix } from "./bodies.ts";

/** Who speaks, as the others are told. */
export interface RelayedSpeaker {
  name: string;
  mxid: UserId;
}

const longestName = 60;

/** What would turn the line round or end it, or be seen by nobody, so that a name could seem to be another's words. */
const unfit = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}<>]/gu;

/**
 * A display name as it may stand in a line of the bot's.
 * @param isTaken whether somebody else in the room seems to be called so.
 */
export function relayedName(
  displayName: string | undefined,
  mxid: UserId,
  isTaken: (name: string) => boolean,
): string {
  const fit = (displayName ?? "").toWellFormed().replaceAll(unfit, "").replaceAll(/\s+/g, " ").trim();
  const name = [...fit].slice(0, longestName).join("").trim();
  const localpart = localpartOf(mxid);
  if (name === "" || name.startsWith("@")) return localpart;
  return isTaken(name) ? `${name} (${mxid})` : name;
}

/** Two names that people take for the same. */
export const looksLike = (one: string, other: string): boolean => {
  const seen = (name: string): string =>
    name.normalize("NFKC").replaceAll(unfit, "").replaceAll(/\s+/g, "").toLowerCase();
  return seen(one) === seen(other);
};

/** A line for a bot: a mark, and a word at once; `/me` is none. Around it nothing may stand, or no bot would know it. */
const isCommand = (body: string): boolean => /^(?!\/me\s)[!./]\p{L}[^\n]*$/u.test(body) && body.length <= 500;

/** @param template with {message}, and {name} or {mxid}. */
function around(template: string, { name, mxid }: RelayedSpeaker): { before: string; after: string } {
  const named = (text: string): string =>
    text.replaceAll(/\{(name|mxid)\}/g, (_, key) => (key === "name" ? name : mxid));
  const [before = "", ...after] = template.split("{message}");
  return { before: named(before), after: named(after.join("{message}")) };
}

function told(stanza: Element, template: string, speaker: RelayedSpeaker): Element {
  const body = readText(stanza, "body") ?? "";
  if (isCommand(body)) return stanza;
  const emote = /^\/me\s/.exec(body)?.[0].length;
  if (emote !== undefined)
    return withPrefix(withoutRange(stanza, { start: 0, end: emote }), `* ${speaker.name} `);
  const { before, after } = around(template, speaker);
  return withSuffix(withPrefix(stanza, before), after);
}

/** A link to a file has nothing but itself in its body, so who shared it is said in the words below it, if need be its name. */
function captioned(file: Element, { content }: MatrixEvent): Element {
  const { id, ...others } = file.attrs;
  const name = readString(content, "filename") ?? readString(content, "body") ?? "";
  return xml(
    "message",
    { ...others, id: `caption-${id}` },
    xml("body", {}, name.replaceAll(/\s+/g, " ").slice(0, 200) || "a file"),
    xml("origin-id", { xmlns: NS.stableId, id: `caption-${id}` }),
  );
}

/** @param stanzas of one event, as its sender would say them. */
export function relayedStanzas(
  stanzas: readonly Element[],
  event: MatrixEvent,
  template: string,
  speaker: RelayedSpeaker,
): Element[] {
  const [first, ...others] = stanzas;
  if (!first) return [];
  if (!readChild(first, NS.outOfBand)) return stanzas.map((stanza) => told(stanza, template, speaker));
  const words = others.length > 0 ? others : [captioned(first, event)];
  return [first, ...words.map((stanza) => told(stanza, template, speaker))];
}
