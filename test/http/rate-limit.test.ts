import assert from "node:assert/strict";
import test from "node:test";
import { createRateLimit } from "../../src/http/rate-limit.ts";

test("a key may be taken as often as there are points, then it has to wait until the time is over", async () => {
  const limit = createRateLimit({ points: 2, seconds: 60 });
  assert.equal(await limit.peek("a"), undefined);
  assert.equal(await limit.take("a"), undefined);
  assert.equal(await limit.peek("a"), undefined);
  assert.equal(await limit.take("a"), undefined);
  const waits = [await limit.peek("a"), await limit.take("a")];
  for (const wait of waits) assert.ok(wait !== undefined && wait > 59_000 && wait <= 60_000, String(wait));
});

test("keys do not count for each other", async () => {
  const limit = createRateLimit({ points: 1, seconds: 60 });
  await limit.take("a");
  assert.equal(typeof (await limit.take("a")), "number");
  assert.equal(await limit.take("b"), undefined);
});

test("after its time a key begins anew", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const limit = createRateLimit({ points: 1, seconds: 60 });
  await limit.take("a");
  assert.equal(await limit.take("a"), 60_000);
  t.mock.timers.tick(60_000);
  assert.equal(await limit.take("a"), undefined);
});
