/** HTML (WHATWG, "Tokenization") as elements, from half-valid and hostile text at a cost that its length bounds. */
import { type Token, Tokenizer, TokenizerMode } from "parse5";
import { type Element, xml, xmlSafe } from "../../xmpp/stanza.ts";

/** Client-Server API v1.15, "m.room.message msgtypes": tags must not be nested deeper. */
const maxDepth = 100;

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));

const inline = words("a b code del em font i ins kbd s samp span strike strong sub sup tt u");
const blocks = words(
  "blockquote caption details div h1 h2 h3 h4 h5 h6 li ol p pre summary table tbody td tfoot th thead tr ul",
);
const empty = words("br hr img");
/** Their content is nothing that was said. */
const silent = words("iframe mx-reply noembed noframes noscript script style template textarea title xmp");
const raw = words("iframe noembed noframes noscript script style xmp");
const escapable = words("textarea title");

/** What ends without being told when one of these begins, and where looking for it stops. */
const endedBy: Record<string, [ended: ReadonlySet<string>, scope: ReadonlySet<string>]> = {
  li: [words("li"), words("ul ol")],
  td: [words("td th"), words("tr table")],
  th: [words("td th"), words("tr table")],
  tr: [words("tr"), words("table")],
  thead: [words("thead tbody tfoot"), words("table")],
  tbody: [words("thead tbody tfoot"), words("table")],
  tfoot: [words("thead tbody tfoot"), words("table")],
  a: [words("a"), blocks],
};
const paragraph: [ReadonlySet<string>, ReadonlySet<string>] = [
  words("p"),
  words("blockquote details li td th"),
];

const kept = words("alt class data-mx-spoiler href start title");

/**
 * The tree is built here: the standard's way of building one lets 64 KiB of text become gigabytes of elements.
 * Unknown tags are left out, but not their text.
 */
export function parseHtml(text: string): Element {
  const root = xml("html");
  const open: Element[] = [root];
  let current = root;
  let silence: string | undefined;
  let silences = 0;

  /** Ended, but not yet what was begun in it. */
  const ended = new Set<Element>();
  const closeTo = (length: number): void => {
    open.length = length;
    current = open[length - 1] ?? root;
    if (ended.has(current)) closeTo(length - 1);
  };
  const endImplied = (name: string): void => {
    const [before, scope] = endedBy[name] ?? (blocks.has(name) || name === "hr" ? paragraph : []);
    const isEither = (element: Element): boolean =>
      before?.has(element.name) || scope?.has(element.name) || element === root;
    const index = before ? open.findLastIndex(isEither) : 0;
    if (before?.has(open[index]?.name ?? "")) closeTo(index);
  };
  const begin = (name: string, attributes: Token.Attribute[]): void => {
    endImplied(name);
    if (open.length > maxDepth) return;
    const element: Element = xml(name);
    for (const { name: key, value } of attributes) if (kept.has(key)) element.attrs[key] = value;
    current.cnode(element);
    if (empty.has(name)) return;
    open.push(element);
    current = element;
  };
  const end = (name: string): void => {
    const index = open.findLastIndex((element) => element.name === name && !ended.has(element));
    const begun = open[index];
    if (!begun || index === 0) return;
    // `<b><p>one</b>two</p>three`: what it is around ends first.
    if (inline.has(name) && open.slice(index).some((element) => blocks.has(element.name))) ended.add(begun);
    else closeTo(index);
  };
  const say = ({ chars }: Token.CharacterToken): void => {
    if (silence !== undefined) return;
    // A line end right after <pre> is none of its text.
    const isStart = current.name === "pre" && current.children.length === 0;
    current.t(isStart ? chars.replace(/^\n/, "") : chars);
  };
  const nothing = (): void => undefined;

  const tokenizer = new Tokenizer(
    {},
    {
      onStartTag({ tagName: name, attrs }) {
        if (raw.has(name)) tokenizer.state = TokenizerMode.RAWTEXT;
        if (escapable.has(name)) tokenizer.state = TokenizerMode.RCDATA;
        if (silence === undefined && silent.has(name)) silence = name;
        if (silence === name) silences += 1;
        if (silence === undefined && (inline.has(name) || blocks.has(name) || empty.has(name)))
          begin(name, attrs);
      },
      onEndTag({ tagName: name }) {
        if (silence === undefined) return end(name);
        if (silence === name) silences -= 1;
        if (silences === 0) silence = undefined;
      },
      onCharacter: say,
      onWhitespaceCharacter: say,
      onNullCharacter: nothing,
      onComment: nothing,
      onDoctype: nothing,
      onEof: nothing,
      onParseError: null,
    },
  );
  tokenizer.write(text, true);
  return root;
}

const references: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string =>
  xmlSafe(text).replace(/[&<>"]/g, (character) => references[character] ?? "");

/** The children of an element, written so that any text and any value of an attribute is harmless. */
export function serializeHtml(root: Element): string {
  let html = "";
  for (const child of root.children) {
    if (typeof child === "string") {
      html += escaped(child);
      continue;
    }
    const attributes = Object.entries(child.attrs).map(
      ([name, value]) => ` ${name}="${escaped(String(value))}"`,
    );
    html += `<${child.name}${attributes.join("")}>`;
    if (!empty.has(child.name)) html += `${serializeHtml(child)}</${child.name}>`;
  }
  return html;
}
