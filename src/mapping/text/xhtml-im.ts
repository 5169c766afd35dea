/** XHTML-IM (XEP-0071 1.5.4) <-> a text tree. */
import type { Jid } from "../../xmpp/jid.ts";
import { NS } from "../../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../../xmpp/stanza.ts";
import { readElements } from "./element-reader.ts";
import { type Dialect, rowsAsParagraph, writeElements } from "./element-writer.ts";
import type { Mentionable, Span, Tree } from "./tree.ts";

/** The text of a message that has an XHTML body; undefined where it has none, or one that says nothing. */
export function readXhtmlIm(stanza: Element): Tree | undefined {
  const html = readChild(stanza, NS.xhtmlIm, "html");
  const bodies = html?.getChildElements().filter((child) => child.getName() === "body") ?? [];
  const body = bodies.find(({ attrs }) => attrs["xml:lang"] === undefined) ?? bodies[0];
  const tree = body ? readElements(body) : [];
  return tree.length > 0 ? tree : undefined;
}

const styled = (style: string): Element => xml("span", { style });

const spans: Record<Exclude<Span["kind"], "link" | "spoiler">, () => Element> = {
  strong: () => xml("strong"),
  emphasis: () => xml("em"),
  strike: () => styled("text-decoration: line-through"),
  underline: () => styled("text-decoration: underline"),
};

const xhtml = (jidOf: (id: Mentionable) => Jid | undefined): Dialect => ({
  mayLink: () => true,
  span(span) {
    if (span.kind === "link") return xml("a", { href: span.href });
    if (span.kind === "spoiler")
      return xml("span", {}, span.reason ? `[spoiler: ${span.reason}] ` : "[spoiler] ");
    return spans[span.kind]();
  },
  mention(mention) {
    const jid = mention.kind === "contact" ? mention.jid : jidOf(mention.id);
    return (
      jid && xml("a", { href: `xmpp:${encodeURI(jid.toWellFormed()).replace(/[?#]/g, encodeURIComponent)}` })
    );
  },
  codeBlock: ({ text }) => xml("pre", {}, text),
  block(block) {
    if (block.kind === "rule") return xml("p", {}, "---");
    if (block.kind === "table") return [rowsAsParagraph(block)];
    return [{ kind: "paragraph", children: [{ kind: "strong", children: block.summary }] }, ...block.blocks];
  },
});

/** The element that goes into a message besides its body. */
export function toXhtmlIm(
  tree: Tree,
  jidOf: (id: Mentionable) => Jid | undefined = () => undefined,
): Element {
  const body = xml("body", { xmlns: "http://www.w3.org/1999/xhtml" });
  return xml("html", { xmlns: NS.xhtmlIm }, writeElements(tree, xhtml(jidOf), body));
}
