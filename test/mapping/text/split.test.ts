import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitBody } from "../../../src/mapping/text/split.ts";
import { byteLength } from "../../../src/matrix/ids.ts";

const bodies = fc
  .array(
    fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(" ", "\n", "\n\n", "\n```\n", "🌹".repeat(99))),
    {
      maxLength: 60,
    },
  )
  .map((parts) => parts.join("").toWellFormed());
const words = (text: string): string => text.replace(/```|[\s]+/g, "");

test("a body that fits is one part", () => {
  assert.deepEqual(splitBody("a b\n\nc", 200), ["a b\n\nc"]);
  assert.deepEqual(splitBody("", 200), [""]);
});

test("a body is parted after a paragraph, a line or a word", () => {
  const [a, b] = ["a".repeat(120), "b".repeat(120)];
  for (const gap of ["\n\n", "\n", " "]) assert.deepEqual(splitBody(a + gap + b, 200), [a, b]);
});

test("code that is parted is code in each part", () => {
  const line = "x".repeat(100);
  assert.deepEqual(splitBody(`\`\`\`js\n${line}\n${line}\n\`\`\`\nafter`, 200), [
    `\`\`\`js\n${line}\n\`\`\``,
    `\`\`\`js\n${line}\n\`\`\`\nafter`,
  ]);
});

test("no part is too long, and no word is lost or moved", () => {
  fc.assert(
    fc.property(bodies, fc.integer({ min: 200, max: 400 }), (body, most) => {
      const parts = splitBody(body, most);
      for (const part of parts) {
        assert.ok(byteLength(part) <= most);
        assert.ok(part.isWellFormed());
      }
      assert.equal(words(parts.join("")), words(body));
    }),
    { numRuns: 500 },
  );
});

test("a fence in a text that is not styled is text in each part", () => {
  const body = `\`\`\`\n${"a ".repeat(150)}`;
  assert.equal(splitBody(body, 200, false).join(" "), body);
});
