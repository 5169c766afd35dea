/** Arbitrary text trees and the hostile HTML that makes them. */
import fc from "fast-check";
import type { Block, Inline, Tree } from "../../../src/mapping/text/tree.ts";
import type { RoomAlias, UserId } from "../../../src/matrix/ids.ts";
import type { BareJid } from "../../../src/xmpp/jid.ts";
import { wildTexts } from "../../support/xml-text.ts";

const texts = fc.oneof(
  wildTexts,
  fc.constantFrom("a", "one two", " ", "  ", "*a*", "_", "~x~", "`", "```", "> q", "||"),
);

type Arbitraries = {
  inline: Inline;
  inlines: Inline[];
  block: Block;
  tree: Tree;
};

const { tree } = fc.letrec<Arbitraries>((tie) => ({
  inline: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    texts.map((text): Inline => ({ kind: "text", text })),
    fc.constant<Inline>({ kind: "break" }),
    texts.map((text): Inline => ({ kind: "code", text })),
    texts.map((label): Inline => ({ kind: "mention", id: "@juliet:hs.example" as UserId, label })),
    texts.map((label): Inline => ({ kind: "mention", id: "#a/b&c:hs.example" as RoomAlias, label })),
    texts.map((label): Inline => ({ kind: "contact", jid: "romeo@xmpp.example" as BareJid, label })),
    fc.record({
      kind: fc.constantFrom("strong", "emphasis", "strike", "underline"),
      children: tie("inlines"),
    }),
    fc.record({
      kind: fc.constant("link"),
      href: fc.constantFrom("https://xmpp.example/?a=1&b=2", "mailto:a@b.example", "xmpp:a@b.example?join"),
      children: tie("inlines"),
    }),
    fc.record({ kind: fc.constant("spoiler"), reason: texts, children: tie("inlines") }),
  ),
  inlines: fc.array(tie("inline"), { maxLength: 4 }),
  block: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({ kind: fc.constant("paragraph"), children: tie("inlines") }),
    fc.record({
      kind: fc.constant("heading"),
      level: fc.integer({ min: 1, max: 6 }),
      children: tie("inlines"),
    }),
    fc.record(
      { kind: fc.constant("code"), text: texts, language: fc.constantFrom("js", "c++") },
      { requiredKeys: ["kind", "text"] },
    ),
    fc.constant<Block>({ kind: "rule" }),
    fc.record({ kind: fc.constant("quote"), blocks: tie("tree") }),
    fc.record(
      {
        kind: fc.constant("list"),
        start: fc.integer({ min: -5, max: 2000 }),
        items: fc.array(tie("tree"), { maxLength: 3 }),
      },
      { requiredKeys: ["kind", "items"] },
    ),
    fc.record(
      {
        kind: fc.constant("table"),
        header: fc.array(tie("inlines"), { minLength: 1, maxLength: 3 }),
        rows: fc.array(fc.array(tie("inlines"), { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
      },
      { requiredKeys: ["kind", "rows"] },
    ),
    fc.record({ kind: fc.constant("details"), summary: tie("inlines"), blocks: tie("tree") }),
  ),
  tree: fc.array(tie("block"), { maxLength: 4 }),
}));

export const wildTrees = tree;

const names =
  "a b blockquote br caption code del details div em font h1 h6 hr i img li mx-reply ol p pre script span strong style sub summary svg table tbody td textarea th thead title tr u ul xyz";

const pieces = fc.oneof(
  fc.constantFrom(...names.split(" ").map((name) => `<${name}>`)),
  fc.constantFrom(...names.split(" ").map((name) => `</${name}>`)),
  fc.constantFrom(
    "<a href='https://xmpp.example/'>",
    "<a href='javascript:alert(1)' onclick=x>",
    "<a href=' https://a.example/ \"<b>'>",
    "<a href='https://matrix.to/#/@romeo:hs.example'>",
    "<span data-mx-spoiler='why\"<'>",
    "<img src=x onerror=alert(1) alt='<b>'>",
    "<code class='language-js x'>",
    "<ol start=-3>",
    "<ol start=1e99>",
    "<!-- a -->",
    "<!-",
    "<![CDATA[x]]>",
    "&lt;script&gt;",
    "&nbsp;",
    "&#0;",
    "<b",
    "'\">",
    " \n\t ",
  ),
  wildTexts,
);

/** Half-valid, forged and torn. */
export const wildHtml = fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join(""));
