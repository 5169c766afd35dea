/** Identifiers of Matrix: what counts as one and how it comes apart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  domainOf,
  isServerName,
  localpartOf,
  parseEventId,
  parseRoomAlias,
  parseRoomId,
  parseUserId,
} from "../../src/matrix/ids.ts";

test("a user ID comes apart at its first colon", () => {
  for (const [text, localpart, domain] of [
    ["@juliet:capulet.example", "juliet", "capulet.example"],
    ["@juliet:capulet.example:8448", "juliet", "capulet.example:8448"],
    ["@juliet:[2001:db8::1]:8448", "juliet", "[2001:db8::1]:8448"],
    ["@Juliet Capulet/♥:CAPULET.example", "Juliet Capulet/♥", "CAPULET.example"],
    ["@:capulet.example", "", "capulet.example"],
  ] as const) {
    const userId = parseUserId(text);
    assert.ok(userId !== undefined, text);
    assert.deepEqual([localpartOf(userId), domainOf(userId)], [localpart, domain]);
  }
});

test("what no homeserver may call a user is no user ID", () => {
  for (const text of [
    "",
    "@",
    "@juliet",
    "@juliet:",
    "juliet:capulet.example",
    "#juliet:capulet.example",
    "@juliet:capulet.example:port",
    "@juliet:capulet.example:123456",
    "@juliet:capulet example",
    "@juliet:capulet.example/",
    "@juliet:2001:db8::1",
    "@juliet:[capulet]",
    "@ju\0liet:capulet.example",
    "@ju\ud800liet:capulet.example",
    "@juliet:capulet.example\n",
  ])
    assert.equal(parseUserId(text), undefined, JSON.stringify(text));
});

test("an identifier has 255 bytes at most, counted as UTF-8", () => {
  const domain = ":capulet.example";
  assert.ok(parseUserId(`@${"a".repeat(254 - domain.length)}${domain}`));
  assert.equal(parseUserId(`@${"a".repeat(255 - domain.length)}${domain}`), undefined);
  assert.ok(parseRoomAlias(`#${"é".repeat(119)}${domain}`));
  assert.equal(parseRoomAlias(`#${"é".repeat(120)}${domain}`), undefined);
  assert.equal(parseRoomId(`!${"a".repeat(255)}`), undefined);
  assert.equal(parseEventId(`$${"a".repeat(255)}`), undefined);
});

test("a room ID of room version 12 has no server and is complete", () => {
  const roomId = parseRoomId("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM");
  assert.ok(roomId);
  assert.equal(localpartOf(roomId), "31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM");
  assert.equal(domainOf(roomId), undefined);
});

test("a room ID with a colon names a server", () => {
  const roomId = parseRoomId("!orchard:capulet.example");
  assert.ok(roomId);
  assert.equal(domainOf(roomId), "capulet.example");
  for (const text of ["!", "!orchard:", "!orchard:a b", "#orchard:capulet.example"])
    assert.equal(parseRoomId(text), undefined, text);
});

test("an alias always names a server", () => {
  assert.ok(parseRoomAlias("#café & co:capulet.example"));
  for (const text of ["#", "#orchard", "#orchard:", "!orchard:capulet.example"])
    assert.equal(parseRoomAlias(text), undefined, text);
});

test("event IDs of every room version are accepted", () => {
  for (const text of ["$1:capulet.example", "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk", "$Rqnc-F_9"])
    assert.equal(parseEventId(text), text);
  for (const text of ["$", "", "event", "@juliet:capulet.example"])
    assert.equal(parseEventId(text), undefined);
});

test("server names follow the grammar of the appendices", () => {
  for (const name of ["matrix.org", "matrix.org:8888", "1.2.3.4", "[1234:5678::abcd]:5678", "LOCALHOST"])
    assert.ok(isServerName(name), name);
  for (const name of ["", ":8888", "a_b", "a:", "[]", "[g::]", "münchen.example"])
    assert.equal(isServerName(name), false, name);
});

test("any text at all is parsed to itself or refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.constantFrom("", "@", "!", "#", "$"), (text, sigil) => {
      const candidate = `${sigil}${text}:capulet.example`;
      for (const parse of [parseUserId, parseRoomId, parseRoomAlias, parseEventId]) {
        const id = parse(candidate);
        assert.ok(id === undefined || id === candidate);
      }
      const userId = parseUserId(candidate);
      if (userId) assert.equal(`@${localpartOf(userId)}:${domainOf(userId)}`, userId);
    }),
  );
});
