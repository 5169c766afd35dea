import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { levelOf } from "../../src/config/permissions.ts";

const permissions = {
  "*": "user",
  "capulet.example": "block",
  "@juliet:capulet.example": "admin",
  "Romeo@Montague.example": "admin",
  "garden@muc.montague.example/Mercutio": "block",
} as const;

test("the most specific entry wins: the address, its domain, everyone", () => {
  assert.equal(levelOf(permissions, "@juliet:capulet.example"), "admin");
  assert.equal(levelOf(permissions, "@tybalt:capulet.example"), "block");
  assert.equal(levelOf(permissions, "@mercutio:verona.example"), "user");
  assert.equal(levelOf(permissions, "nurse@capulet.example"), "block");
  assert.equal(levelOf(permissions, "capulet.example"), "block");
});

test("a resource does not matter unless it is named", () => {
  assert.equal(levelOf(permissions, "romeo@montague.example/phone"), "admin");
  assert.equal(levelOf(permissions, "garden@muc.montague.example/Mercutio"), "block");
  assert.equal(levelOf(permissions, "garden@muc.montague.example/mercutio"), "user");
});

test("case matters in the localpart of an MXID only", () => {
  assert.equal(levelOf(permissions, "@Juliet:capulet.example"), "block");
  assert.equal(levelOf(permissions, "@juliet:Capulet.example"), "admin");
  assert.equal(levelOf(permissions, "ROMEO@montague.example"), "admin");
});

test("a domain does not speak for its subdomains, nor for the same domain at another port", () => {
  assert.equal(levelOf(permissions, "nurse@house.capulet.example"), "user");
  assert.equal(levelOf(permissions, "@nurse:capulet.example:8448"), "user");
});

test("a list without everyone lets nobody else in, inherited property names included", () => {
  assert.equal(levelOf({ "montague.example": "user" }, "@juliet:capulet.example"), "block");
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom("constructor", "__proto__", "toString")), (address) => {
      assert.equal(levelOf({}, address), "block");
      assert.equal(levelOf({ "*": "user" }, address), "user");
    }),
  );
});
