import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import fc from "fast-check";
import { createDispatcher, type DispatcherDeps, delayAfter } from "../../src/bridge/dispatcher.ts";
import { LeadNeededError, UndeliverableError } from "../../src/bridge/failure.ts";
import { LeadLostError } from "../../src/cluster/cluster.ts";
import { NoAnswerError } from "../../src/http/client.ts";
import { MatrixError } from "../../src/matrix/matrix-error.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { NewJob, Store } from "../../src/store/store.ts";
import { StanzaRefusedError } from "../../src/xmpp/client.ts";
import { createLogLines } from "../support/log-lines.ts";

const down = new NoAnswerError("ECONNREFUSED", false, undefined);
const job = (cause: string, lane = "a"): NewJob => ({
  lane,
  cause,
  work: { kind: "stanza", xml: "<message/>" },
});

function setUp(t: TestContext, more: Partial<DispatcherDeps> = {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const clock = { ms: 0 };
  const now = () => clock.ms;
  const store: Store = openSqliteStore({ path: ":memory:", now });
  const { log, lines } = createLogLines();
  /** Causes whose attempts fail, each with what it fails with. */
  const failing = new Map<string, unknown>();
  const done: string[] = [];
  const attempts: string[] = [];
  const dispatcher = createDispatcher({
    lanes: store.lanes,
    async handle({ cause }, mayRepeat) {
      attempts.push(mayRepeat ? `${cause} again` : cause);
      await tick();
      if (failing.has(cause)) throw failing.get(cause);
      done.push(cause);
    },
    followUps: async ({ cause }, { condition }) => [job(`${cause} told of ${condition}`, "tell")],
    log,
    now,
    random: () => 1,
    giveUpAfterMs: 60_000,
    maxConcurrentLanes: 4,
    ...more,
  });
  t.after(async () => {
    await dispatcher.stop();
    await store.close();
  });
  /** Lets the time pass, and all that can be done by then. */
  const pass = async (ms: number): Promise<void> => {
    clock.ms += ms;
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 40; turn += 1) await tick();
  };
  let starting: Promise<void> | undefined;
  const start = (): Promise<void> => {
    starting ??= dispatcher.start();
    return starting;
  };
  const add = async (...jobs: NewJob[]): Promise<void> => {
    await start();
    await store.lanes.add(jobs);
    await pass(0);
  };
  return { store, dispatcher, lines, failing, done, attempts, pass, start, add };
}

test("jobs of a lane are done in order and then gone", async (t) => {
  const { store, done, add } = setUp(t);
  await add(job("1"), job("2"), job("3"));
  assert.deepEqual(done, ["1", "2", "3"]);
  assert.deepEqual(await store.lanes.waiting(), []);
});

test("a job that fails for now holds up its own lane and no other, and is tried again later and later", async (t) => {
  const { failing, done, attempts, pass, add, lines } = setUp(t);
  failing.set("1", down);
  await add(job("1"), job("2"), job("3", "b"));
  assert.deepEqual(done, ["3"]);
  await pass(499);
  assert.deepEqual(attempts, ["1", "3"]);
  await pass(1);
  await pass(999);
  assert.deepEqual(attempts, ["1", "3", "1 again"]);
  failing.clear();
  await pass(1);
  assert.deepEqual(done, ["3", "1", "2"]);
  assert.deepEqual(lines, Array(2).fill("warn failed for now, will be tried again"));
});

test("a server that asks to wait is waited for", async (t) => {
  const { failing, attempts, pass, add } = setUp(t);
  failing.set("1", new MatrixError("send", 429, { errcode: "M_LIMIT_EXCEEDED" }, 7000));
  await add(job("1"));
  await pass(6999);
  assert.equal(attempts.length, 1);
  await pass(1);
  assert.equal(attempts.length, 2);
});

test("a flood of messages that are refused leaves nothing behind: each sender is told and its lane goes on", async (t) => {
  const { store, failing, done, add } = setUp(t);
  failing.set("1", new UndeliverableError("cancel", "item-not-found", "There is nobody."));
  failing.set("2", new StanzaRefusedError({ type: "cancel", condition: "service-unavailable" }));
  await add(job("1"), job("2"), job("3"));
  assert.deepEqual(done.sort(), ["1 told of item-not-found", "2 told of service-unavailable", "3"]);
  assert.deepEqual([await store.lanes.parked(), await store.lanes.waiting()], [[], []]);
});

test("a job that the homeserver refuses for good is parked, its sender told and its lane goes on", async (t) => {
  const { store, failing, done, add } = setUp(t);
  failing.set("1", new MatrixError("send", 403, { errcode: "M_FORBIDDEN", error: "no" }));
  await add(job("1"), job("2"));
  assert.deepEqual(done.sort(), ["1 told of forbidden", "2"]);
  const parked = (await store.lanes.parked()).map(({ cause, problem }) => [cause, problem]);
  assert.deepEqual(parked, [["1", "could not send: 403 M_FORBIDDEN no"]]);
});

test("a message that a firewall refuses for its words holds up its lane for minutes, not for a day", async (t) => {
  const { store, failing, attempts, done, pass, add } = setUp(t, { giveUpAfterMs: 86_400_000 });
  failing.set("1", new MatrixError("send", 403, undefined));
  await add(job("1"), job("2"));
  for (let minute = 0; minute < 20; minute += 1) await pass(60_000);
  assert.deepEqual(done, []);
  for (let minute = 0; minute < 10; minute += 1) await pass(60_000);
  assert.deepEqual(done.sort(), ["1 told of remote-server-timeout", "2"]);
  assert.equal(attempts.filter((cause) => cause.startsWith("1 again")).length, 29);
  const parked = (await store.lanes.parked()).map(({ problem }) => problem);
  assert.deepEqual(parked, ["could not send: 403 (no homeserver's answer)"]);
});

test("a job on which the bridge itself breaks is parked, whatever was thrown", async (t) => {
  const { store, failing, done, add } = setUp(t);
  for (const [cause, thrown] of [
    ["1", new TypeError("x is undefined")],
    ["2", "text"],
    ["3", undefined],
  ] as const) {
    failing.set(cause, thrown);
  }
  await add(job("1"), job("2"), job("3"), job("4"));
  const told = ["1", "2", "3"].map((cause) => `${cause} told of internal-server-error`);
  assert.deepEqual(done.sort(), [...told, "4"]);
  const problems = (await store.lanes.parked()).map(({ problem }) => problem);
  assert.deepEqual(problems, ["x is undefined", "text", "undefined"]);
});

test("a job that has failed for too long is parked at its next attempt", async (t) => {
  const { store, failing, done, pass, add } = setUp(t);
  failing.set("1", down);
  await add(job("1"));
  await pass(60_001);
  assert.deepEqual(
    (await store.lanes.parked()).map(({ cause }) => cause),
    ["1"],
  );
  assert.deepEqual(done, ["1 told of remote-server-timeout"]);
});

test("a job that was given up and is tried again is not given up at the first failure, old as it is", async (t) => {
  const { store, dispatcher, failing, done, pass, add } = setUp(t);
  failing.set("1", down);
  await add(job("1"));
  await pass(60_001);
  const [parked] = await store.lanes.parked();
  assert.ok(parked);
  done.length = 0;
  await store.lanes.unpark(parked.id);
  dispatcher.wake(["a"]);
  await pass(0);
  const [waiting] = await store.lanes.queued();
  assert.deepEqual([waiting?.attempts, waiting?.acceptedAt], [2, parked.acceptedAt]);
  await pass(60_001);
  assert.deepEqual(done, ["1 told of remote-server-timeout"]);
});

test("when a side comes back, lanes that wait try at once", async (t) => {
  const { dispatcher, failing, done, pass, add } = setUp(t);
  failing.set("1", down).set("2", down);
  await add(job("1"), job("2", "b"));
  failing.clear();
  dispatcher.retryNow();
  await pass(0);
  assert.deepEqual(done.sort(), ["1", "2"]);
});

test("no more lanes than allowed run at once, and a lane that waits to retry counts as none", async (t) => {
  const { failing, done, add } = setUp(t, { maxConcurrentLanes: 1 });
  failing.set("1", down);
  await add(job("1", "a"), job("2", "b"), job("3", "c"));
  assert.deepEqual(done.sort(), ["2", "3"]);
});

test("conversations that wait for one network take nothing from the other", async (t) => {
  const answers: (() => void)[] = [];
  const { done, add, pass, dispatcher } = setUp(t, {
    maxConcurrentLanes: 2,
    async handle({ cause, lane }) {
      if (lane.startsWith("matrix")) await new Promise<void>((resolve) => answers.push(resolve));
      done.push(cause);
    },
  });
  await add(job("1", "matrix !a"), job("2", "matrix !b"), job("3", "matrix !c"), job("4", "xmpp romeo"));
  assert.deepEqual([done, dispatcher.lanes()], [["4"], { working: 2, queued: 1, retrying: 0 }]);
  for (const answer of answers) answer();
  await pass(0);
  answers[2]?.();
  await pass(0);
  assert.deepEqual(done, ["4", "1", "2", "3"]);
});

test("after a start, only the first job of a lane that was left may be a repeat", async (t) => {
  const { store, attempts, pass, start, add } = setUp(t);
  await store.lanes.add([job("1"), job("2"), job("3", "b")]);
  await start();
  await pass(0);
  await add(job("4"), job("5", "c"));
  assert.deepEqual(attempts.sort(), ["1 again", "2", "3 again", "4", "5"]);
});

test("what is stored ahead of the start waits until it is known what the last run left", async (t) => {
  const { store, dispatcher, attempts, pass, start } = setUp(t);
  await store.lanes.add([job("1")]);
  dispatcher.wake(["a"]);
  await pass(0);
  assert.deepEqual(attempts, []);
  await start();
  await pass(0);
  assert.deepEqual(attempts, ["1 again"]);
});

test("stopping waits for what runs, starts nothing more and leaves the rest for the next run", async (t) => {
  const running = Promise.withResolvers<void>();
  const started: string[] = [];
  const handle: DispatcherDeps["handle"] = ({ cause }) => {
    started.push(cause);
    return running.promise;
  };
  const { store, dispatcher, pass, add } = setUp(t, { handle });
  await add(job("1"), job("2"));
  let stopped = false;
  const stop = dispatcher.stop().then(() => {
    stopped = true;
  });
  dispatcher.wake(["a", "b"]);
  await pass(1000);
  assert.equal(stopped, false);
  running.resolve();
  await stop;
  assert.deepEqual(started, ["1"]);
  assert.equal((await store.lanes.next("a"))?.cause, "2");
});

test("what stopping breaks off is neither counted as a failure nor parked", async (t) => {
  const running = Promise.withResolvers<void>();
  const { store, dispatcher, add } = setUp(t, { handle: () => running.promise });
  await add(job("1"));
  const stop = dispatcher.stop();
  running.reject(new Error("broken off"));
  await stop;
  assert.deepEqual(await store.lanes.parked(), []);
  assert.equal((await store.lanes.next("a"))?.attempts, 0);
});

test("stopping does not wait for lanes that wait to retry", async (t) => {
  const { dispatcher, failing, add } = setUp(t);
  failing.set("1", down);
  await add(job("1"));
  await dispatcher.stop();
});

test("a store that fails stops no lane for good", async (t) => {
  const { store, done, lines, pass, start, add } = setUp(t);
  await start();
  const { next } = store.lanes;
  store.lanes.next = () => Promise.reject(new Error("disk"));
  await add(job("1"));
  store.lanes.next = next;
  await pass(500);
  assert.deepEqual([done, lines], [["1"], ["error a lane stopped and will be taken up again"]]);
});

test("the wait before the next attempt grows from three eighths of a second to a minute, and never beyond", () => {
  const randoms = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.nat(5000), randoms, (attempts, random) => {
      const delay = delayAfter(attempts, random);
      assert.ok(Number.isInteger(delay) && delay >= 375 && delay <= 60_000);
      assert.ok(delayAfter(attempts + 1, random) >= delay);
      assert.ok(delay >= 0.75 * delayAfter(attempts, 1) - 1);
    }),
  );
  assert.deepEqual(
    [0, 1, 2, 7].map((attempts) => delayAfter(attempts, 1)),
    [500, 1000, 2000, 60_000],
  );
});

test("each job that is over is told of once, and each attempt that failed for now", async (t) => {
  const told: string[] = [];
  const { add, pass, failing } = setUp(t, {
    onDone: ({ cause }, outcome) => void told.push(`${cause} ${outcome}`),
    onRetry: ({ cause }) => void told.push(`${cause} again`),
  });
  failing.set("down", down);
  failing.set("refused", new UndeliverableError("auth", "forbidden", "You may not."));
  failing.set("broken", new TypeError("x is undefined"));
  await add(job("refused"), job("broken"), job("well"), job("down"));
  failing.delete("down");
  await pass(1000);
  assert.deepEqual(
    told.filter((line) => !line.includes(" told of ")),
    ["refused refused", "broken parked", "well handled", "down again", "down handled"],
  );
});

test("lanes are counted by what they wait for", async (t) => {
  const { add, failing, dispatcher } = setUp(t, { maxConcurrentLanes: 1 });
  failing.set("1", down);
  await add(job("1", "a"));
  assert.deepEqual(dispatcher.lanes(), { working: 0, queued: 0, retrying: 1 });
});

test("a job that is done and cannot be removed from the store is not done again", async (t) => {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  const { lanes } = store;
  let full = true;
  const complete: typeof lanes.complete = async (...given) => {
    if (full) throw new Error("database or disk is full");
    await lanes.complete(...given);
  };
  const { start, attempts, pass } = setUp(t, { lanes: { ...lanes, complete } });
  await start();
  await lanes.add([job("1"), job("2")]);
  await pass(0);
  for (let n = 0; n < 4; n += 1) await pass(500);
  assert.deepEqual(attempts, ["1"]);
  full = false;
  await pass(500);
  assert.deepEqual(attempts, ["1", "2"]);
  assert.deepEqual(await lanes.waiting(), []);
});

test("a job that is refused while the disk is full is not tried again, and is told of once", async (t) => {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  const { lanes } = store;
  let full = true;
  const unlessFull =
    <Given extends unknown[]>(work: (...given: Given) => Promise<void>) =>
    async (...given: Given): Promise<void> => {
      if (full) throw new Error("database or disk is full");
      await work(...given);
    };
  const outcomes: string[] = [];
  const { start, attempts, done, failing, pass } = setUp(t, {
    lanes: { ...lanes, complete: unlessFull(lanes.complete), park: unlessFull(lanes.park) },
    onDone: ({ cause }, outcome) => void outcomes.push(`${cause} ${outcome}`),
  });
  failing.set("1", new UndeliverableError("cancel", "not-allowed", "No."));
  failing.set("2", new TypeError("a mapping broke"));
  await start();
  await lanes.add([job("1"), job("2", "b")]);
  for (let n = 0; n < 4; n += 1) await pass(500);
  assert.deepEqual(
    [attempts, outcomes],
    [
      ["1", "2"],
      ["1 refused", "2 parked"],
    ],
  );
  full = false;
  await pass(500);
  assert.deepEqual(attempts.slice(0, 2), ["1", "2"]);
  assert.deepEqual(done.toSorted(), ["1 told of not-allowed", "2 told of internal-server-error"]);
  assert.deepEqual(await lanes.waiting(), []);
});

test("what waited while the bridge was down for days is tried, and not given up, when the far side comes late", async (t) => {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  await store.lanes.add([job("1")]);
  const days = 3 * 24 * 60 * 60 * 1000;
  let [clock, isDown] = [days, true];
  const { start, done, pass } = setUp(t, {
    lanes: store.lanes,
    now: () => clock,
    async handle({ cause }) {
      if (isDown) throw down;
      done.push(cause);
    },
  });
  await start();
  await pass(0);
  clock += 1000;
  await pass(1000);
  isDown = false;
  await pass(2000);
  assert.deepEqual([done, await store.lanes.parked()], [["1"], []]);
});

test("what waits for another process to lead, or for the database, is not given up for being late", async (t) => {
  const { failing, done, pass, add, store } = setUp(t);
  const away = Object.assign(new Error("database or disk is full"), {
    code: "ERR_SQLITE_ERROR",
    errcode: 13,
  });
  failing.set("1", new LeadLostError("no process leads"));
  failing.set("2", new LeadNeededError());
  failing.set("3", away);
  await add(job("1", "a"), job("2", "b"), job("3", "c"));
  for (let n = 0; n < 10; n += 1) await pass(60_000);
  assert.deepEqual([done, await store.lanes.parked()], [[], []]);
  failing.clear();
  await pass(60_000);
  assert.deepEqual(done.toSorted(), ["1", "2", "3"]);
});

test("a job whose sender cannot even be told is parked, and its lane goes on", async (t) => {
  const { failing, done, add, store } = setUp(t, {
    followUps: async () => {
      throw new TypeError("not a stanza");
    },
  });
  failing.set("1", new TypeError("poison"));
  await add(job("1"), job("2"));
  assert.deepEqual(done, ["2"]);
  assert.deepEqual(
    (await store.lanes.parked()).map(({ cause }) => cause),
    ["1"],
  );
});
