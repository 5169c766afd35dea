import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "../support/wait-for.ts";
import { isLeadLost, newProcesses, type Process } from "./processes.ts";

const leads = ({ cluster }: Process): boolean => cluster.isLead();

test("a single process leads, and has begun to, before it is started", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const one = some.newProcess();
  await one.start({}, () => delay(20));
  assert.deepEqual([one.turns, leads(one), one.cluster.isAlone()], [["leads"], true, true]);
  assert.equal(await one.cluster.ask("nothing", 1), undefined);
});

test("one that cannot begin to lead is not started, and lets another one lead", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const [broken, other] = [some.newProcess(), some.newProcess()];
  await assert.rejects(
    broken.start({}, () => Promise.reject(new Error("no rooms"))),
    /no rooms/,
  );
  await waitFor(() => broken.turns.includes("lost"), "it to let go");
  await broken.cluster.stop();
  await other.start();
  assert.deepEqual([broken.turns, leads(other)], [["leads", "lost"], true]);
});

test("one of three leads, which each of them and the status page know", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const all = [some.newProcess(), some.newProcess(), some.newProcess()];
  await Promise.all(all.map((one) => one.start()));
  assert.equal(all.filter(leads).length, 1);
  const lead = all.find(leads)?.cluster;
  assert.equal(lead?.isAlone(), false);
  all[1]?.cluster.report({ lanes: 7 });
  for (const { cluster } of all) {
    const processes = await waitFor(async () => {
      const found = await cluster.processes();
      return found.length === 3 && found.some(({ report }) => report.lanes === 7) && found;
    }, "all three to be known");
    assert.deepEqual(
      processes.filter(({ isLead }) => isLead).map(({ id, version }) => [id, version]),
      [[lead?.self, "1.2.3"]],
    );
  }
});

test("when the one that leads stops, another one leads at once", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const hour = 3_600_000;
  // Heartbeats so rare that only a word of the one that stops can be the reason.
  const times = { beat: hour, lease: hour, trust: hour, dead: hour, forget: hour, wait: 5000 };
  const [one, other] = [some.newProcess({ times }), some.newProcess({ times })];
  await one.start();
  await other.start();
  assert.deepEqual([leads(one), leads(other)], [true, false]);
  await one.cluster.stop();
  await waitFor(() => leads(other), "the other one to lead");
  assert.deepEqual([one.turns, other.turns, leads(one)], [["leads"], ["leads"], false]);
  assert.equal(other.cluster.isAlone(), true);
});

test("when the one that leads dies, another one does, and what was asked of it ends in a LeadLostError", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const [one, other] = [some.newProcess(), some.newProcess()];
  const { promise: askedOne, resolve: hasAsked } = Promise.withResolvers<void>();
  const never = new Promise<void>(() => undefined);
  await one.start({
    job: () => {
      hasAsked();
      return never;
    },
  });
  await other.start({ job: async (payload) => `done ${payload}` });
  const asked = assert.rejects(other.cluster.ask("job", 1), isLeadLost);
  await askedOne;
  one.cut();
  await asked;
  // A busy process may take another one for dead before it is, and asks it once more.
  const askUntilAnswered = (): Promise<unknown> =>
    other.cluster.ask("job", 2).catch((error) => {
      if (isLeadLost(error)) return askUntilAnswered();
      throw error;
    });
  assert.equal(await askUntilAnswered(), "done 2");
  assert.equal(leads(other), true);
  assert.equal(leads(one), false);
  assert.deepEqual(one.turns, ["leads"]);
  assert.match(String(one.health.problem), /cut off/);

  // It was not dead.
  one.mend();
  await waitFor(() => one.turns.includes("lost"), "it to learn that it leads no longer");
  assert.deepEqual([one.turns, other.turns, leads(one)], [["leads", "lost"], ["leads"], false]);
  assert.equal(one.health.problem, undefined);
  assert.equal(await one.cluster.ask("job", 3), "done 3");
});

test("what is told arrives in the order in which it was told, one after the other", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const heard: unknown[] = [];
  const note = async (payload: unknown): Promise<void> => {
    await delay(Math.random() * 3);
    heard.push(payload);
  };
  const [lead, other] = [some.newProcess(), some.newProcess()];
  await lead.start({ note });
  await other.start({ note });
  const numbers = [...Array(50).keys()];
  await Promise.all(numbers.map((number) => other.cluster.tell("lead", "note", number)));
  await lead.cluster.caughtUp();
  assert.deepEqual(heard, numbers);
  heard.length = 0;
  await lead.cluster.tell("others", "note", { to: "others" });
  await lead.cluster.tell(other.cluster.self, "note", undefined);
  await other.cluster.caughtUp();
  assert.deepEqual(heard, [{ to: "others" }, undefined]);
});

test("a question waits for what was told before it, and nothing waits for its answer", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const heard: unknown[] = [];
  const gate = Promise.withResolvers<void>();
  const [lead, other] = [some.newProcess(), some.newProcess()];
  await lead.start({
    note: async (payload) => {
      await delay(5);
      heard.push(payload);
    },
    job: async (payload) => {
      heard.push(payload);
      await gate.promise;
      return { did: payload };
    },
  });
  await other.start();
  await other.cluster.tell("lead", "note", "first");
  const answer = other.cluster.ask("job", "second");
  await other.cluster.tell("lead", "note", "third");
  await waitFor(() => heard.length === 3, "all to be heard");
  gate.resolve();
  assert.deepEqual([heard, await answer], [["first", "second", "third"], { did: "second" }]);
});

test("an error of the one that leads reaches whoever asked", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const [lead, other] = [some.newProcess(), some.newProcess()];
  await lead.start({ job: () => Promise.reject(new Error("no such room")) });
  await other.start();
  for (const { cluster } of [lead, other]) {
    await assert.rejects(cluster.ask("job", 1), { name: "Error", message: "no such room" });
  }
  await assert.rejects(other.cluster.ask("unheard of", 1), /does not know what "unheard of" is/);
});

test("what is told to whoever leads waits for one that does, and until it has begun", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const heard: unknown[] = [];
  const [lead, other] = [some.newProcess(), some.newProcess()];
  await lead.start();
  await other.start({ note: async (payload) => void heard.push(payload) }, async () => {
    await delay(50);
    heard.push("begun");
  });
  lead.cut();
  await other.cluster.tell("lead", "note", "meanwhile");
  await waitFor(() => heard.length === 2, "the other one to lead");
  assert.deepEqual(heard, ["begun", "meanwhile"]);
});

test("when all connections are ended, the same process goes on leading, and answers still come", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const times = { beat: 40, lease: 3000, trust: 2500, dead: 3000, forget: 10_000, wait: 10_000 };
  const all = [some.newProcess({ times }), some.newProcess({ times })];
  const gate = Promise.withResolvers<string>();
  const { promise: isAsked, resolve: hasAsked } = Promise.withResolvers<void>();
  let asks = 0;
  const job = async (payload: unknown): Promise<unknown> => {
    asks += 1;
    hasAsked();
    return asks === 1 ? new Promise(() => undefined) : payload;
  };
  for (const one of all) await one.start({ job, slow: () => gate.promise });
  const [lead, other] = all as [Process, Process];
  const slow = other.cluster.ask("slow", undefined);
  const lost = assert.rejects(other.cluster.ask("job", 1), isLeadLost);
  await isAsked;
  await some.db.all(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  assert.equal(await other.cluster.ask("job", 2), 2);
  gate.resolve("done");
  assert.equal(await slow, "done");
  // Nobody knows what became of it.
  await lost;
  await other.cluster.tell("lead", "job", 3);
  await waitFor(() => asks === 3, "what was told afterwards");
  assert.deepEqual([leads(lead), lead.turns, other.turns], [true, ["leads"], []]);
});

test("while nobody leads, a question waits for a while and no longer", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const times = { beat: 20, lease: 800, trust: 600, dead: 800, forget: 10_000, wait: 100 };
  const one = some.newProcess({ times });
  await one.start();
  one.cut();
  await waitFor(() => !leads(one), "it to count itself as lost");
  await assert.rejects(one.cluster.ask("job", 1), isLeadLost);
});

test("nothing is kept of a process that is gone", async (t) => {
  const some = await newProcesses(t);
  if (!some) return;
  const times = { beat: 20, lease: 400, trust: 300, dead: 200, forget: 400, wait: 5000 };
  const [lead, other] = [some.newProcess({ times }), some.newProcess({ times })];
  await lead.start();
  await other.start();
  other.cut();
  await lead.cluster.tell("others", "note", 1);
  await waitFor(() => lead.cluster.isAlone(), "it to be forgotten");
  assert.deepEqual(
    (await lead.cluster.processes()).map(({ id }) => id),
    [lead.cluster.self],
  );
  await waitFor(async () => (await some.db.all("select id from mail")).length === 0, "its mail to be gone");
});
