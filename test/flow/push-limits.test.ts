import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { begin, device, heard, keyFor, notify, post, pusherIn, say } from "./push-scene.ts";

test("a key that is used too often has to wait, without a loss, and nobody else has to", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  const mercutio = prosody.user("mercutio");
  const keyOfMercutio = await keyFor(mercutio);
  const statuses: number[] = [];
  for (let n = 0; n < 61; n += 1) statuses.push((await notify(url, [key], { event_id: `$${n}` }))[0]);
  assert.deepEqual([statuses.slice(0, 60).every((status) => status === 200), statuses[60]], [true, 429]);
  const [status, answer] = await notify(url, [key, keyOfMercutio], { event_id: "$60" });
  assert.deepEqual(
    [status, answer.errcode, typeof answer.retry_after_ms],
    [429, "M_LIMIT_EXCEEDED", "number"],
  );
  assert.deepEqual([heard(romeo).length, heard(mercutio).length], [60, 1]);
  // What has been delivered is no new load.
  assert.deepEqual(await notify(url, [key], { event_id: "$0" }), [200, { rejected: [] }]);
});

test("an address gets no more than 120 notifications a minute, however many keys it has", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  const keys = [key];
  for (const name of ["mercutio", "tybalt"]) {
    const other = prosody.user(name);
    await say(other, "notify romeo@xmpp.test");
    const code = /notify confirm (\S+)/.exec(romeo.bodies().at(-1) ?? "")?.[1];
    keys.push(pusherIn(await say(other, `notify confirm ${code}`)).pushkey);
  }
  const before = romeo.bodies().length;
  for (let n = 0; n < 40; n += 1) assert.equal((await notify(url, keys, { event_id: `$${n}` }))[0], 200);
  assert.equal((await notify(url, [key], { event_id: "$40" }))[0], 429);
  assert.equal(romeo.bodies().length - before, 120);
});

test("guessing keys is slowed down, and known keys are not", async (t) => {
  const { url, key, romeo } = await begin(t);
  const guesses = Array.from({ length: 61 }, (_, n) => `guess ${n}`);
  assert.equal((await notify(url, guesses))[0], 429);
  assert.deepEqual(await notify(url, [key]), [200, { rejected: [] }]);
  assert.equal(heard(romeo).length, 1);
});

test("whoever may no longer use the bridge is rejected", async (t) => {
  const { key, romeo, bridge, start } = await begin(t);
  await bridge.stop();
  const again = await start({ config: { permissions: { "*": "user", "romeo@xmpp.test": "block" } } });
  assert.deepEqual(await notify(again.url, [key]), [200, { rejected: [key] }]);
  assert.deepEqual(heard(romeo), []);
});

test("a request that is none gets the standard error that says why", async (t) => {
  const { url, key } = await begin(t);
  const devices = [device(key)];
  const rows: [body: unknown, status: number, errcode: string | undefined][] = [
    ["", 400, "M_NOT_JSON"],
    ["{", 400, "M_NOT_JSON"],
    ["[]", 400, "M_BAD_JSON"],
    ["null", 400, "M_BAD_JSON"],
    [{}, 400, "M_MISSING_PARAM"],
    [{ notification: null }, 400, "M_MISSING_PARAM"],
    [{ notification: [] }, 400, "M_BAD_JSON"],
    [{ notification: {} }, 400, "M_MISSING_PARAM"],
    [{ notification: { devices: {} } }, 400, "M_BAD_JSON"],
    [{ notification: { devices: [7] } }, 400, "M_BAD_JSON"],
    [{ notification: { devices: [{ app_id: "a" }] } }, 400, "M_MISSING_PARAM"],
    [{ notification: { devices: [{ pushkey: key }] } }, 400, "M_MISSING_PARAM"],
    [{ notification: { devices: [{ app_id: "a", pushkey: 7 }] } }, 400, "M_BAD_JSON"],
    [{ notification: { devices, event_id: 7 } }, 400, "M_BAD_JSON"],
    [{ notification: { devices: [] } }, 200, undefined],
    [{ notification: { devices } }, 200, undefined],
    // The rest may come from any member of a room, and a refusal would hold up all that follows.
    [
      {
        notification: {
          devices,
          event_id: "$1",
          type: 7,
          sender: [],
          content: "x",
          counts: [],
          room_name: {},
        },
      },
      200,
      undefined,
    ],
    [
      { notification: { devices, counts: { unread: -1 }, prio: "higher", more: {} }, more: 1 },
      200,
      undefined,
    ],
    [`{"notification":{"devices":[],"pad":"${"x".repeat(257 * 1024)}"}}`, 413, "M_TOO_LARGE"],
  ];
  for (const [body, status, errcode] of rows) {
    const [actual, answer] = await post(url, body);
    assert.deepEqual([actual, answer.errcode], [status, errcode], JSON.stringify(body).slice(0, 100));
    assert.equal(typeof answer.error, status === 200 ? "undefined" : "string");
  }
  const at = async (method: string, path: string) => {
    const response = await fetch(`${url}/_matrix/push${path}`, { method });
    return [response.status, ((await response.json()) as { errcode?: string }).errcode];
  };
  assert.deepEqual(await at("GET", "/v1/notify"), [405, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("PUT", "/v1/notify"), [405, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("POST", "/v2/notify"), [404, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("POST", "/v1/notify/more"), [404, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("GET", ""), [404, "M_UNRECOGNIZED"]);
});

test("whatever JSON comes gets one of the declared answers", async (t) => {
  const { url, key } = await begin(t);
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(null));
  const devices = fc.oneof(
    value,
    fc.array(fc.record({ app_id: value, pushkey: fc.oneof(value, fc.constant(key)), tweaks: value }), {
      maxLength: 3,
    }),
  );
  const names = [
    "room_id",
    "type",
    "sender",
    "room_name",
    "user_is_target",
    "content",
    "counts",
    "__proto__",
  ];
  const notification = fc
    .tuple(fc.dictionary(fc.constantFrom(...names), value), devices, fc.oneof(value, fc.constant("$1")))
    .map(([fields, devices, event_id]) => ({ ...fields, devices, event_id }));
  const bodies = fc.oneof(value, fc.record({ notification: fc.oneof(value, notification) }));
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const [status, answer] = await post(url, body);
      if (status === 200) return assert.ok(Array.isArray(answer.rejected));
      assert.ok(status === 400 || status === 429, String(status));
      assert.deepEqual([typeof answer.errcode, typeof answer.error], ["string", "string"]);
    }),
    { numRuns: 200 },
  );
});
