/** Elements of HTML (Client-Server API v1.15, "m.room.message msgtypes") and of XHTML-IM (XEP-0071 1.5.4) as a text tree. */
import type { Element } from "../../xmpp/stanza.ts";
import { around, emptyFlow, endLine, endParagraph, type Flow, leaf, put, say, type Wrap } from "./flow.ts";
import { readTarget } from "./links.ts";
import { type Block, type Inline, linesOf, maxBlockDepth, type Span, type Tree, tidy } from "./tree.ts";

const simple: Record<string, Exclude<Span["kind"], "link" | "spoiler">> = {
  b: "strong",
  strong: "strong",
  i: "emphasis",
  em: "emphasis",
  s: "strike",
  strike: "strike",
  del: "strike",
  u: "underline",
  ins: "underline",
};

/** COMPAT(Pidgin, Gajim < 1.0): they write XHTML-IM as spans with styles. */
const styles: [pattern: RegExp, kind: Exclude<Span["kind"], "link" | "spoiler">][] = [
  [/(?:^|;)\s*font-weight\s*:\s*(?:bold|[6-9]00)/i, "strong"],
  [/(?:^|;)\s*font-style\s*:\s*(?:italic|oblique)/i, "emphasis"],
  [/(?:^|;)\s*text-decoration\s*:[^;]*line-through/i, "strike"],
  [/(?:^|;)\s*text-decoration\s*:[^;]*underline/i, "underline"],
];

const attribute = ({ attrs }: Element, name: string): string | undefined => {
  const value: unknown = Object.hasOwn(attrs, name) ? attrs[name] : undefined;
  return typeof value === "string" ? value : undefined;
};

const wordsIn = (element: Element): string => {
  let text = "";
  for (const child of element.children) {
    if (typeof child === "string") text += child;
    else text += child.getName() === "br" ? "\n" : wordsIn(child);
  }
  return text;
};

/** What stands in its attribute is written again in each paragraph and line of it, so that there may not be many. */
const isWide = (element: Element, left = { elements: 20 }): boolean =>
  element.getChildElements().some((child) => {
    left.elements -= 1;
    return left.elements < 0 || isWide(child, left);
  });

function spansOf(element: Element): Span[] {
  const name = element.getName();
  const kind = Object.hasOwn(simple, name) ? simple[name] : undefined;
  const spans: Span[] = kind ? [{ kind, children: [] }] : [];
  const reason = name === "span" ? attribute(element, "data-mx-spoiler") : undefined;
  if (reason !== undefined) {
    spans.push({ kind: "spoiler", reason: isWide(element) ? "" : reason, children: [] });
  }
  const style = attribute(element, "style")?.slice(0, 1000) ?? "";
  for (const [pattern, styled] of style ? styles : []) {
    if (pattern.test(style)) spans.push({ kind: styled, children: [] });
  }
  return spans;
}

function blocksIn(elements: Element["children"], wraps: readonly Wrap[], depth: number): Block[] {
  const flow = emptyFlow(depth);
  for (const child of elements) read(flow, wraps, child);
  endParagraph(flow);
  return flow.blocks;
}

/** Where a line only has room for words: headings, cells, summaries. */
const inlinesIn = (element: Element, wraps: readonly Wrap[], depth: number): Inline[] =>
  tidy(
    linesOf(blocksIn(element.children, wraps, depth)).flatMap((line, index) =>
      index === 0 ? line : [{ kind: "break" }, ...line],
    ),
  );

function codeBlock(element: Element): Block {
  const inner = element.getChildElements().find((child) => child.getName() === "code");
  const classes = attribute(inner ?? element, "class") ?? "";
  const [, language] = /(?:^|\s)language-([\w+#.-]{1,40})(?:\s|$)/.exec(classes) ?? [];
  const text = wordsIn(element).replace(/\r\n?/g, "\n");
  // Writers of <pre><code> put a line end before its end.
  return {
    kind: "code",
    text: inner ? text.replace(/\n$/, "") : text,
    ...(language !== undefined && { language }),
  };
}

function list(element: Element, wraps: readonly Wrap[], depth: number): Block {
  const items: Block[][] = [];
  for (const child of element.children) {
    const isItem = typeof child !== "string" && child.getName() === "li";
    const blocks = blocksIn(isItem ? child.children : [child], wraps, depth);
    if (isItem) items.push(blocks);
    // Lists directly in lists are common, and belong to the item before.
    else if (blocks.length > 0) items.length > 0 ? items.at(-1)?.push(...blocks) : items.push(blocks);
  }
  const start = Number(attribute(element, "start") ?? 1);
  const isStart = Number.isInteger(start) && Math.abs(start) < 1e9;
  return { kind: "list", ...(element.getName() === "ol" && { start: isStart ? start : 1 }), items };
}

function rowsIn(element: Element): Element[] {
  return element
    .getChildElements()
    .flatMap((child) =>
      child.getName() === "tr" ? [child] : /^t(?:head|body|foot)$/.test(child.getName()) ? rowsIn(child) : [],
    );
}

function table(element: Element, wraps: readonly Wrap[], depth: number): Block[] {
  const cellsOf = (row: Element): Element[] =>
    row.getChildElements().filter((cell) => /^t[hd]$/.test(cell.getName()));
  const all = rowsIn(element).filter((row) => cellsOf(row).length > 0);
  const [first] = all;
  const isHeader = first !== undefined && cellsOf(first).every((cell) => cell.getName() === "th");
  const [header, ...rest] = all.map((row) => cellsOf(row).map((cell) => inlinesIn(cell, wraps, depth)));
  const caption = element.getChildElements().find((child) => child.getName() === "caption");
  const above = caption ? blocksIn(caption.children, wraps, depth) : [];
  if (!header) return above;
  return [
    ...above,
    isHeader ? { kind: "table", header, rows: rest } : { kind: "table", rows: [header, ...rest] },
  ];
}

function details(element: Element, wraps: readonly Wrap[], depth: number): Block {
  const summary = element.getChildElements().find((child) => child.getName() === "summary");
  const rest = element.children.filter((child) => child !== summary);
  return {
    kind: "details",
    summary: summary ? inlinesIn(summary, wraps, depth) : [],
    blocks: blocksIn(rest, wraps, depth),
  };
}

/** The blocks that an element is, or undefined if it is none of its own. */
function blocksOf(element: Element, wraps: readonly Wrap[], depth: number): Block[] | undefined {
  const name = element.getName();
  const [, level] = /^h([1-6])$/.exec(name) ?? [];
  if (level) return [{ kind: "heading", level: Number(level), children: inlinesIn(element, wraps, depth) }];
  if (name === "hr") return [{ kind: "rule" }];
  if (name === "pre") return [codeBlock(element)];
  if (depth > maxBlockDepth) return undefined;
  if (name === "blockquote") return [{ kind: "quote", blocks: blocksIn(element.children, wraps, depth + 1) }];
  if (name === "ul" || name === "ol") return [list(element, wraps, depth + 1)];
  if (name === "table") return table(element, wraps, depth + 1);
  if (name === "details") return [details(element, wraps, depth + 1)];
  return undefined;
}

const isEmpty = (block: Block): boolean =>
  (block.kind === "heading" && block.children.length === 0) ||
  (block.kind === "code" && block.text === "") ||
  (block.kind === "quote" && block.blocks.length === 0) ||
  (block.kind === "list" && block.items.length === 0) ||
  (block.kind === "details" && block.summary.length + block.blocks.length === 0);

function readAnchor(flow: Flow, wraps: readonly Wrap[], element: Element): void {
  const target = readTarget(attribute(element, "href") ?? "");
  if (target?.kind === "mention" || target?.kind === "contact") {
    put(flow, wraps, { ...target, label: wordsIn(element) });
  } else {
    const isAround = target && !isWide(element);
    const inner = isAround ? around(wraps, [{ ...target, children: [] }]) : wraps;
    for (const child of element.children) read(flow, inner, child);
    if (target && !isAround) say(flow, wraps, ` (${target.href})`);
  }
}

function readImage(flow: Flow, wraps: readonly Wrap[], element: Element): void {
  const words = attribute(element, "alt") || attribute(element, "title");
  const target = readTarget(attribute(element, "src") ?? "");
  const inner = target?.kind === "link" ? around(wraps, [{ ...target, children: [] }]) : wraps;
  say(flow, inner, words || (target?.kind === "link" ? target.href : ""));
}

function readCode(flow: Flow, wraps: readonly Wrap[], element: Element): void {
  const text = wordsIn(element).replace(/[\t\r\n\f]/g, " ");
  if (text !== "") put(flow, wraps, { kind: "code", text });
}

function readBreak(flow: Flow, wraps: readonly Wrap[]): void {
  endLine(flow);
  leaf(flow, wraps, { kind: "break" });
}

const nothing = (): void => undefined;

const readers: Record<string, (flow: Flow, wraps: readonly Wrap[], element: Element) => void> = {
  a: readAnchor,
  br: readBreak,
  code: readCode,
  img: readImage,
  kbd: readCode,
  samp: readCode,
  script: nothing,
  style: nothing,
  tt: readCode,
};

const standsAlone = /^(?:p|div|li|ul|ol|blockquote|details|summary|table|tr|td|th|caption|dl|dt|dd|body)$/;

function readOther(flow: Flow, wraps: readonly Wrap[], element: Element): void {
  const isBlock = standsAlone.test(element.getName());
  if (isBlock) endParagraph(flow);
  const inner = around(wraps, spansOf(element));
  for (const child of element.children) read(flow, inner, child);
  if (isBlock) endParagraph(flow);
}

function read(flow: Flow, wraps: readonly Wrap[], node: Element | string): void {
  if (typeof node === "string") {
    say(flow, wraps, node);
    return;
  }
  const blocks = blocksOf(node, wraps, flow.depth);
  if (blocks) {
    endParagraph(flow);
    for (const block of blocks) if (!isEmpty(block)) flow.blocks.push(block);
    return;
  }
  const name = node.getName();
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  (reader ?? readOther)(flow, wraps, node);
}

/** The text in an element; what it has no words for keeps its text. */
export const readElements = (root: Element): Tree => blocksIn(root.children, [], 0);
