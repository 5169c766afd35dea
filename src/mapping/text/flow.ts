/** A paragraph in the making: words with spans around them, their white space as HTML shows it. */
import { type Block, type Inline, type Plain, type Span, tidy } from "./tree.ts";

/** An object of its own for each element, so that neighbouring words of one element are known as such. */
export type Wrap = { around: Span };

/** A paragraph that is being written, and the blocks before it. */
export interface Flow {
  blocks: Block[];
  line: Inline[];
  /** The spans that the last words stand in, from the outermost. */
  open: { wrap: Wrap; children: Inline[] }[];
  /** The last words, where a blank may still have to go. */
  last: Plain | undefined;
  afterBlank: boolean;
  depth: number;
}

export const emptyFlow = (depth: number): Flow => ({
  blocks: [],
  line: [],
  open: [],
  last: undefined,
  afterBlank: true,
  depth,
});

/** The same twice means nothing, and would let a few deep tags grow with every paragraph in them. */
export const around = (wraps: readonly Wrap[], spans: readonly Span[]): readonly Wrap[] => {
  const fresh = spans.filter(({ kind }) => !wraps.some((wrap) => wrap.around.kind === kind));
  return fresh.length === 0 ? wraps : [...wraps, ...fresh.map((span) => ({ around: span }))];
};

export function leaf(flow: Flow, wraps: readonly Wrap[], node: Inline): void {
  let common = 0;
  while (common < flow.open.length && flow.open[common]?.wrap === wraps[common]) common += 1;
  flow.open.length = common;
  let into = flow.open.at(-1)?.children ?? flow.line;
  for (const wrap of wraps.slice(common)) {
    const children: Inline[] = [];
    into.push({ ...wrap.around, children });
    flow.open.push({ wrap, children });
    into = children;
  }
  into.push(node);
}

/** White space at the end of a line is not shown. */
export function endLine(flow: Flow): void {
  if (flow.last) flow.last.text = flow.last.text.replace(/ $/, "");
  flow.last = undefined;
  flow.afterBlank = true;
}

export function say(flow: Flow, wraps: readonly Wrap[], words: string): void {
  const collapsed = words.replace(/[ \t\n\r\f]+/g, " ");
  const text = flow.afterBlank ? collapsed.replace(/^ /, "") : collapsed;
  if (text === "") return;
  const node: Plain = { kind: "text", text };
  leaf(flow, wraps, node);
  flow.last = node;
  flow.afterBlank = text.endsWith(" ");
}

/** Words that are not to be changed. */
export function put(flow: Flow, wraps: readonly Wrap[], node: Inline): void {
  leaf(flow, wraps, node);
  flow.last = undefined;
  flow.afterBlank = false;
}

export function endParagraph(flow: Flow): void {
  endLine(flow);
  const children = tidy(flow.line);
  if (children.length > 0) flow.blocks.push({ kind: "paragraph", children });
  flow.line = [];
  flow.open = [];
}
