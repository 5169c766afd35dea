import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseEphemeral } from "../../src/matrix/ephemeral.ts";
import type { UserId } from "../../src/matrix/ids.ts";
import { readSpec } from "../support/openapi.ts";

const room = "!garden:hs.example";
const isOurs = (userId: UserId): boolean => userId.startsWith("@_xmpp_");
const parse = (...ephemeral: unknown[]) => parseEphemeral({ ephemeral }, isOurs);

const typing = (...ids: unknown[]) => ({ type: "m.typing", room_id: room, content: { user_ids: ids } });
const receipts = (content: unknown) => ({ type: "m.receipt", room_id: room, content });
const juliet = "@juliet:hs.example";
const ghost = "@_xmpp_romeo=40xmpp.example:hs.example";

test("typing names who is typing, ghosts left out, and nobody where they have stopped", () => {
  const of = (...userIds: string[]) => [{ kind: "typing", roomId: room, userIds }];
  assert.deepEqual(parse(typing(juliet)), of(juliet));
  assert.deepEqual(parse(typing(juliet, ghost)), of(juliet));
  assert.deepEqual(parse(typing()), of());
  assert.deepEqual(parse(typing(7, "juliet", null, juliet)), of(juliet));
});

test("receipts are one each for reader and event, with their thread", () => {
  const content = {
    $1: { "m.read": { [juliet]: { ts: 1 }, "@nurse:hs.example": { ts: 2, thread_id: "main" } } },
    $2: { "m.read": { [juliet]: { ts: 3 } } },
  };
  const base = { kind: "receipt", roomId: room };
  assert.deepEqual(parse(receipts(content)), [
    { ...base, eventId: "$1", userId: juliet },
    { ...base, eventId: "$1", userId: "@nurse:hs.example", threadId: "main" },
    { ...base, eventId: "$2", userId: juliet },
  ]);
});

test("private receipts and those of ghosts are dropped", () => {
  const content = {
    $1: {
      "m.read.private": { [juliet]: { ts: 1 } },
      "m.read": { [ghost]: { ts: 2 } },
      "m.fully_read": { [juliet]: { ts: 3 } },
    },
  };
  assert.deepEqual(parse(receipts(content)), []);
});

test("presence is of the sender, and of nobody who is a ghost", () => {
  const presence = (sender: string, content: unknown) => ({ type: "m.presence", sender, content });
  assert.deepEqual(parse(presence(juliet, { presence: "online", status_msg: "on the balcony" })), [
    { kind: "presence", userId: juliet, presence: "online", status: "on the balcony" },
  ]);
  assert.deepEqual(parse(presence(juliet, { presence: "unavailable", last_active_ago: 5 })), [
    { kind: "presence", userId: juliet, presence: "unavailable", lastActiveAgo: 5 },
  ]);
  for (const last_active_ago of [-1, 0.5, "5", null, 1e300]) {
    assert.deepEqual(parse(presence(juliet, { presence: "online", last_active_ago })), [
      { kind: "presence", userId: juliet, presence: "online" },
    ]);
  }
  assert.deepEqual(parse(presence(ghost, { presence: "online" })), []);
  assert.deepEqual(parse(presence(juliet, { presence: "asleep" })), []);
});

test("the specification's own examples are read", () => {
  const exampleOf = (name: string) => readSpec(`event-schemas/examples/${name}.yaml`);
  const [receipt, presence] = [exampleOf("m.receipt"), exampleOf("m.presence")];
  const eventId = "$1435641916114394fHBLK:matrix.org";
  assert.deepEqual(parse({ ...receipt, room_id: room }, presence), [
    { kind: "receipt", roomId: room, eventId, userId: "@erikj:jki.re" },
    {
      kind: "presence",
      userId: "@example:localhost",
      presence: "online",
      status: "Making cupcakes",
      lastActiveAgo: 2478593,
    },
  ]);
});

test("what comes under both names counts once, and a change back and forth stays one", () => {
  const both = (stable: unknown[], early: unknown[]) =>
    parseEphemeral({ ephemeral: stable, "de.sorunome.msc2409.ephemeral": early }, isOurs);
  const list = [typing(juliet), typing(), typing(juliet)];
  assert.deepEqual(both(list, list), parse(...list));
  assert.deepEqual(both([], list), parse(...list));
  assert.deepEqual(both([typing()], [typing(), typing(juliet)]), parse(typing(), typing(juliet)));
});

test("what is malformed or of another kind is left out, and the rest stays", () => {
  const wrong = [
    null,
    7,
    [],
    {},
    { type: "m.typing", content: { user_ids: [juliet] } },
    { type: "m.typing", room_id: "garden", content: { user_ids: [juliet] } },
    { type: "m.typing", room_id: room, content: { user_ids: juliet } },
    { type: "m.typing", room_id: room },
    receipts({ $1: null, $2: { "m.read": [] }, $3: { "m.read": { [juliet]: null, x: { ts: 1 } } }, x: {} }),
    { type: "m.presence", content: { presence: "online" } },
    { type: "m.call", room_id: room, content: {} },
  ];
  assert.deepEqual(parse(...wrong, typing(juliet)), parse(typing(juliet)));
  for (const value of [undefined, null, {}, "", 1]) {
    assert.deepEqual(parseEphemeral({ ephemeral: value }, isOurs), []);
  }
});

test("any JSON value is read without a throw, and holds nobody of ours", () => {
  const ids = fc.constantFrom(juliet, ghost, "@x:y", "", "$1", room);
  const contents = fc.oneof(
    fc.jsonValue(),
    fc.record({ user_ids: fc.oneof(fc.array(fc.oneof(ids, fc.jsonValue())), fc.jsonValue()) }),
    fc.dictionary(
      ids,
      fc.dictionary(fc.constantFrom("m.read", "m.read.private"), fc.dictionary(ids, fc.jsonValue())),
    ),
    fc.record({ presence: fc.constantFrom("online", "offline", "x"), user_id: ids }),
  );
  const entries = fc.record(
    {
      type: fc.constantFrom("m.typing", "m.receipt", "m.presence", "x"),
      room_id: fc.oneof(ids, fc.jsonValue()),
      sender: fc.oneof(ids, fc.jsonValue()),
      content: contents,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(entries, fc.jsonValue())), fc.jsonValue(), (ephemeral, other) => {
      const body = {
        ephemeral,
        "de.sorunome.msc2409.ephemeral": other,
        "de.sorunome.msc2409.to_device": other,
      };
      for (const item of parseEphemeral(JSON.parse(JSON.stringify(body)), isOurs)) {
        const people = item.kind === "typing" ? item.userIds : [item.userId];
        assert.ok(!people.some(isOurs));
      }
    }),
  );
});
