/** The text of a message between its spellings: Matrix HTML, plain text, message styling and XHTML-IM are all read into it and written from it. */
import type { RoomAlias, RoomId, UserId } from "../../matrix/ids.ts";
import type { BareJid } from "../../xmpp/jid.ts";

export type Mentionable = UserId | RoomId | RoomAlias;

export type Plain = { kind: "text"; text: string };

export type Span =
  | { kind: "strong" | "emphasis" | "strike" | "underline"; children: Inline[] }
  | { kind: "link"; href: string; children: Inline[] }
  /** The reason may be "". */
  | { kind: "spoiler"; reason: string; children: Inline[] };

export type Inline =
  | Plain
  | Span
  | { kind: "break" }
  | { kind: "code"; text: string }
  /** Someone or some room of Matrix; the label is what the writer called them. */
  | { kind: "mention"; id: Mentionable; label: string }
  /** Someone of XMPP. */
  | { kind: "contact"; jid: BareJid; label: string };

export type Block =
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "code"; text: string; language?: string }
  /** `start` is the number of the first item; a list without it has no order. */
  | { kind: "list"; start?: number; items: Block[][] }
  /** A row is a list of cells; `header` is the first row where it holds the names of the columns. */
  | { kind: "table"; header?: Inline[][]; rows: Inline[][][] }
  | { kind: "details"; summary: Inline[]; blocks: Block[] }
  | { kind: "rule" };

export type Tree = Block[];

/** Far beyond what people write; keeps what is written within the depth that parsers of both sides take. */
export const maxBlockDepth = 20;

export const isSpan = (node: Inline): node is Span => "children" in node;

/** The words alone, as a label or an attribute needs them. */
export function textOf(nodes: readonly Inline[]): string {
  let text = "";
  for (const node of nodes) {
    if (node.kind === "break") text += " ";
    else if (isSpan(node)) text += textOf(node.children);
    else text += "text" in node ? node.text : node.label;
  }
  return text;
}

/** Whether plain text says all of it. */
export const isPlain = (tree: Tree): boolean =>
  tree.every(
    (block) =>
      block.kind === "paragraph" && block.children.every(({ kind }) => kind === "text" || kind === "break"),
  );

function isSame(one: Span, other: Span): boolean {
  if (one.kind === "link") return other.kind === "link" && one.href === other.href;
  if (one.kind === "spoiler") return other.kind === "spoiler" && one.reason === other.reason;
  return one.kind === other.kind;
}

function push(into: Inline[], node: Inline): void {
  const last = into.at(-1);
  if (node.kind === "text" && last?.kind === "text")
    into[into.length - 1] = { ...last, text: last.text + node.text };
  else if (isSpan(node) && last && isSpan(last) && isSame(last, node)) {
    for (const child of node.children) push(last.children, child);
  } else into.push(node);
}

function withoutEnd(nodes: Inline[]): Inline[] {
  for (let last = nodes.at(-1); last; last = nodes.at(-1)) {
    if (isSpan(last) && withoutEnd(last.children).length > 0) break;
    if (last.kind !== "break" && !isSpan(last)) break;
    nodes.pop();
  }
  return nodes;
}

/** A node as it may stand within those kinds of spans: itself, what is in it, or nothing. */
function allowed(node: Inline, within: ReadonlySet<string>): Inline[] {
  if (isSpan(node)) {
    const children = tidied(node.children, new Set([...within, node.kind]));
    if (within.has(node.kind)) return children;
    if (children.length === 0) return [];
    if (node.kind !== "spoiler") return [{ ...node, children }];
    return [{ ...node, reason: node.reason.replace(/\s+/g, " ").trim(), children }];
  }
  if (node.kind === "break") return [node];
  if ("text" in node) return node.text === "" ? [] : [{ ...node }];
  const words = node.label.replace(/[ \t\n\r\f]+/g, " ").replace(/^ | $/g, "");
  const label = words || (node.kind === "mention" ? node.id : node.jid);
  return [within.has("link") ? { kind: "text", text: label } : { ...node, label }];
}

function tidied(nodes: readonly Inline[], within: ReadonlySet<string>): Inline[] {
  const result: Inline[] = [];
  for (const node of nodes) for (const part of allowed(node, within)) push(result, part);
  return result;
}

/** The same words, with nothing empty, nothing twice around the same words, no two neighbours that are one, and no break at the end. */
export const tidy = (nodes: readonly Inline[]): Inline[] => withoutEnd(tidied(nodes, new Set()));

/** The words of blocks, for where there is room for words only. */
export function linesOf(blocks: readonly Block[]): Inline[][] {
  return blocks.flatMap((block): Inline[][] => {
    switch (block.kind) {
      case "paragraph":
      case "heading":
        return [block.children];
      case "quote":
        return linesOf(block.blocks);
      case "code":
        return [[{ kind: "code", text: block.text.replace(/[\t\r\n\f]+/g, " ") }]];
      case "list":
        return block.items.flatMap(linesOf);
      case "table":
        return [...(block.header ? [block.header] : []), ...block.rows].map((row) => row.flat());
      case "details":
        return [block.summary, ...linesOf(block.blocks)];
      case "rule":
        return [];
      default:
        return block satisfies never;
    }
  });
}
