import assert from "node:assert/strict";
import { test } from "node:test";
import { createFloods } from "../../src/gateway/floods.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";

const minute = 60_000;
const guest = {
  roomId: "!cafe:hs.test" as RoomId,
  ghost: "@_xmpp_romeo=40xmpp.test:hs.test" as UserId,
};

/** How many of as many attempts are too much. */
async function tooMany(count: number, attemptAt: (index: number) => object): Promise<number> {
  const isFlood = createFloods(() => 60 * minute);
  let found = 0;
  for (let index = 0; index < count; index += 1) {
    if (await isFlood(guest, { cause: `c${index}`, mayRepeat: false, ...attemptAt(index) })) found += 1;
  }
  return found;
}

test("what was written slowly and has waited through an outage is not refused as a flood", async () => {
  assert.equal(await tooMany(200, (index) => ({ acceptedAt: index * 1000 })), 0);
});

test("what is tried again is not counted again", async () => {
  assert.equal(await tooMany(200, () => ({ mayRepeat: true })), 0);
});

test("who writes more than sixty times within half a minute writes too fast, whenever that is dealt with", async () => {
  assert.equal(await tooMany(100, () => ({})), 40);
  assert.equal(await tooMany(100, (index) => ({ acceptedAt: index })), 40);
});
