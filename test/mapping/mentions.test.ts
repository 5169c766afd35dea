import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { callsByName, mayCallByName, namesCalled } from "../../src/mapping/mentions.ts";

test("a name calls somebody at the start, with a colon or comma and a blank behind it", () => {
  for (const body of ["Juliet: hist!", "Juliet, hist!", "Juliet:\nhist!"])
    assert.ok(callsByName(body, "Juliet"));
  for (const body of [
    "Juliet",
    "Juliet:hist",
    "juliet: hist",
    "O Juliet: hist",
    "Julietta: hist",
    ": hist",
  ]) {
    assert.equal(callsByName(body, "Juliet"), false);
    assert.equal(callsByName(body, ""), false);
  }
});

test("whoever is called by a name without signs in it may be looked for", () => {
  const name = fc.stringMatching(/^[^\n:,]{1,100}$/u);
  fc.assert(
    fc.property(name, fc.constantFrom(": ", ", ", ":\n"), fc.string(), (called, sign, rest) => {
      const body = called + sign + rest;
      assert.equal(callsByName(body, called), true);
      assert.equal(mayCallByName(body) || [...called].length < called.length, true);
    }),
  );
});

test("the beginning of a line may be several names, and the longest is tried first", () => {
  assert.deepEqual(namesCalled("Juliet: speak again"), ["Juliet"]);
  assert.deepEqual(namesCalled("Capulet, Juliet: speak, bright angel"), [
    "Capulet",
    "Capulet, Juliet",
    "Capulet, Juliet: speak",
  ]);
  for (const none of ["", ": O", "10:30", "O Romeo\nJuliet: speak"]) assert.deepEqual(namesCalled(none), []);
});
