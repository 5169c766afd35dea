import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate } from "node:timers/promises";
import { createCatchUp } from "../../src/bridge/catch-up.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { createLogLines } from "../support/log-lines.ts";

const rooms = ["!r:hs.test" as RoomId];

function setUp(t: test.TestContext) {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  const { log } = createLogLines();
  let compared = 0;
  let doubts = 0;
  const away = { times: 0 };
  const recentRooms = async (): Promise<[]> => {
    if (away.times-- > 0) throw new Error("the database is away");
    compared += 1;
    return [];
  };
  const { lanes } = store;
  const transactions = { recentRooms };
  const onBegin = () => {
    doubts += 1;
  };
  const rest = { newId: () => "1", now: () => 0, onBegin, log };
  const catchUp = createCatchUp({ transactions, lanes, ...rest });
  t.after(async () => {
    catchUp.stop();
    await store.close();
  });
  return {
    catchUp,
    away,
    comparisons: () => compared,
    doubts: () => doubts,
    isUnsure: (): boolean => catchUp.takeUnsure(rooms).size > 0,
  };
}

test("a room is compared once after a sign of loss, and again after the next", (t) => {
  const { catchUp, isUnsure } = setUp(t);
  catchUp.suspect();
  assert.deepEqual([isUnsure(), isUnsure()], [true, false]);
  catchUp.suspect();
  assert.equal(isUnsure(), true);
});

test("after many new connections a room with a new event is still compared first, and all rooms only after an outage", async (t) => {
  const { catchUp, isUnsure, comparisons } = setUp(t);
  for (let n = 0; n < 7; n += 1) {
    catchUp.suspect();
    assert.equal(isUnsure(), true);
  }
  assert.equal(comparisons(), 6);
  catchUp.suspect(true);
  assert.equal(comparisons(), 7);
});

test("behind a proxy that opens a connection for each transaction, not each of them has all rooms read anew", (t) => {
  const { catchUp, doubts } = setUp(t);
  for (let n = 0; n < 100; n += 1) catchUp.suspect();
  assert.equal(doubts(), 6);
  catchUp.suspect(true);
  assert.equal(doubts(), 7);
});

test("while the database is away nothing is compared, and all is when it is back", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { catchUp, away, comparisons } = setUp(t);
  away.times = 2;
  catchUp.suspect(true);
  for (const expected of [0, 0, 1, 1]) {
    await setImmediate();
    assert.equal(comparisons(), expected);
    t.mock.timers.tick(5000);
  }
});
