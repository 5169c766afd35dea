/** The text of whole messages: m.room.message with `formatted_body` (Client-Server API v1.15) <-> a body with styling, XHTML-IM, markup or a spoiler (XEP-0382 0.2.0). */
import { type Content, readString } from "../../matrix/event.ts";
import { NS } from "../../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../../xmpp/stanza.ts";
import { paragraphsOf, linesOf as textLinesOf } from "./lines.ts";
import { readMarkup } from "./markup.ts";
import { type MxidOf, parseMatrixHtml, toTextContent } from "./matrix-html.ts";
import type { NameOf } from "./plain-text.ts";
import { splitBody } from "./split.ts";
import { isStyled, type Mentioned, parseStyling, toStyling } from "./styling.ts";
import { type Block, type Inline, isPlain, linesOf, type Tree } from "./tree.ts";
import { readXhtmlIm } from "./xhtml-im.ts";

/**
 * What fits into an event: of its 65,536 bytes the body takes up to twice its size, as JSON and again as HTML. What
 * grows more than that goes as plain text.
 */
const maxBodyBytes = 16_384;
const maxContentBytes = 56_000;
/** In UTF-16; what hints at a spoiler is a few words. */
const maxReason = 500;

const paragraph = (text: string): Block => ({ kind: "paragraph", children: [{ kind: "text", text }] });

const startingWith = (prefix: string, [first, ...rest]: Tree): Tree => {
  if (first?.kind !== "paragraph") return [paragraph(prefix), ...(first ? [first, ...rest] : [])];
  return [{ ...first, children: [{ kind: "text", text: prefix }, ...first.children] }, ...rest];
};

const withoutStart = (prefix: string, tree: Tree): Tree => {
  const [first, ...rest] = tree;
  if (first?.kind !== "paragraph") return tree;
  const [start, ...others] = first.children;
  if (start?.kind !== "text" || !start.text.startsWith(prefix)) return tree;
  const text: Inline = { kind: "text", text: start.text.slice(prefix.length) };
  return [{ ...first, children: [text, ...others] }, ...rest];
};

/** The formatted text of a content; undefined where it is plain text, or HTML that says nothing. */
function readFormatted(content: Content): Tree | undefined {
  if (readString(content, "format") !== "org.matrix.custom.html") return undefined;
  const html = readString(content, "formatted_body");
  const tree = html === undefined ? [] : parseMatrixHtml(html);
  return tree.length > 0 && !isPlain(tree) ? tree : undefined;
}

export interface Spoken {
  body: string;
  /** What goes into the stanza besides the body. */
  payloads: Element[];
  mentions: Mentioned[];
}

/** The reason of a text that is one spoiler and nothing else. */
function spoilerOf(tree: Tree): string | undefined {
  const [only, ...more] = tree;
  const [span, ...others] = only?.kind === "paragraph" ? only.children : [];
  return more.length + others.length === 0 && span?.kind === "spoiler" ? span.reason : undefined;
}

export interface Telling {
  nameOf?: NameOf | undefined;
  /** The same beside the body, for clients that show XHTML-IM; not where nobody asked for it. */
  xhtmlOf?: ((tree: Tree) => Element) | undefined;
}

/** What a content says, as a body. */
export function toSpoken(content: Content, { nameOf, xhtmlOf }: Telling = {}): Spoken {
  const start = readString(content, "msgtype") === "m.emote" ? "/me " : "";
  const formatted = readFormatted(content);
  const tree = formatted && (start === "" ? formatted : startingWith(start, formatted));
  // Plain text stays as it was written, to the last blank.
  const plain = start + (readString(content, "body") ?? "");
  const { body, unstyled, mentions } = tree
    ? toStyling(tree, nameOf)
    : { body: plain, unstyled: isStyled(plain), mentions: [] };
  const spoiler = spoilerOf(formatted ?? []);
  return {
    body,
    payloads: [
      ...(unstyled ? [xml("unstyled", { xmlns: NS.styling })] : []),
      ...(spoiler === undefined ? [] : [xml("spoiler", { xmlns: NS.spoiler }, spoiler)]),
      ...(tree && xhtmlOf ? [xhtmlOf(tree)] : []),
    ],
    mentions,
  };
}

const isUnstyled = (stanza: Element): boolean => readChild(stanza, NS.styling, "unstyled") !== undefined;

/** Of a body, or a part of one, to which nothing points. */
function plainTreeOf(stanza: Element, body: string): Tree {
  if (!isUnstyled(stanza)) return parseStyling(body);
  const edges = { isFirst: true, isLast: true };
  return paragraphsOf(textLinesOf(body, 0), ({ text }) => [{ kind: "text", text }], edges);
}

function treeOf(stanza: Element, body: string): Tree {
  const tree = readXhtmlIm(stanza) ?? readMarkup(stanza, body);
  if (tree) return tree;
  return plainTreeOf(stanza, body);
}

function inSpoiler(reason: string, tree: Tree): Tree {
  const children = linesOf(tree).flatMap((line, index): Inline[] => [
    ...(index > 0 ? [{ kind: "break" } as const] : []),
    ...line,
  ]);
  return [{ kind: "paragraph", children: [{ kind: "spoiler", reason, children }] }];
}

const fits = (content: Content): boolean =>
  new TextEncoder().encode(JSON.stringify(content)).length <= maxContentBytes;

/** What a message says, and what is told above and below it. */
export interface Said {
  above?: string;
  body: string;
  below?: string;
}

/** What a message says, as one content, or as several where it is long. */
export function toTexts(stanza: Element, { above = "", body, below = "" }: Said, mxidOf?: MxidOf): Content[] {
  const isEmote = above === "" && /^\/me\s/.test(body);
  const msgtype = isEmote ? "m.emote" : stanza.attrs.type === "headline" ? "m.notice" : "m.text";
  const spoiler = readChild(stanza, NS.spoiler, "spoiler")?.getText().slice(0, maxReason);
  const parts = splitBody(above + body + below, maxBodyBytes, !isUnstyled(stanza));
  return parts.map((part, index): Content => {
    const start = isEmote && index === 0 ? part.slice(0, 4) : "";
    const whole = (): Tree => [
      ...(above === "" ? [] : [paragraph(above.trim())]),
      ...withoutStart(start, treeOf(stanza, body)),
      ...(below === "" ? [] : [paragraph(below.trim())]),
    ];
    const tree = parts.length === 1 ? whole() : plainTreeOf(stanza, part);
    const hidden = spoiler === undefined ? undefined : inSpoiler(spoiler, tree);
    const words = part.slice(start.length);
    const plain = spoiler === undefined ? words : `[spoiler${spoiler && `: ${spoiler}`}] ||${words}||`;
    const content = { msgtype, ...toTextContent(hidden ?? tree, plain, mxidOf) };
    return fits(content) ? content : { msgtype, body: plain };
  });
}
