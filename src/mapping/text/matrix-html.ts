/** Matrix HTML: `formatted_body` in the format org.matrix.custom.html (Client-Server API v1.15, "m.room.message msgtypes") <-> a text tree. */
import type { Content } from "../../matrix/event.ts";
import type { UserId } from "../../matrix/ids.ts";
import type { BareJid } from "../../xmpp/jid.ts";
import { type Element, xml } from "../../xmpp/stanza.ts";
import { readElements } from "./element-reader.ts";
import { type Dialect, writeElements } from "./element-writer.ts";
import { parseHtml, serializeHtml } from "./html.ts";
import { matrixSchemes, matrixToLink } from "./links.ts";
import { plainText } from "./plain-text.ts";
import { isPlain, type Span, type Tree } from "./tree.ts";

/** The MXID that an XMPP address has on Matrix. */
export type MxidOf = (jid: BareJid) => UserId | undefined;

/** Never fails: what is no HTML is text. */
export const parseMatrixHtml = (html: string): Tree => readElements(parseHtml(html));

const names: Record<Exclude<Span["kind"], "link" | "spoiler">, string> = {
  strong: "strong",
  emphasis: "em",
  strike: "del",
  underline: "u",
};

const matrix = (mxidOf: MxidOf): Dialect => ({
  mayLink: (href) => URL.canParse(href) && matrixSchemes.has(new URL(href).protocol),
  span(span) {
    if (span.kind === "spoiler") return xml("span", { "data-mx-spoiler": span.reason });
    return span.kind === "link" ? xml("a", { href: span.href }) : xml(names[span.kind]);
  },
  mention(mention) {
    const id = mention.kind === "mention" ? mention.id : mxidOf(mention.jid);
    return id && xml("a", { href: matrixToLink(id) });
  },
  codeBlock({ text, language }) {
    const attributes = language === undefined ? {} : { class: `language-${language}` };
    return xml("pre", {}, xml("code", attributes, `${text.replace(/\r\n?/g, "\n")}\n`));
  },
  block(block, write) {
    if (block.kind === "rule") return xml("hr");
    if (block.kind === "details") {
      const summary = write.inlines(xml("summary"), block.summary);
      const details = write.blocks(xml("details", {}, summary), block.blocks);
      return summary.children.length === 0 && details.children.length === 1 ? [] : details;
    }
    if (!block.header && block.rows.length === 0) return [];
    const row = (name: string, cells: (typeof block.rows)[number]): Element => {
      const element = xml("tr");
      for (const cell of cells) element.cnode(write.inlines(xml(name), cell));
      return element;
    };
    const body = xml("tbody");
    for (const cells of block.rows) body.cnode(row("td", cells));
    return xml("table", {}, ...(block.header ? [xml("thead", {}, row("th", block.header))] : []), body);
  },
});

/** HTML of allowed tags, attributes and schemes only. */
export const toMatrixHtml = (tree: Tree, mxidOf: MxidOf = () => undefined): string =>
  serializeHtml(writeElements(tree, matrix(mxidOf), xml("html")));

/** The fields of a message's content that hold its text; HTML only where plain text does not say it all. */
export function toTextContent(tree: Tree, body = plainText(tree), mxidOf?: MxidOf): Content {
  if (isPlain(tree)) return { body };
  return { body, format: "org.matrix.custom.html", formatted_body: toMatrixHtml(tree, mxidOf) };
}
