import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  applyBlocks,
  canonicalList,
  isServiceAllowed,
  isShutOut,
  levelOf,
  mayOpen,
} from "../../src/config/permissions.ts";

const permissions = canonicalList({
  "*": "user",
  "capulet.example": "block",
  "@juliet:capulet.example": "admin",
  "Romeo@Montague.example": "admin",
  "garden@muc.montague.example/Mercutio": "block",
});

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

test("of two entries for one address the first counts", () => {
  const twice = canonicalList({ "Montague.example": "admin", "montague.example": "block" });
  assert.deepEqual(twice, { "montague.example": "admin" });
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

test("of those in a linked XMPP room only they are shut out whom an entry of their own blocks", () => {
  const listed = { "capulet.example": "user", "tybalt@montague.example": "block", "*": "block" } as const;
  assert.equal(isShutOut(listed, "garden@muc.verona.example/Mercutio"), false);
  assert.equal(isShutOut(listed, "mercutio@verona.example"), false);
  assert.equal(isShutOut(listed, "tybalt@montague.example/phone"), true);
  assert.equal(isShutOut({ "muc.verona.example": "block" }, "garden@muc.verona.example/Mercutio"), true);
});

test("rooms are opened by those of the level that their kind takes, and by nobody where it says so", () => {
  const access = { portal: "user", link: "admin", gateway: "nobody" } as const;
  const may = (kind: keyof typeof access) =>
    (["block", "user", "admin"] as const).map((level) => mayOpen({ access }, level, kind));
  assert.deepEqual(may("portal"), [false, true, true]);
  assert.deepEqual(may("link"), [false, false, true]);
  assert.deepEqual(may("gateway"), [false, false, false]);
});

test("a service is allowed by name, by what it stands below or by *, and denied where both lists hold it", () => {
  const lists = { allow: ["conference.montague.example", "*.verona.example"], deny: ["bad.verona.example"] };
  assert.equal(isServiceAllowed(lists, "Conference.montague.example"), true);
  assert.equal(isServiceAllowed(lists, "montague.example"), false);
  assert.equal(isServiceAllowed(lists, "muc.verona.example"), true);
  assert.equal(isServiceAllowed(lists, "verona.example"), false);
  assert.equal(isServiceAllowed(lists, "notverona.example"), false);
  assert.equal(isServiceAllowed(lists, "bad.verona.example"), false);
  assert.equal(isServiceAllowed({ allow: ["*"], deny: ["*"] }, "muc.verona.example"), false);
});

test("who is blocked while the bridge runs is blocked at once, and unblocked is as configured", () => {
  const list = { ...permissions };
  applyBlocks(list, permissions, ["ROMEO@montague.example", "@nurse:hs.example", "verona.example"]);
  assert.equal(levelOf(list, "romeo@montague.example"), "block");
  assert.equal(levelOf(list, "@nurse:hs.example"), "block");
  assert.equal(levelOf(list, "@mercutio:verona.example"), "block");
  assert.equal(levelOf(list, "@juliet:capulet.example"), "admin");
  applyBlocks(list, permissions, []);
  assert.deepEqual(list, permissions);
});

test("a block of a domain does not reach those who are configured by name", () => {
  const list = {};
  applyBlocks(list, permissions, ["montague.example"]);
  assert.equal(levelOf(list, "romeo@montague.example"), "admin");
  assert.equal(levelOf(list, "benvolio@montague.example"), "block");
});
