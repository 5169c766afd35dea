/** A text tree as elements of HTML, in the words of a dialect: what Matrix permits, or what XHTML-IM recommends. */
import { type Element, xml } from "../../xmpp/stanza.ts";
import { tellsLink } from "./links.ts";
import { type Block, type Inline, isSpan, type Span, type Tree, textOf, tidy } from "./tree.ts";

/** What the two kinds of HTML say in different ways. */
export interface Dialect {
  /** Whether a link may be one; its words are left where it may not. */
  mayLink(href: string): boolean;
  /** The element around a span, whose content follows. */
  span(span: Span): Element;
  /** Someone mentioned, or a link where a mention is none. */
  mention(mention: Extract<Inline, { label: string }>): Element | undefined;
  codeBlock(block: Extract<Block, { kind: "code" }>): Element;
  /** The blocks that the dialect has; undefined for those that are to be written as other blocks. */
  block(block: Extract<Block, { kind: "table" | "details" | "rule" }>, write: Writers): Element | Tree;
}

export interface Writers {
  inlines(into: Element, nodes: readonly Inline[]): Element;
  blocks(into: Element, blocks: Tree): Element;
}

/** HTML shows one space for many and none at the ends of lines, so the others become ones that do not break. */
function pinned(nodes: readonly Inline[]): Inline[] {
  let afterBlank = true;
  let last: { node: { text: string } } | undefined;
  const endLine = (): void => {
    if (last) last.node.text = last.node.text.replace(/ $/, "\u00a0");
    last = undefined;
    afterBlank = true;
  };
  const pin = (text: string): string => {
    let result = "";
    for (const character of text.replace(/[\t\n\r\f]/g, " ")) {
      const isBlank = character === " ";
      result += isBlank && afterBlank ? "\u00a0" : character;
      afterBlank = isBlank && !afterBlank;
    }
    return result;
  };
  const walk = (node: Inline): Inline => {
    if (isSpan(node)) return { ...node, children: node.children.map(walk) };
    if (node.kind === "text") {
      const pinnedNode = { ...node, text: pin(node.text) };
      last = { node: pinnedNode };
      return pinnedNode;
    }
    if (node.kind === "break") endLine();
    else {
      last = undefined;
      afterBlank = false;
    }
    return node;
  };
  const result = nodes.map(walk);
  endLine();
  return result;
}

const oneLine = (text: string): string => text.replace(/[\t\n\r\f]/g, " ");

export function writeElements(tree: Tree, dialect: Dialect, root: Element): Element {
  const inline = (into: Element, node: Inline): void => {
    if (isSpan(node)) {
      const element = dialect.span(node);
      into.cnode(element);
      for (const child of node.children) inline(element, child);
    } else if (node.kind === "text") into.t(node.text);
    else if (node.kind === "break") into.cnode(xml("br"));
    else if (node.kind === "code") into.cnode(xml("code", {}, oneLine(node.text)));
    else {
      const element = dialect.mention(node);
      if (element) into.cnode(element);
      (element ?? into).t(node.label);
    }
  };
  const linked = (node: Inline): Inline[] => {
    if (!isSpan(node)) return [node];
    const children = node.children.flatMap(linked);
    if (node.kind !== "link" || dialect.mayLink(node.href)) return [{ ...node, children }];
    return tellsLink(node) ? children : [...children, { kind: "text", text: ` (${node.href})` }];
  };
  const write: Writers = {
    inlines: (into, nodes) => {
      for (const node of pinned(tidy(tidy(nodes).flatMap(linked)))) inline(into, node);
      return into;
    },
    blocks: (into, blocks) => {
      // Paragraphs around what stands alone are HTML that is not needed.
      const paragraphs = blocks.filter(
        (block) => block.kind === "paragraph" && tidy(block.children).length > 0,
      );
      const isBare = paragraphs.length === 1;
      for (const block of blocks) writeBlock(into, block, isBare);
      return into;
    },
  };

  const list = ({ start, items }: Extract<Block, { kind: "list" }>): Element => {
    const element = xml(
      start === undefined ? "ul" : "ol",
      (start ?? 1) === 1 ? {} : { start: String(start) },
    );
    for (const item of items) element.cnode(write.blocks(xml("li"), item));
    return element;
  };
  const elementsOf = (block: Exclude<Block, { kind: "paragraph" }>): Element | Tree => {
    switch (block.kind) {
      case "heading":
        return write.inlines(xml(`h${Math.min(Math.max(block.level, 1), 6)}`), block.children);
      case "quote":
        return write.blocks(xml("blockquote"), block.blocks);
      case "code":
        return block.text === "" ? [] : dialect.codeBlock(block);
      case "list":
        return list(block);
      default:
        return dialect.block(block, write);
    }
  };
  function writeBlock(into: Element, block: Block, isBare: boolean): void {
    if (block.kind === "paragraph" && isBare) {
      write.inlines(into, block.children);
      return;
    }
    const written = block.kind === "paragraph" ? write.inlines(xml("p"), block.children) : elementsOf(block);
    if (Array.isArray(written)) for (const part of written) writeBlock(into, part, false);
    else if (written.children.length > 0 || block.kind === "rule") into.cnode(written);
  }
  return write.blocks(root, tree);
}

/** For a dialect without tables: a line for each row. */
export const rowsAsParagraph = ({ header, rows }: Extract<Block, { kind: "table" }>): Block => ({
  kind: "paragraph",
  children: [...(header ? [header] : []), ...rows].flatMap((row, index): Inline[] => [
    ...(index === 0 ? [] : [{ kind: "break" } as const]),
    { kind: "text", text: row.map(textOf).join(" | ") },
  ]),
});
