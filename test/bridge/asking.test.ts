import assert from "node:assert/strict";
import { test } from "node:test";
import { createAsk } from "../../src/bridge/asking.ts";
import { LeadLostError } from "../../src/cluster/cluster.ts";

/** A process that leads, which can be gone for a while or forever. */
function setLead({ patienceMs = 12_000 } = {}) {
  const state: { is: "there" | "gone" | "stopping"; isLeaving: boolean } = { is: "there", isLeaving: false };
  const ask = createAsk({
    cluster: {
      async ask(kind) {
        if (state.is === "gone") throw new LeadLostError("no process leads");
        if (state.is === "stopping") return { isLeaving: true };
        return { value: kind };
      },
    },
    isLeaving: () => state.isLeaving,
    patienceMs,
  });
  return { ask, state };
}

test("stanzas reach the next process that leads", async () => {
  for (const why of ["gone", "stopping"] as const) {
    const { ask, state } = setLead();
    state.is = why;
    const asked = ask("stanzas", []);
    await new Promise((resolve) => setTimeout(resolve, 1));
    state.is = "there";
    assert.equal(await asked, "stanzas");
  }
});

test("what may be done twice is asked again, and what may not be is told that nobody leads", async () => {
  const { ask, state } = setLead();
  state.is = "gone";
  const [get, set, job] = ["iqGet", "iqSet", "job"].map((kind) => ask(kind, undefined));
  await assert.rejects(set as Promise<unknown>, LeadLostError);
  await assert.rejects(job as Promise<unknown>, LeadLostError);
  state.is = "there";
  assert.equal(await get, "iqGet");
});

test("nobody is asked for ever, nor by a process that is being stopped", async () => {
  const { ask, state } = setLead({ patienceMs: 60 });
  state.is = "gone";
  await assert.rejects(ask("stanzas", []), LeadLostError);
  const other = setLead();
  other.state.is = "gone";
  other.state.isLeaving = true;
  await assert.rejects(other.ask("stanzas", []), LeadLostError);
});
