import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  fallbackRanges,
  isAllFallback,
  withoutFallback,
  withoutRange,
  withPrefix,
} from "../../src/mapping/bodies.ts";
import { parseStanza, readText, serialize, xml, xmlSafe } from "../../src/xmpp/stanza.ts";
import { wildTexts } from "../support/xml-text.ts";

const feature = "urn:xmpp:reply:0";
const fallback = (ranges: readonly Record<string, unknown>[]) =>
  xml(
    "fallback",
    { xmlns: "urn:xmpp:fallback:0", for: feature },
    ...ranges.map((range) => xml("body", range)),
  );
const stanzaOf = (body: string, ...payloads: ReturnType<typeof xml>[]) =>
  xml("message", { type: "chat" }, xml("body", {}, body), ...payloads);
/** An element without text is written in two ways. */
const canonical = (stanza: ReturnType<typeof xml>): string => serialize(parseStanza(serialize(stanza)));
const reference = (begin: number, end: number) =>
  xml("reference", {
    xmlns: "urn:xmpp:reference:0",
    type: "mention",
    begin: String(begin),
    end: String(end),
  });

test("what is put ahead of a body and cut off again leaves the stanza as it was, offsets included", () => {
  fc.assert(
    fc.property(wildTexts, wildTexts, fc.nat(50), fc.nat(50), (words, prefix, begin, length) => {
      const [body, ahead] = [xmlSafe(words), xmlSafe(prefix)];
      const stanza = stanzaOf(body, reference(begin, begin + length));
      const before = canonical(stanza);
      const longer = withPrefix(stanza, ahead);
      assert.equal(readText(longer, "body"), ahead + body);
      assert.equal(canonical(stanza), before);
      assert.equal(canonical(withoutRange(longer, { start: 0, end: [...ahead].length })), before);
    }),
  );
});

test("what is cut out of a body takes the offsets in it along", () => {
  const stanza = stanzaOf("0🌹23456789", reference(0, 2), reference(2, 6), reference(4, 5), reference(8, 10));
  assert.equal(
    serialize(withoutRange(stanza, { start: 3, end: 7 })),
    serialize(stanzaOf("0🌹2789", reference(0, 2), reference(2, 3), reference(3, 3), reference(4, 6))),
  );
});

test("only the body that is shown is changed, and the same words in XHTML go", () => {
  const other = xml("body", { "xml:lang": "it" }, "Ahimè");
  const html = xml("html", { xmlns: "http://jabber.org/protocol/xhtml-im" }, "Ay me");
  const stanza = xml("message", {}, other, xml("body", {}, "Ay me"), html);
  assert.equal(
    serialize(withPrefix(stanza, "Edit: ")),
    '<message><body xml:lang="it">Ahimè</body><body>Edit: Ay me</body></message>',
  );
  assert.equal(serialize(withPrefix(xml("message", {}), "Edit: ")), "<message/>");
});

test("any ranges leave a text of the body's characters in their order, or all of it", () => {
  const numbers = fc.oneof(fc.integer({ min: -5, max: 40 }), fc.constantFrom("", "x", "1e9", "NaN", "3.5"));
  const ranges = fc.array(fc.record({ start: numbers, end: numbers }, { requiredKeys: [] }), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(wildTexts, ranges, (words, list) => {
      const body = xmlSafe(words);
      const texts = list.map((range) =>
        Object.fromEntries(Object.entries(range).map(([key, value]) => [key, String(value)])),
      );
      const stanza = parseStanza(serialize(stanzaOf(body, fallback(texts))));
      const left = readText(withoutFallback(stanza, feature), "body") ?? "";
      const kept = [...body].map(() => true);
      for (const { start, end } of fallbackRanges(stanza, feature)) kept.fill(false, start, end);
      const expected = [...body].filter((_, index) => kept[index]).join("");
      assert.equal(left, expected.trim() === "" ? body : expected);
    }),
  );
});

test("a fallback without a range is of the whole body, and one of another feature of nothing", () => {
  const whole = xml("fallback", { xmlns: "urn:xmpp:fallback:0", for: feature });
  assert.equal(isAllFallback(stanzaOf("words", whole), feature), true);
  assert.equal(isAllFallback(stanzaOf("words", fallback([{}])), feature), true);
  assert.equal(isAllFallback(stanzaOf("words", fallback([{ start: "0", end: "3" }])), feature), false);
  assert.equal(isAllFallback(stanzaOf("words", whole), "urn:xmpp:reactions:0"), false);
  assert.equal(isAllFallback(stanzaOf("words"), feature), false);
  const subject = xml("fallback", { xmlns: "urn:xmpp:fallback:0", for: feature }, xml("subject"));
  assert.equal(isAllFallback(stanzaOf("words", subject), feature), false);
});
