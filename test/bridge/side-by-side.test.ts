import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bridge } from "../../src/bridge/bridge.ts";
import { createSideBySide } from "../../src/bridge/side-by-side.ts";
import type { Cluster } from "../../src/cluster/cluster.ts";
import { createLogLines } from "../support/log-lines.ts";

/** One that is told by a test when it leads, and when it has been taken for dead. */
function setProcess() {
  const did: string[] = [];
  let isLead = true;
  let changes = { lead: async () => {}, lost: async () => {} };
  const cluster: Cluster = {
    self: "a",
    isLead: () => isLead,
    isAlone: () => false,
    processes: async () => [],
    others: async () => [],
    tell: async () => undefined,
    ask: async () => undefined,
    caughtUp: async () => undefined,
    async start(_answers, lead, lost) {
      changes = { lead, lost };
      await lead();
    },
    report: () => undefined,
    stop: async () => undefined,
  };
  let made = 0;
  let failures = 0;
  const process = createSideBySide({
    cluster,
    component: "bridge.xmpp.test",
    makeBridge({ isLeading, leads }) {
      made += 1;
      const name = `bridge ${made}`;
      return {
        lead: async () => void did.push(`${name} leads`),
        async start() {
          if (failures-- > 0) throw new Error("the database is away");
          did.push(`${name} starts`);
        },
        stop: async () => void did.push(`${name} stops`),
        prosodyStarted: () => void did.push(`${name} hears of Prosody: ${isLeading()} ${leads()}`),
      } as unknown as Bridge;
    },
    problems: () => ({ homeserver: "away", prosody: "away" }),
    answers: {},
    stopWithinMs: 1000,
    onLead: () => void did.push("old things are forgotten"),
    now: () => 0,
    log: createLogLines().log,
  });
  return {
    process,
    did,
    lead: () => changes.lead(),
    lost: () => changes.lost(),
    setLead(value: boolean) {
      isLead = value;
    },
    fail(times: number) {
      failures = times;
    },
  };
}

test("a process that leads no longer goes on beside the one that does, however often it cannot at first", async () => {
  const { process, did, lead, lost, fail } = setProcess();
  await process.start();
  fail(1);
  await lost();
  await lead();
  assert.deepEqual(did, [
    ...["bridge 1 leads", "bridge 1 starts", "old things are forgotten"],
    ...["bridge 1 stops", "bridge 2 starts"],
    ...["bridge 2 leads", "old things are forgotten"],
  ]);
});

test("what is learned only once is taken in by the one that leads while the database is away", async () => {
  const { process, did, lost, setLead } = setProcess();
  await process.start();
  setLead(false);
  process.prosodyStarted();
  await lost();
  process.prosodyStarted();
  const heard = did.filter((line) => line.includes("hears"));
  assert.deepEqual(heard, [
    "bridge 1 hears of Prosody: true false",
    "bridge 2 hears of Prosody: false false",
  ]);
});
