/** A text tree as a body for people who see plain text, with or without the directives of message styling (XEP-0393 1.1.1). */
import { parseUserId } from "../../matrix/ids.ts";
import { hoistBlanks, inlineLines } from "./inline-lines.ts";
import { tellsLink } from "./links.ts";
import { type Block, type Inline, isSpan, type Mentionable, type Span, type Tree, tidy } from "./tree.ts";

export type NameOf = (id: Mentionable) => string | undefined;

export interface Written {
  body: string;
  /** Where it means to be styled: a directive's kind and offset, as `parseStyling` reports them. */
  styles: ReadonlySet<string>;
  /** Offsets in UTF-16. */
  mentions: { begin: number; end: number; id: Mentionable }[];
}

type Of<K extends Block["kind"]> = Extract<Block, { kind: K }>;
type Open = ReadonlySet<string>;

/** Deeper ones would cost more than what they are around. */
const maxPrefix = 24;

const oneLine = (text: string): string => text.replace(/\r\n?|\n/g, " ");

/** What people are called who have no name: never the whole MXID. */
function nameFor({ id, label }: Extract<Inline, { kind: "mention" }>, nameOf: NameOf): string {
  const name = nameOf(id) || (label === id ? "" : label);
  if (name) return oneLine(name);
  return parseUserId(id) ? id.slice(1, id.indexOf(":")) : id;
}

/** A quotation and code are told from the text around them without a blank line, and so is a list from what leads to it. */
function lineEndsBetween(before: Block, after: Block): number {
  const stands = ({ kind }: Block): boolean => kind === "quote" || kind === "code";
  // The blank line that it begins with would be taken for one that only sets it apart.
  if (after.kind === "paragraph" && after.children[0]?.kind === "break") return 2;
  if (after.kind === "list" && before.kind === "paragraph") return 1;
  return stands(before) !== stands(after) && [before.kind, after.kind].includes("paragraph") ? 1 : 2;
}

/** A body that grows, with the marks that each of its lines begins with. */
function createBody(isStyled: boolean) {
  const styles = new Set<string>();
  let body = "";
  let prefix = "";
  let isLineStart = true;

  const start = (mark: string): void => {
    if (!isLineStart) return;
    isLineStart = false;
    for (const { index } of isStyled ? mark.matchAll(/>/g) : []) styles.add(`quote ${body.length + index}`);
    body += mark;
  };
  const say = (text: string): void => {
    if (text === "") return;
    start(prefix);
    body += text;
  };
  return {
    styles,
    say,
    text: () => body,
    isLineStart: () => isLineStart,
    endLines(count: number): void {
      for (let line = 0; line < count; line += 1) {
        start(prefix.trimEnd());
        body += "\n";
        isLineStart = true;
      }
    },
    /** Says a directive that is meant as one. */
    direct(kind: string, directive: string): void {
      start(prefix);
      styles.add(`${kind} ${body.length}`);
      say(directive);
    },
    /** Lines that begin in `content` have the mark. */
    inside(mark: string, content: () => void): void {
      const outside = prefix;
      if (prefix.length < maxPrefix) prefix += mark;
      content();
      prefix = outside;
    },
    /** Whether what comes next stands at the beginning of a line, or of what is quoted there. */
    isBlockStart: () => isLineStart && /^(?:> )*$/.test(prefix),
  };
}

const directives: Partial<Record<Inline["kind"], string>> = {
  strong: "*",
  emphasis: "_",
  strike: "~",
  code: "`",
};

export function writeText(tree: Tree, isStyled: boolean, nameOf: NameOf): Written {
  const mentions: Written["mentions"] = [];
  const { say, direct, endLines, inside, isLineStart, isBlockStart, text, styles } = createBody(isStyled);

  const inlines = (nodes: readonly Inline[], open: Open): void => {
    for (const node of nodes) inline(node, open);
  };
  /** A span without directives of its own. */
  const other = (node: Span, open: Open): void => {
    const reason = node.kind === "spoiler" ? node.reason.replace(/\s+/g, " ") : "";
    if (node.kind === "spoiler") say(reason ? `[spoiler: ${reason}] ||` : "[spoiler] ||");
    inlines(node.children, new Set([...open, node.kind]));
    if (node.kind === "spoiler") say("||");
    if (node.kind === "link" && !tellsLink(node)) say(` (${node.href})`);
  };
  const leaf = (node: Exclude<Inline, Span>): void => {
    if (node.kind === "mention") {
      const name = nameFor(node, nameOf);
      say(name);
      mentions.push({ begin: text().length - name.length, end: text().length, id: node.id });
    } else if (node.kind === "break") say(" ");
    else say(oneLine("text" in node ? node.text : node.label));
  };
  function inline(node: Inline, open: Open): void {
    const directive = isStyled && !open.has(node.kind) ? directives[node.kind] : undefined;
    if (directive !== undefined) direct(node.kind, directive);
    if (!isSpan(node)) leaf(node);
    else if (directive !== undefined) inlines(node.children, new Set([...open, node.kind]));
    else other(node, open);
    if (directive !== undefined) say(directive);
  }

  const each = <T>(parts: readonly T[], write: (part: T, index: number) => void): void => {
    parts.forEach((part, index) => {
      endLines(index === 0 ? 0 : 1);
      write(part, index);
    });
  };
  const lines = (nodes: readonly Inline[]): void =>
    each(inlineLines(tidy(nodes)), (line) => inlines(hoistBlanks(line), new Set()));
  const strong = (children: Inline[]): Inline[] => [{ kind: "strong", children }];

  const quote = ({ blocks }: Of<"quote">): void =>
    inside("> ", () => {
      // After the mark of an item a quotation is none, but can be read as one.
      if (!isLineStart()) say("> ");
      flow(blocks, 2);
    });
  const code = ({ text: words, language = "" }: Of<"code">): void => {
    const isFenced = isStyled && isBlockStart();
    if (isFenced) {
      direct("block", `\`\`\`${language}`);
      endLines(1);
    }
    each(words.split(/\r\n?|\n/), say);
    if (isFenced) {
      endLines(1);
      say("```");
    }
  };
  const list = ({ start, items }: Of<"list">): void =>
    each(items, (item, index) => {
      const mark = start === undefined ? "- " : `${start + index}. `;
      say(mark);
      inside(" ".repeat(mark.length), () => flow(item, 1));
    });
  const table = ({ header, rows }: Of<"table">): void =>
    each(header ? [header.map(strong), ...rows] : rows, (row) => {
      row.forEach((cell, index) => {
        say(index === 0 ? "" : " | ");
        inlines(hoistBlanks(tidy(cell)), new Set());
      });
    });

  const writers: { [K in Block["kind"]]: (block: Of<K>) => void } = {
    paragraph: ({ children }) => lines(children),
    heading: ({ children }) => lines(strong(children)),
    details: ({ summary, blocks }) => flow([{ kind: "heading", level: 6, children: summary }, ...blocks], 1),
    rule: () => say("---"),
    quote,
    code,
    list,
    table,
  };
  const write = (block: Block): void => (writers[block.kind] as (block: Block) => void)(block);

  function flow(blocks: Tree, mostLineEnds: number): void {
    blocks.forEach((block, index) => {
      const before = blocks[index - 1];
      if (before) endLines(Math.min(mostLineEnds, lineEndsBetween(before, block)));
      write(block);
    });
  }
  flow(tree, 2);
  return { body: text(), styles, mentions };
}

/** For clients that show plain text, and for what only holds plain text. */
export const plainText = (tree: Tree, nameOf: NameOf = () => undefined): string =>
  writeText(tree, false, nameOf).body;
