/** Escapes are reversible, and what they leave as it is no preparation touches. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf, escapeNode, ghostUnits, unescapeGhost, unescapeNode } from "../../src/mapping/escapes.ts";
import { nodeprep } from "../support/nodeprep.ts";

const stands = (character: string) => escapeNode(character) === character;

// Planes 4 to 16 hold nothing but tags and private use.
const everyCharacter = Array.from({ length: 0x40000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

test("of ASCII, what XEP-0106 names, controls, capitals, the percent sign and the backslash are escaped", () => {
  assert.equal(
    everyCharacter.slice(0, 0x80).filter(stands).join(""),
    "!#$()*+,-.0123456789;=?[]^_`abcdefghijklmnopqrstuvwxyz{|}~",
  );
});

test("letters of left-to-right scripts and symbols stay readable", () => {
  for (const character of "éñøжλ中ひ한अ☃😀") assert.ok(stands(character), character);
});

test("tags, private use and unassigned characters are escaped", () => {
  for (const code of [0xe0001, 0xe0100, 0xf0000, 0x10fffd, 0x50000])
    assert.equal(stands(String.fromCodePoint(code)), false, code.toString(16));
});

test("a byte order mark survives the way there and back", () => {
  assert.equal(unescapeNode(escapeNode("\ufeffa")), "\ufeffa");
  assert.equal(unescapeGhost(ghostUnits("\ufeffa").join("")), "\ufeffa");
});

test("bytes that are no UTF-8 are refused", () => {
  assert.equal(unescapeNode("\\c3"), undefined);
  assert.equal(unescapeGhost("=ed=a0=80"), undefined);
});

test("both escapes lead back to every text, in three bytes for one at most", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(unescapeNode(escapeNode(text)), text);
      assert.equal(unescapeGhost(ghostUnits(text).join("")), text);
      for (const escaped of [escapeNode(text), ghostUnits(text).join("")])
        assert.ok(Buffer.byteLength(escaped) <= 3 * Buffer.byteLength(text));
    }),
  );
  assert.equal(bytesOf("é", "="), "=c3=a9");
});

test("nodeprep changes no character that stands as it is", () => {
  assert.deepEqual(
    everyCharacter.filter((character) => stands(character) && nodeprep(character) !== character),
    [],
  );
});

test("no character that stands as it is composes with one before it", () => {
  const composed = everyCharacter.filter(
    (character) => character.normalize("NFC") === character && character.normalize("NFD") !== character,
  );
  const second = composed.map((character) => Array.from(character.normalize("NFD")).at(-1) ?? "");
  assert.deepEqual([...new Set(second)].filter(stands), []);
});
