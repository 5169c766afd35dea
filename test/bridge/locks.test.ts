import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { createLocks } from "../../src/bridge/locks.ts";

test("work under one key runs one after the other, in the order of asking", async () => {
  const locks = createLocks();
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await tick();
    steps.push(`${name} ends`);
    return name;
  };
  const results = await Promise.all(["a", "b", "c"].map((name) => locks.run("key", work(name))));
  assert.deepEqual(results, ["a", "b", "c"]);
  assert.deepEqual(steps, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("work under other keys does not wait", async () => {
  const locks = createLocks();
  const stuck = Promise.withResolvers<string>();
  const first = locks.run("key", () => stuck.promise);
  assert.equal(await locks.run("constructor", async () => "done"), "done");
  stuck.resolve("late");
  assert.equal(await first, "late");
});

test("work that fails rejects for its caller, and what waits behind it runs", async () => {
  const locks = createLocks();
  const failing = locks.run("key", () => Promise.reject(new Error("broken")));
  const next = locks.run("key", async () => "runs");
  await assert.rejects(failing, { message: "broken" });
  assert.equal(await next, "runs");
  assert.equal(await locks.run("key", async () => "again"), "again");
});
