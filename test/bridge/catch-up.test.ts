import assert from "node:assert/strict";
import test from "node:test";
import { createCatchUp } from "../../src/bridge/catch-up.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { createLogLines } from "../support/log-lines.ts";

const rooms = ["!r:hs.test" as RoomId];

function setUp(t: test.TestContext) {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  const { log } = createLogLines();
  const catchUp = createCatchUp({ ...store, newId: () => "1", now: () => 0, onStored: () => undefined, log });
  t.after(async () => {
    catchUp.stop();
    await store.close();
  });
  return { catchUp, isUnsure: (): boolean => catchUp.takeUnsure(rooms).size > 0 };
}

test("a room is compared once after a sign of loss, and again after the next", (t) => {
  const { catchUp, isUnsure } = setUp(t);
  catchUp.suspect();
  assert.deepEqual([isUnsure(), isUnsure()], [true, false]);
  catchUp.suspect();
  assert.equal(isUnsure(), true);
});

test("after many new connections an outage is still followed by a comparison at once, and not half a minute later", (t) => {
  const { catchUp, isUnsure } = setUp(t);
  for (let n = 0; n < 6; n += 1) catchUp.suspect();
  assert.equal(isUnsure(), true);
  catchUp.suspect();
  assert.equal(isUnsure(), false);
  catchUp.suspect(true);
  assert.equal(isUnsure(), true);
});
