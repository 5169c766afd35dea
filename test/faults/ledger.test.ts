import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Column, judge } from "./ledger.ts";
import { createRandom } from "./random.ts";

const column = (sent: string[], arrived: string[], more: Partial<Column> = {}): Column => ({
  name: "c",
  sent,
  told: new Set(),
  arrived: arrived.map((body) => ({ body, id: body })),
  mayDouble: 0,
  ...more,
});

test("what arrives once and in order breaks nothing", () => {
  assert.deepEqual(judge(column(["a", "b"], ["a", "b"])), {
    sent: 2,
    told: 0,
    arrived: 2,
    lost: 0,
    doubled: 0,
    reordered: 0,
    broken: [],
  });
});

test("a message that does not arrive is lost, unless its sender was told", () => {
  assert.deepEqual(judge(column(["a", "b"], ["a"])).broken, ["c lost b"]);
  assert.deepEqual(judge(column(["a", "b"], ["a"], { told: new Set(["b"]) })).broken, []);
});

test("a message that another one overtakes is reordered", () => {
  assert.deepEqual(judge(column(["a", "b", "c"], ["a", "c", "b"])).broken, ["c reordered b"]);
});

test("a message may come twice where something was cut off, right after itself and with the same ID", () => {
  const sent = ["a", "b"];
  assert.deepEqual(judge(column(sent, ["a", "a", "b"])).broken, ["c doubled a, where 0 may be"]);
  assert.deepEqual(judge(column(sent, ["a", "a", "b"], { mayDouble: 1 })).broken, []);
  const elsewhere = ["c doubled elsewhere or with another ID a"];
  assert.deepEqual(judge(column(sent, ["a", "b", "a"], { mayDouble: 1 })).broken, elsewhere);
  const other = [
    { body: "a", id: "1" },
    { body: "a", id: "2" },
    { body: "b", id: "3" },
  ];
  assert.deepEqual(judge(column(sent, [], { mayDouble: 1, arrived: other })).broken, elsewhere);
});

test("chance with the same seed is the same, within its bounds, and shuffling keeps everything", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.integer()), (seed, values) => {
      const [one, other] = [createRandom(seed), createRandom(seed)];
      assert.deepEqual(one.shuffled(values).sort(), values.toSorted());
      other.shuffled(values);
      const number = one.whole(3, 9);
      assert.equal(number, other.whole(3, 9));
      assert.ok(number >= 3 && number <= 9);
    }),
  );
});
