import assert from "node:assert/strict";
import test from "node:test";
import { createErrands } from "../../src/bridge/errands.ts";
import {
  FailedThereError,
  failureOf,
  isOrdinary,
  LeadNeededError,
  retryAfterOf,
  UndeliverableError,
} from "../../src/bridge/failure.ts";
import { createJobOutcomes } from "../../src/bridge/job-outcomes.ts";
import { LeadLostError } from "../../src/cluster/cluster.ts";
import { MatrixError } from "../../src/matrix/matrix-error.ts";
import type { Done } from "../../src/ops/metrics.ts";
import type { Job, NewJob } from "../../src/store/store.ts";
import { createLogLines } from "../support/log-lines.ts";

const job = (cause: string, lane = "xmpp garden@rooms.example"): Job => ({
  id: 1,
  lane,
  cause,
  work: { kind: "stanza", xml: "<message/>" },
  acceptedAt: 0,
  attempts: 0,
});
const telling: NewJob = { lane: "tell", cause: "told", work: { kind: "bounce", xml: "<message/>" } };

/** A process that leads and one that follows, with nothing but JSON between them. */
function setPair(isPlain: (job: Job) => boolean = () => false) {
  const done: string[] = [];
  const doing = new Map<string, () => Promise<void> | void>();
  const make = (name: string, leads: boolean) => {
    const outcomes: Done[] = [];
    const jobs = createJobOutcomes({
      onDone: (one) => void outcomes.push(one),
      onRetry: () => undefined,
      now: () => 0,
    });
    const errands = createErrands({
      cluster: {
        ask: async (_kind, payload) =>
          JSON.parse(JSON.stringify(await lead.errands.runFor(JSON.parse(JSON.stringify(payload))))),
        caughtUp: async () => undefined,
      },
      leads: () => leads,
      isPlain: async (one) => isPlain(one),
      async handle({ cause }, mayRepeat) {
        done.push(`${name} ${cause}${mayRepeat ? " again" : ""}`);
        if (name === "lead") jobs.sent();
        await doing.get(`${name} ${cause}`)?.();
      },
      followUps: async () => [telling],
      jobs,
      log: createLogLines().log,
    });
    return { errands, jobs, outcomes };
  };
  const lead = make("lead", true);
  const follower = make("follower", false);
  return { lead, follower, done, doing };
}

const failureIn = (running: Promise<void>): Promise<unknown> =>
  running.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );

test("a follower does what is plainly direct, and has all else done by the process that leads", async () => {
  const { follower, done } = setPair(({ cause }) => cause === "1");
  await follower.errands.handle(job("1"), false);
  await follower.errands.handle(job("2"), true);
  assert.deepEqual(done, ["follower 1", "lead 2 again"]);
});

test("what turns out to need the lead after all is done there, as something that may have been done", async () => {
  const { follower, done, doing } = setPair(() => true);
  doing.set("follower 1", () => {
    throw new LeadNeededError();
  });
  await follower.errands.handle(job("1"), false);
  assert.deepEqual(done, ["follower 1", "lead 1 again"]);
});

test("what was sent for a job elsewhere counts as delivered where its lane is", async () => {
  const { follower } = setPair();
  const one = job("1");
  await follower.errands.handle(one, false);
  follower.jobs.over(one, "handled");
  assert.deepEqual(
    follower.outcomes.map(({ outcome }) => outcome),
    ["delivered"],
  );
});

test("what a job failed with there means the same here", async () => {
  const { follower, doing } = setPair();
  const errors = [
    new UndeliverableError("cancel", "item-not-found", "There is no such room."),
    new MatrixError("say it", 429, { errcode: "M_LIMIT_EXCEEDED" }, 7000),
    new TypeError("x is undefined"),
  ];
  for (const error of errors) {
    doing.set("lead 1", () => {
      throw error;
    });
    const here = await failureIn(follower.errands.handle(job("1"), false));
    assert.ok(here instanceof FailedThereError);
    assert.equal(here.message, error.message);
    assert.deepEqual(failureOf(here), failureOf(error));
    assert.equal(isOrdinary(here), isOrdinary(error));
    assert.equal(retryAfterOf(here), retryAfterOf(error));
    assert.deepEqual(await follower.errands.followUps(job("1"), failureOf(here), here), [telling]);
  }
});

test("where the lead is lost the job is tried again soon, and nobody is told", async () => {
  const { lead, doing } = setPair();
  doing.set("lead 1", () => {
    throw new LeadNeededError();
  });
  await assert.rejects(lead.errands.runFor({ job: job("1"), mayRepeat: false }), LeadLostError);
  assert.equal(failureOf(new LeadLostError("gone")).retry, true);
});

test("a job that is asked for while it is under way waits, and may have been done", async () => {
  const { lead, done, doing } = setPair();
  const gate = Promise.withResolvers<void>();
  doing.set("lead 1", () => gate.promise);
  const first = lead.errands.runFor({ job: job("1"), mayRepeat: false });
  const second = lead.errands.handle(job("1"), false);
  const other = lead.errands.handle(job("2", "xmpp orchard@rooms.example"), false);
  await other;
  assert.deepEqual(done, ["lead 1", "lead 2"]);
  gate.resolve();
  await Promise.all([first, second]);
  await lead.errands.idle();
  assert.deepEqual(done, ["lead 1", "lead 2", "lead 1 again"]);
});
