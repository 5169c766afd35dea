import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { parseMatrixHtml, toMatrixHtml } from "../../../src/mapping/text/matrix-html.ts";
import { plainText } from "../../../src/mapping/text/plain-text.ts";
import { toStyling } from "../../../src/mapping/text/styling.ts";
import type { Tree } from "../../../src/mapping/text/tree.ts";
import { readXhtmlIm, toXhtmlIm } from "../../../src/mapping/text/xhtml-im.ts";
import type { UserId } from "../../../src/matrix/ids.ts";
import type { BareJid } from "../../../src/xmpp/jid.ts";
import { parseStanza, serialize, xml, xmlSafe } from "../../../src/xmpp/stanza.ts";
import { wildTexts } from "../../support/xml-text.ts";
import { wildHtml, wildTrees } from "./trees.ts";

/** Every tag that the bridge writes, with every attribute. */
const permitted =
  /^<(?:\/?(?:a|blockquote|br|code|del|details|em|h[1-6]|hr|li|ol|p|pre|span|strong|summary|table|tbody|td|th|thead|tr|u|ul)|a href="(?:https?:|ftp:|mailto:|magnet:)[^"<>]*"|ol start="-?\d+"|span data-mx-spoiler="[^"<>]*"|code class="language-[\w+#.-]+")>$/;

function assertPermitted(html: string): void {
  for (const [tag] of html.matchAll(/<[^>]*>?/g)) assert.match(tag, permitted);
  for (const [reference] of html.matchAll(/&[^;]{0,8};?/g)) assert.match(reference, /^&(?:amp|lt|gt|quot);$/);
}

suite("whatever comes in", () => {
  test("HTML is written with nothing but what Matrix permits, and is the same when it is read again", () => {
    fc.assert(
      fc.property(fc.oneof(wildHtml, fc.string({ unit: "binary" })), (html) => {
        const written = toMatrixHtml(parseMatrixHtml(html));
        assertPermitted(written);
        assert.equal(toMatrixHtml(parseMatrixHtml(written)), written);
      }),
      { numRuns: 1000 },
    );
  });

  test("a tree is written with nothing but what Matrix permits, and is the same when it is read again", () => {
    fc.assert(
      fc.property(wildTrees, (tree) => {
        const written = toMatrixHtml(tree);
        assertPermitted(written);
        assert.equal(toMatrixHtml(parseMatrixHtml(written)), written);
      }),
      { numRuns: 1000 },
    );
  });

  test("a tree as XHTML-IM is an element that a message can hold, and is the same when it is read again", () => {
    fc.assert(
      fc.property(wildTrees, (tree) => {
        const message = parseStanza(serialize(xml("message", {}, toXhtmlIm(tree))));
        const again = readXhtmlIm(message) ?? [];
        const written = serialize(toXhtmlIm(again));
        const third = readXhtmlIm(parseStanza(serialize(xml("message", {}, toXhtmlIm(again))))) ?? [];
        assert.equal(serialize(toXhtmlIm(third)), written);
      }),
      { numRuns: 500 },
    );
  });

  test("text is text", () => {
    fc.assert(
      fc.property(wildTexts, (text) => {
        const tree: Tree = [
          { kind: "paragraph", children: [{ kind: "strong", children: [{ kind: "text", text }] }] },
        ];
        const shown = plainText(parseMatrixHtml(toMatrixHtml(tree))).replace(/[\s\u00a0]+/g, "");
        assert.equal(shown, xmlSafe(text.replaceAll("\f", "")).replace(/[\s\u00a0]+/g, ""));
      }),
    );
  });
});

suite("addresses", () => {
  const contact: Tree = [
    {
      kind: "paragraph",
      children: [
        { kind: "contact", jid: "romeo@xmpp.example" as BareJid, label: "Romeo" },
        { kind: "text", text: " and " },
        { kind: "mention", id: "@juliet:hs.example" as UserId, label: "Juliet" },
      ],
    },
  ];

  test("someone of XMPP is mentioned on Matrix by their MXID there", () => {
    assert.equal(
      toMatrixHtml(contact, () => "@_xmpp_romeo=40xmpp.example:hs.example" as UserId),
      '<a href="https://matrix.to/#/@_xmpp_romeo%3D40xmpp.example:hs.example">Romeo</a> and ' +
        '<a href="https://matrix.to/#/@juliet:hs.example">Juliet</a>',
    );
  });

  test("someone of Matrix is mentioned in XHTML-IM by their JID", () => {
    assert.equal(
      serialize(toXhtmlIm(contact, () => "juliet%hs.example@bridge.xmpp.example" as BareJid)),
      '<html xmlns="http://jabber.org/protocol/xhtml-im"><body xmlns="http://www.w3.org/1999/xhtml">' +
        '<a href="xmpp:romeo@xmpp.example">Romeo</a> and ' +
        '<a href="xmpp:juliet%25hs.example@bridge.xmpp.example">Juliet</a></body></html>',
    );
  });

  const label = (href: string): unknown => parseMatrixHtml(`<a href="${href}">x</a>`)[0];
  const mention = (id: string): unknown => ({
    kind: "paragraph",
    children: [{ kind: "mention", id, label: "x" }],
  });
  const link = (href: string): unknown => ({
    kind: "paragraph",
    children: [{ kind: "link", href, children: [{ kind: "text", text: "x" }] }],
  });
  const rows: [href: string, read: unknown][] = [
    ["https://matrix.to/#/@a:hs.example", mention("@a:hs.example")],
    ["https://matrix.to/#/%40a%3Ahs.example?via=hs.example", mention("@a:hs.example")],
    ["https://matrix.to/#/#cafe:hs.example", mention("#cafe:hs.example")],
    ["https://matrix.to/#/!r:hs.example?via=hs.example", mention("!r:hs.example")],
    ["https://matrix.to/#/!r:hs.example/$1", link("https://matrix.to/#/!r:hs.example/$1")],
    ["https://matrix.to/#/nobody", link("https://matrix.to/#/nobody")],
    [
      "https://matrix.to.evil.example/#/@a:hs.example",
      link("https://matrix.to.evil.example/#/@a:hs.example"),
    ],
    ["matrix:u/a:hs.example?action=chat", mention("@a:hs.example")],
    ["matrix:r/cafe:hs.example", mention("#cafe:hs.example")],
    ["matrix:roomid/r:hs.example", mention("!r:hs.example")],
    [
      "xmpp:romeo@xmpp.example",
      { kind: "paragraph", children: [{ kind: "contact", jid: "romeo@xmpp.example", label: "x" }] },
    ],
    ["xmpp:garden@xmpp.example?join", link("xmpp:garden@xmpp.example?join")],
    ["HTTPS://xmpp.example", link("HTTPS://xmpp.example")],
    [" java\nscript:x()", { kind: "paragraph", children: [{ kind: "text", text: "x" }] }],
    ["//xmpp.example", { kind: "paragraph", children: [{ kind: "text", text: "x" }] }],
    ["https://xmpp.example/a b", link("https://xmpp.example/a%20b")],
  ];
  for (const [href, read] of rows)
    test(`a link to ${JSON.stringify(href)}`, () => assert.deepEqual(label(href), read));
});

suite("64 KiB of hostility ends, and grows no more than by a factor", () => {
  const hostile: Record<string, string> = {
    "open tags": "<b>",
    "open tags and other ends": "<b></i>",
    "spans with attributes in paragraphs": "<b a=1><i><p>x",
    "nested quotations": "<blockquote>",
    "nested lists": "<ul><li>",
    "nested tables": "<table><tr><td>",
    "nested headings": "<h1><b>",
    "nested spoilers": "<span data-mx-spoiler=a>",
    breaks: "<br>",
    lines: "x<br>",
    paragraphs: "<p>x",
    ampersands: "&",
    "open angles": "<",
    attributes: "<a b=c ",
    comments: "<!--",
    directives: "*_~`a ",
    fences: "```\n",
    quotations: ">",
    "quoted lines": "> > > > a\n",
    blanks: " ",
    "line ends": "\n",
  };
  for (const [name, piece] of Object.entries(hostile)) {
    test(name, () => {
      const text = piece.repeat(Math.ceil(65_536 / piece.length));
      const long = "x".repeat(30_000);
      const wide = [`<a href="https://${long}">`, `<span data-mx-spoiler="${long}">`];
      for (const start of [
        "",
        ...wide,
        "<blockquote>".repeat(90),
        "<ul><li>".repeat(45),
        "<b><i><u><s>".repeat(20),
      ]) {
        const tree = parseMatrixHtml(start + text);
        assert.ok(toMatrixHtml(tree).length < 40 * text.length);
        assert.ok(toStyling(tree).body.length < 40 * text.length);
        assert.ok(serialize(toXhtmlIm(tree)).length < 40 * text.length);
      }
    });
  }
});
