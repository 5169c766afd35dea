import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readMarkup } from "../../../src/mapping/text/markup.ts";
import { parseMatrixHtml, toMatrixHtml } from "../../../src/mapping/text/matrix-html.ts";
import { plainText } from "../../../src/mapping/text/plain-text.ts";
import { parseStanza, serialize, xml } from "../../../src/xmpp/stanza.ts";

const markup = (inside: string): string =>
  `<message><markup xmlns="urn:xmpp:markup:0">${inside}</markup></message>`;
const html = (body: string, inside: string): string =>
  toMatrixHtml(readMarkup(parseStanza(markup(inside)), body) ?? []);

test("a message without markup has none", () => {
  assert.equal(readMarkup(parseStanza("<message/>"), "a"), undefined);
});

test("quotations may be nested, and lose their marks", () => {
  const body =
    "> He said:\n>> Thou shalt not pass!\n> and raised his hand.\n\nIsn't this from some famous movie?";
  assert.equal(
    html(body, '<bquote start="0" end="57"/><bquote start="11" end="34"/>'),
    "<blockquote><p>He said:</p><blockquote>Thou shalt not pass!</blockquote><p>and raised his hand.</p></blockquote>" +
      "Isn't this from some famous movie?",
  );
});

test("an ordered list is numbered, and its items may be marked", () => {
  const list = '<list start="0" end="11" ordered="true"><li start="0"/><li start="5"/></list>';
  assert.equal(
    html("1. a\n2. b c", `${list}<span start="10" end="11"><strong/></span>`),
    "<ol><li>a</li><li>b <strong>c</strong></li></ol>",
  );
});

test("a span over lines is one in each of them", () => {
  assert.equal(
    html("ab\ncd", '<span start="1" end="4"><strong/></span>'),
    "a<strong>b</strong><br><strong>c</strong>d",
  );
});

test("ranges of any kind lose no word and forge nothing", () => {
  const numbers = fc.oneof(fc.nat(20).map(String), fc.constantFrom("-1", "x", "1e9", "", "99999999999"));
  const elements = fc.record({
    name: fc.constantFrom("span", "bcode", "bquote", "list", "future"),
    start: numbers,
    end: numbers,
    child: fc.constantFrom("strong", "code", "deleted", "li", "constructor"),
    item: numbers,
  });
  const bodies = fc.array(fc.constantFrom("a", "b", " ", "\n", "🌹", "<i>")).map((parts) => parts.join(""));
  fc.assert(
    fc.property(bodies, fc.array(elements, { maxLength: 8 }), (body, all) => {
      const inside = all.map(({ name, start, end, child, item }) =>
        serialize(xml(name, { start, end }, xml(child, { start: item }))),
      );
      const tree = readMarkup(parseStanza(markup(inside.join(""))), body) ?? [];
      const shown = plainText(parseMatrixHtml(toMatrixHtml(tree)));
      // Lists and quotations have marks of their own.
      const words = (text: string): string => text.replace(/[^ab🌹<i]/gu, "");
      assert.equal(words(shown), words(body));
    }),
    { numRuns: 1000 },
  );
});
