import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { createHealth } from "../../src/ops/health.ts";
import { createProbe } from "../../src/ops/probe.ts";
import { createLogLines } from "../support/log-lines.ts";

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { log, lines } = createLogLines();
  const health = createHealth();
  const state: { problem: string | undefined; checks: number; recoveries: number; fails: boolean } = {
    problem: undefined,
    checks: 0,
    recoveries: 0,
    fails: false,
  };
  const probe = createProbe({
    part: "prosody",
    check: async () => {
      state.checks += 1;
      if (state.fails) throw new Error("broken");
      return state.problem;
    },
    onRecovery: () => {
      state.recoveries += 1;
    },
    health,
    log,
    intervals: { broken: 5000, well: 60_000 },
  });
  t.after(() => probe.stop());
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await tick();
  };
  return { probe, health, state, lines, pass };
}

test("a side counts as not reached until a check says otherwise", async (t) => {
  const { probe, health, state, lines, pass } = setUp(t);
  assert.deepEqual(health.problems(), { prosody: "not yet reached" });
  probe.now();
  await pass(0);
  assert.deepEqual(health.problems(), {});
  assert.deepEqual([state.recoveries, lines], [1, ["info prosody: reached, both ways"]]);
  await pass(59_999);
  assert.equal(state.checks, 1);
});

test("a side that is well is checked now and then, without a word", async (t) => {
  const { probe, state, lines, pass } = setUp(t);
  probe.now();
  await pass(0);
  await pass(60_000);
  await pass(60_000);
  assert.deepEqual([state.checks, state.recoveries, lines.length], [3, 1, 1]);
});

test("while something is wrong it is checked at intervals and told once, and its end is told", async (t) => {
  const { probe, health, state, lines, pass } = setUp(t);
  state.problem = "not there";
  probe.now();
  await pass(0);
  await pass(4999);
  assert.equal(state.checks, 1);
  await pass(1);
  await pass(5000);
  assert.equal(state.checks, 3);
  assert.deepEqual(health.problems(), { prosody: "not there" });
  state.problem = undefined;
  await pass(5000);
  assert.deepEqual(health.problems(), {});
  assert.deepEqual(lines, ["warn prosody: not there", "info prosody: reached, both ways"]);
  assert.equal(state.recoveries, 1);
});

test("a check that throws is a problem like any other", async (t) => {
  const { probe, health, state, pass } = setUp(t);
  state.fails = true;
  probe.now();
  await pass(0);
  assert.deepEqual(health.problems(), { prosody: "broken" });
  state.fails = false;
  await pass(5000);
  assert.deepEqual(health.problems(), {});
});

test("a problem that an ordinary call has met leads to checks until it is gone", async (t) => {
  const { probe, health, state, lines, pass } = setUp(t);
  probe.now();
  await pass(0);
  probe.note(undefined);
  probe.note("no answer (ECONNRESET)");
  probe.note("no answer (ECONNREFUSED)");
  assert.deepEqual(health.problems(), { prosody: "no answer (ECONNRESET)" });
  await pass(5000);
  assert.deepEqual(health.problems(), {});
  assert.deepEqual([state.checks, state.recoveries], [2, 2]);
  assert.deepEqual(lines.slice(1), [
    "warn prosody: no answer (ECONNRESET)",
    "info prosody: reached, both ways",
  ]);
});

test("checks do not overlap, and none begins after the stop", async (t) => {
  const { probe, state, pass } = setUp(t);
  state.problem = "not there";
  probe.now();
  probe.now();
  await pass(0);
  assert.equal(state.checks, 1);
  probe.stop();
  probe.now();
  probe.note("x");
  await pass(60_000);
  assert.equal(state.checks, 1);
});
