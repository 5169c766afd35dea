import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { PushSyntaxError, parsePush } from "../../src/matrix/push-gateway.ts";

const nothing = {
  eventId: undefined,
  roomId: undefined,
  type: undefined,
  sender: undefined,
  senderName: undefined,
  roomName: undefined,
  roomAlias: undefined,
  isTarget: false,
  content: {},
  unread: undefined,
};

suite("what homeservers send", () => {
  const rows: [title: string, notification: object, read: object][] = [
    [
      "a message as Synapse sends it",
      {
        id: "$1",
        event_id: "$1",
        room_id: "!r:hs.example",
        type: "m.room.message",
        sender: "@juliet:hs.example",
        prio: "high",
        content: { msgtype: "m.text", body: "Anon!" },
        room_name: "Garden",
        sender_display_name: "Juliet",
        membership: null,
        counts: { unread: 2 },
        devices: [{ app_id: "a", pushkey: "k", pushkey_ts: 1, data: {}, tweaks: { highlight: true } }],
      },
      {
        notification: {
          ...nothing,
          eventId: "$1",
          roomId: "!r:hs.example",
          type: "m.room.message",
          sender: "@juliet:hs.example",
          senderName: "Juliet",
          roomName: "Garden",
          content: { msgtype: "m.text", body: "Anon!" },
          unread: 2,
        },
        devices: [{ pushKey: "k", highlight: true }],
      },
    ],
    [
      "counts as Synapse sends them",
      { id: "", type: null, sender: "", counts: { unread: 0 }, devices: [{ app_id: "a", pushkey: "k" }] },
      { notification: { ...nothing, sender: "", unread: 0 }, devices: [{ pushKey: "k", highlight: false }] },
    ],
    [
      "an ID alone",
      {
        event_id: "$1",
        room_id: "!r:hs.example",
        counts: {},
        prio: "low",
        devices: [{ app_id: "a", pushkey: "k", tweaks: {} }],
      },
      {
        notification: { ...nothing, eventId: "$1", roomId: "!r:hs.example", unread: 0 },
        devices: [{ pushKey: "k", highlight: false }],
      },
    ],
    [
      "nulls as Dendrite sends them",
      {
        event_id: "$1",
        content: null,
        counts: null,
        user_is_target: true,
        devices: [{ app_id: "a", pushkey: "k", data: null, tweaks: null }],
      },
      {
        notification: { ...nothing, eventId: "$1", isTarget: true },
        devices: [{ pushKey: "k", highlight: false }],
      },
    ],
  ];
  for (const [title, notification, read] of rows) {
    test(`${title} is read`, () => assert.deepEqual(parsePush({ notification }), read));
  }

  test("any JSON is read or refused with an errcode", () => {
    const bodies = fc.oneof(
      fc.jsonValue(),
      fc.record({
        notification: fc.dictionary(
          fc.constantFrom("devices", "event_id", "counts", "content", "__proto__"),
          fc.oneof(fc.jsonValue(), fc.array(fc.record({ app_id: fc.jsonValue(), pushkey: fc.jsonValue() }))),
        ),
      }),
    );
    fc.assert(
      fc.property(bodies, (body) => {
        try {
          assert.ok(Array.isArray(parsePush(body).devices));
        } catch (error) {
          assert.ok(error instanceof PushSyntaxError);
          assert.match(error.errcode, /^M_(BAD_JSON|MISSING_PARAM)$/);
        }
      }),
    );
  });
});
