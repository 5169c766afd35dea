import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { createPushback } from "../../src/bridge/pushback.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { NewJob } from "../../src/store/store.ts";
import { createLogLines } from "../support/log-lines.ts";

const job = (lane: string): NewJob => ({ lane, cause: "c", work: { kind: "stanza", xml: "<message/>" } });

function setUp(t: TestContext, { perConversation = 10, perNetwork = 10 } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { lanes, close } = openSqliteStore({ path: ":memory:", now: () => 0 });
  const { log, lines } = createLogLines();
  const refused: string[] = [];
  const pushback = createPushback({
    lanes,
    perConversation,
    perNetwork,
    onRefused: (side) => refused.push(side),
    log,
  });
  t.after(async () => {
    pushback.stop();
    await close();
  });
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 10; turn += 1) await tick();
  };
  const finish = async (lane: string, count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1) {
      const next = await lanes.next(lane);
      if (next) await lanes.complete(next);
    }
  };
  return { lanes, pushback, refused, lines, pass, finish };
}

test("what the last run left counts from the start on", async (t) => {
  const { lanes, pushback, refused } = setUp(t, { perNetwork: 2 });
  await lanes.add([job("matrix !a"), job("matrix !b")]);
  assert.equal(pushback.takesTransaction(), true);
  await pushback.start();
  assert.equal(pushback.takesTransaction(), false);
  assert.equal(await pushback.add(job("xmpp a b"), true), true);
  assert.deepEqual(refused, ["homeserver"]);
});

test("a network that is full takes more only when a tenth is done, and each change is one line", async (t) => {
  const { lanes, pushback, lines, pass, finish } = setUp(t);
  await lanes.add(Array.from({ length: 10 }, () => job("matrix !a")));
  pushback.noted(0);
  await pass(1000);
  assert.equal(pushback.takesTransaction(), false);
  await finish("matrix !a", 1);
  await pass(1000);
  assert.equal(pushback.takesTransaction(), false);
  await finish("matrix !a", 1);
  await pass(1000);
  assert.equal(pushback.takesTransaction(), true);
  assert.deepEqual(lines, [
    "warn too much waits, so what comes is refused for now",
    "info there is room again for what comes",
  ]);
});

test("much that comes at once is looked at before its second is over", async (t) => {
  const { lanes, pushback, pass } = setUp(t, { perNetwork: 20 });
  await lanes.add(Array.from({ length: 20 }, () => job("matrix !a")));
  pushback.noted(1);
  await pass(0);
  assert.equal(pushback.takesTransaction(), true);
  pushback.noted(1);
  await pass(0);
  assert.equal(pushback.takesTransaction(), false);
});

test("what may not be refused is stored beyond every bound", async (t) => {
  const { lanes, pushback, refused } = setUp(t, { perConversation: 1, perNetwork: 1 });
  await lanes.add([job("xmpp a b")]);
  await pushback.start();
  assert.equal(await pushback.add(job("xmpp a b"), false), true);
  assert.equal(await pushback.add(job("xmpp c d"), true), false);
  assert.deepEqual(refused, ["prosody"]);
});
