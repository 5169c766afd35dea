import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { isDeeperText, isDeeperThan } from "../../src/matrix/json.ts";

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

test("a value and its text are deeper than every number below their depth, and than no other", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(8), (value, levels) => {
      const expected = depthOf(value) > levels;
      assert.equal(isDeeperThan(levels, value), expected);
      assert.equal(isDeeperText(levels, Buffer.from(JSON.stringify(value))), expected);
    }),
  );
});

test("brackets in strings, escaped quotes included, are not depth", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("[", "{", '"', "\\", "]", "é")), (parts) => {
      assert.equal(isDeeperText(1, Buffer.from(JSON.stringify([parts.join("")]))), false);
    }),
  );
});

test("bytes that are no JSON are looked at without harm", () => {
  fc.assert(fc.property(fc.uint8Array(), fc.nat(3), (bytes, levels) => void isDeeperText(levels, bytes)));
});

test("a hundred thousand levels are found to be too many", () => {
  let value: unknown = [];
  for (let depth = 0; depth < 100_000; depth += 1) value = [value];
  assert.equal(isDeeperThan(128, value), true);
  assert.equal(isDeeperText(128, Buffer.from("[".repeat(100_000))), true);
});
