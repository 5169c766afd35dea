/** Who takes Prosody's stanzas, with several processes in one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createEar, type Ear } from "../../src/bridge/ear.ts";
import type { ProcessInfo } from "../../src/cluster/cluster.ts";
import { createLogLines } from "../support/log-lines.ts";

/** Processes that reach each other at once. */
function createHub() {
  const ears = new Map<string, Ear>();
  const infoOf = (id: string): ProcessInfo => ({
    id,
    host: "host",
    version: "0",
    startedAt: 0,
    isLead: false,
    report: {},
  });
  return {
    add(self: string): Ear {
      const ear = createEar({
        log: createLogLines().log,
        now: () => 0,
        cluster: {
          self,
          processes: async () => [...ears.keys()].map(infoOf),
          async tell(to, kind, payload) {
            for (const [id, { answers }] of ears) {
              if (id === to || (to === "others" && id !== self))
                await answers[kind as keyof typeof answers](payload);
            }
          },
        },
      });
      ears.set(self, ear);
      return ear;
    },
    lose: (self: string): void => void ears.delete(self),
  };
}

function createStorage() {
  const stored: string[] = [];
  return {
    stored,
    quickly: (what: string) => async (): Promise<void> => void stored.push(what),
    slowly(what: string) {
      const { promise, resolve } = Promise.withResolvers<void>();
      return { work: () => promise.then(() => void stored.push(what)), resolve };
    },
  };
}

test("a process that is alone does what comes at once", async () => {
  const { stored, quickly } = createStorage();
  const ear = createHub().add("one");
  await Promise.all([ear.hear(quickly("a")), ear.hear(quickly("b"))]);
  assert.deepEqual(stored, ["a", "b"]);
});

test("what the process before has under way is stored before what comes to another", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  const { work, resolve } = slowly("a");
  const before = one.hear(work);
  await turn();
  const after = [two.hear(quickly("b")), two.hear(quickly("c"))];
  for (let n = 0; n < 10; n += 1) await turn();
  assert.deepEqual(stored, []);
  resolve();
  await Promise.all([before, ...after]);
  assert.deepEqual(stored, ["a", "b", "c"]);
});

test("the turn comes back to the process that had it before", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  await one.hear(quickly("a"));
  const { work, resolve } = slowly("b");
  const between = two.hear(work);
  for (let n = 0; n < 10; n += 1) await turn();
  const last = one.hear(quickly("c"));
  resolve();
  await Promise.all([between, last]);
  assert.deepEqual(stored, ["a", "b", "c"]);
});

test("a process that has died is not waited for", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  void one.hear(slowly("never").work);
  await turn();
  const after = two.hear(quickly("b"));
  await turn();
  hub.lose("one");
  await after;
  assert.deepEqual(stored, ["b"]);
});

test("what waits for its turn in one process is stored before what comes to a third", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  const { work, resolve } = slowly("a");
  const all: Promise<void>[] = [one.hear(work)];
  await turn();
  all.push(two.hear(quickly("b")));
  for (let n = 0; n < 10; n += 1) await turn();
  all.push(hub.add("three").hear(quickly("c")));
  for (let n = 0; n < 10; n += 1) await turn();
  resolve();
  await Promise.all(all);
  assert.deepEqual(stored, ["a", "b", "c"]);
});

test("a process that has lost touch asks for its turn again", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  await one.hear(quickly("a"));
  const { work, resolve } = slowly("b");
  const between = two.hear(work);
  for (let n = 0; n < 10; n += 1) await turn();
  one.doubt();
  const last = one.hear(quickly("c"));
  resolve();
  await Promise.all([between, last]);
  assert.deepEqual(stored, ["a", "b", "c"]);
});

test("what waits while the database is away is refused, since others may have what came before or after", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  const { work, resolve } = slowly("a");
  const before = one.hear(work);
  await turn();
  const waiting = two.hear(quickly("b"));
  await turn();
  two.doubt();
  await assert.rejects(waiting, /the database was away/);
  resolve();
  await before;
  await two.hear(quickly("c"));
  assert.deepEqual(stored, ["a", "c"]);
});

test("two processes that want the turn at the same time both get it", async () => {
  const { stored, quickly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  await Promise.all([one.hear(quickly("a")), two.hear(quickly("b"))]);
  assert.deepEqual(stored.toSorted(), ["a", "b"]);
});

test("what could not be stored holds nobody up", async () => {
  const { stored, quickly } = createStorage();
  const hub = createHub();
  const [one, two] = [hub.add("one"), hub.add("two")];
  await assert.rejects(
    one.hear(() => Promise.reject(new Error("full"))),
    /full/,
  );
  await two.hear(quickly("b"));
  assert.deepEqual(stored, ["b"]);
});
