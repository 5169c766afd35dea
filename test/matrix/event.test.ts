import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { isObject, parseEvent, readString } from "../../src/matrix/event.ts";

const whole = {
  event_id: "$1",
  type: "m.room.message",
  room_id: "!r:hs.example",
  sender: "@juliet:hs.example",
  origin_server_ts: 5,
  content: { body: "hello" },
};

test("an event keeps the fields that the bridge uses, and no others", () => {
  const unsigned = { unsigned: { age: 1 }, user_id: "@juliet:hs.example" };
  assert.deepEqual(parseEvent({ ...whole, ...unsigned }), whole);
  assert.deepEqual(parseEvent({ ...whole, state_key: "" }), { ...whole, state_key: "" });
});

test("an event without a timestamp is one of 1970", () => {
  for (const time of ["now", -1, 0.5, 253_402_300_800_000, Number.MAX_SAFE_INTEGER]) {
    assert.deepEqual(parseEvent({ ...whole, origin_server_ts: time }), { ...whole, origin_server_ts: 0 });
  }
});

test("an event is refused if a field that all have is missing, empty or of another type", () => {
  for (const key of ["event_id", "type", "room_id", "sender", "content"]) {
    for (const value of [undefined, null, "", 1, [], true]) {
      assert.equal(parseEvent({ ...whole, [key]: value }), undefined, `${key}: ${JSON.stringify(value)}`);
    }
  }
  assert.equal(parseEvent({ ...whole, state_key: 1 }), undefined);
});

test("any JSON value is an event in full or refused, and nothing throws", () => {
  const fields = fc.record(
    Object.fromEntries(
      Object.entries(whole).map(([key, value]) => [key, fc.oneof(fc.constant(value), fc.jsonValue())]),
    ),
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fields), (value) => {
      const event = parseEvent(JSON.parse(JSON.stringify(value)));
      if (!event) return;
      const { event_id, type, room_id, sender, origin_server_ts, content } = event;
      for (const text of [event_id, type, room_id, sender])
        assert.ok(typeof text === "string" && text !== "");
      assert.equal(typeof origin_server_ts, "number");
      assert.ok(isObject(content));
    }),
  );
});

test("an inherited property is no field", () => {
  assert.equal(readString({}, "constructor"), undefined);
  assert.equal(readString(Object.create({ body: "x" }), "body"), undefined);
});

test("a field is read as a string or not at all", () => {
  assert.equal(readString({ body: "" }, "body"), "");
  assert.equal(readString({ body: 1 }, "body"), undefined);
  assert.equal(readString(JSON.parse('{"__proto__": "x"}'), "__proto__"), "x");
});

test("what a redaction takes away is in its content, wherever the room version puts it", () => {
  const event = { event_id: "$1", type: "m.room.redaction", room_id: "!r", sender: "@a:b", content: {} };
  assert.deepEqual(parseEvent({ ...event, redacts: "$0" })?.content, { redacts: "$0" });
  assert.deepEqual(parseEvent({ ...event, content: { redacts: "$0" } })?.content, { redacts: "$0" });
  assert.deepEqual(parseEvent({ ...event, redacts: 1 })?.content, {});
  assert.deepEqual(parseEvent({ ...event, type: "m.room.message", redacts: "$0" })?.content, {});
});
