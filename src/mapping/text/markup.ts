/** Message markup (XEP-0394 0.3.0) as a text tree: ranges of the body that mean something. */
import { NS } from "../../xmpp/namespaces.ts";
import { type Element, readChild } from "../../xmpp/stanza.ts";
import { type Line, linesOf, paragraphsOf } from "./lines.ts";
import { type Block, type Inline, maxBlockDepth, type Span, type Tree } from "./tree.ts";

interface Range {
  begin: number;
  end: number;
  element: Element;
}

const kinds: Record<string, Exclude<Span["kind"], "link" | "spoiler">> = {
  strong: "strong",
  emphasis: "emphasis",
  deleted: "strike",
};

/** Ranges count in Unicode code points; undefined for those outside of the body. */
function offsetsOf(body: string): (codePoint: unknown) => number | undefined {
  const offsets: number[] = [];
  let offset = 0;
  for (const character of body) {
    offsets.push(offset);
    offset += character.length;
  }
  offsets.push(offset);
  return (text) => (typeof text === "string" && /^\d{1,9}$/.test(text) ? offsets[Number(text)] : undefined);
}

/** From the first to the last; a range that crosses the end of another one is ignored. */
function nested(ranges: readonly Range[]): Range[] {
  const open: number[] = [];
  return ranges
    .toSorted((one, other) => one.begin - other.begin || other.end - one.end)
    .filter(({ begin, end }) => {
      while ((open.at(-1) ?? Number.POSITIVE_INFINITY) <= begin) open.pop();
      if (end > (open.at(-1) ?? Number.POSITIVE_INFINITY) || open.length >= maxBlockDepth) return false;
      open.push(end);
      return true;
    });
}

/** Words of one range of the body, as spans would have them. */
function spanOf(element: Element, text: string): Inline {
  const names = new Set(element.getChildElements().map((child) => child.getName()));
  let node: Inline = names.has("code") ? { kind: "code", text } : { kind: "text", text };
  for (const name of names) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind) node = { kind, children: [node] };
  }
  return node;
}

/** The text of a message whose body has markup; undefined where it has none. */
export function readMarkup(stanza: Element, body: string): Tree | undefined {
  const markup = readChild(stanza, NS.markup, "markup");
  if (!markup) return undefined;
  const offsetOf = offsetsOf(body);
  const all = markup.getChildElements().flatMap((element): Range[] => {
    const [begin, end] = [offsetOf(element.attrs.start), offsetOf(element.attrs.end)];
    return begin !== undefined && end !== undefined && begin < end ? [{ begin, end, element }] : [];
  });
  const isSpan = ({ element }: Range): boolean => element.getName() === "span";
  const blocks = nested(all.filter(({ element }) => ["bcode", "bquote", "list"].includes(element.getName())));
  let [spanIndex, blockIndex, spansEnd] = [0, 0, 0];
  // §5: spans must not overlap with each other.
  const spans = all
    .filter(isSpan)
    .toSorted((one, other) => one.begin - other.begin)
    .filter(({ begin, end }) => {
      const isFree = begin >= spansEnd;
      if (isFree) spansEnd = end;
      return isFree;
    });

  const inlinesOf = ({ text, at }: Line): Inline[] => {
    const nodes: Inline[] = [];
    const end = at + text.length;
    const slice = (from: number, to: number): string => text.slice(from - at, to - at);
    let said = at;
    // Lines are asked for in their order, so that no span is looked at twice but those across a line's end.
    for (let span = spans[spanIndex]; span && span.end <= at; span = spans[spanIndex]) spanIndex += 1;
    for (let index = spanIndex; index < spans.length; index += 1) {
      const span = spans[index];
      if (!span || span.begin >= end) break;
      const [from, to] = [Math.max(span.begin, said), Math.min(span.end, end)];
      nodes.push({ kind: "text", text: slice(said, from) }, spanOf(span.element, slice(from, to)));
      said = to;
    }
    return [...nodes, { kind: "text", text: slice(said, end) }];
  };

  const without = (pattern: RegExp, { text, at }: Line): Line => {
    const [mark = ""] = pattern.exec(text) ?? [];
    return { text: text.slice(mark.length), at: at + mark.length };
  };
  const blockOf = (range: Range, quotes: number): Block => {
    const { begin, end, element } = range;
    const kind = element.getName();
    if (kind === "bcode") {
      const language = /^[\w+#.-]{1,40}$/.exec(String(element.attrs.language ?? ""))?.[0];
      const text = body
        .slice(begin, end)
        .replace(/^```.*\n/, "")
        .replace(/\n?(?:```)?\n?$/, "");
      return { kind: "code", text, ...(language !== undefined && { language }) };
    }
    if (kind === "bquote") {
      const mark = new RegExp(`^(?:>\\s?){0,${quotes + 1}}`);
      return { kind: "quote", blocks: blocksIn(begin, end, quotes + 1, mark) };
    }
    const starts = element
      .getChildElements()
      .flatMap((item) => (item.getName() === "li" ? [offsetOf(item.attrs.start) ?? -1] : []))
      .filter((start) => start > begin && start < end)
      .toSorted((one, other) => one - other);
    const isOrdered = element.attrs.ordered === "true" || element.attrs.ordered === "1";
    const edges = [begin, ...new Set(starts), end];
    const items = edges
      .slice(0, -1)
      .map((start, index) =>
        blocksIn(start, edges[index + 1] ?? end, quotes, /^\s*(?:[*•-]|\d{1,9}[.)])\s+/),
      );
    return { kind: "list", ...(isOrdered && { start: 1 }), items };
  };

  /**
   * @param quotes how many quotations this is in.
   * @param mark what a line begins with for people who see plain text.
   */
  function blocksIn(begin: number, end: number, quotes: number, mark?: RegExp): Block[] {
    const result: Block[] = [];
    let at = begin;
    const paragraphs = (until: number, isLast: boolean): void => {
      const text = body.slice(at, until).replace(isLast ? /$/ : /\n$/, "");
      const lines = linesOf(text, at).map((line) => (mark ? without(mark, line) : line));
      if (text !== "") result.push(...paragraphsOf(lines, inlinesOf, { isFirst: at === begin, isLast }));
    };
    for (let block = blocks[blockIndex]; block && block.begin < end; block = blocks[blockIndex]) {
      blockIndex += 1;
      if (block.begin < at || block.end > end) continue;
      paragraphs(block.begin, false);
      result.push(blockOf(block, quotes));
      at = body[block.end] === "\n" ? block.end + 1 : block.end;
    }
    paragraphs(end, true);
    return result;
  }
  return blocksIn(0, body.length, 0);
}
