import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { readBasic, readBearer, sameSecret } from "../../src/http/credentials.ts";

const words = fc.string({ unit: "grapheme" });

test("two secrets are the same if they are equal, whatever their lengths", () => {
  fc.assert(fc.property(words, words, (a, b) => assert.equal(sameSecret(a, b), a === b)));
  fc.assert(fc.property(words, (a) => assert.ok(sameSecret(a, a) && !sameSecret(a, `${a}x`))));
});

test("Basic credentials come back as they were, in any script", () => {
  fc.assert(
    fc.property(words, words, (user, password) => {
      const encoded = Buffer.from(`${user}:${password}`).toString("base64");
      assert.equal(readBasic(`Basic ${encoded}`), `${user}:${password}`);
      assert.equal(readBasic(`basic  ${encoded}`), `${user}:${password}`);
    }),
  );
});

test("no header or one of another kind holds no credentials", () => {
  for (const header of [
    undefined,
    "",
    "Basic",
    "Basic ",
    "Basic a b",
    "Basic *",
    "Bearer abc",
    "xBasic YTpi",
  ]) {
    assert.equal(readBasic(header), undefined);
  }
  for (const header of [undefined, "", "Bearer", "Bearer ", "Bearer a b", "Basic YTpi", "xBearer a"]) {
    assert.equal(readBearer(header), undefined);
  }
});

test("a bearer token is what follows the scheme, whose case does not matter", () => {
  assert.equal(readBearer("Bearer to.k-e~n/+="), "to.k-e~n/+=");
  assert.equal(readBearer("bEARER  x"), "x");
});
