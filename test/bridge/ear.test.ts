/** Who takes Prosody's stanzas, with several processes in one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { createEar, type Ear } from "../../src/bridge/ear.ts";
import { createRandom } from "../faults/random.ts";
import { createLogLines } from "../support/log-lines.ts";

type Deliver = (kind: string, way: string, arrive: () => Promise<unknown>) => Promise<unknown>;

/** Processes that reach each other at once, or as `deliver` has it. */
function createHub(deliver: Deliver = (_kind, _way, arrive) => arrive()) {
  const ears = new Map<string, Ear>();
  return {
    add(self: string, now = (): number => performance.now()): Ear {
      const ear = createEar({
        log: createLogLines().log,
        now,
        times: { patience: 15_000, look: 5, tellAgain: 20, settle: 0, late: 10 },
        cluster: {
          self,
          others: async () => [...ears.keys()].filter((id) => id !== self),
          async tell(to, kind, payload) {
            const answers = ears.get(to)?.answers;
            if (answers)
              await deliver(kind, `${self} to ${to}`, () => answers[kind as keyof typeof answers](payload));
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
  await sleep(30);
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
  await sleep(30);
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
  await sleep(30);
  all.push(hub.add("three").hear(quickly("c")));
  await sleep(30);
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
  await sleep(30);
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

test("what comes to two processes while both wait is stored in the order in which it came", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two, three] = [hub.add("one"), hub.add("two"), hub.add("three")];
  const { work, resolve } = slowly("first");
  const all: Promise<void>[] = [three.hear(work)];
  await sleep(30);
  for (const what of ["a", "b", "c"]) {
    all.push(one.hear(quickly(`${what} to one`)));
    await sleep(30);
    all.push(two.hear(quickly(`${what} to two`)));
    await sleep(30);
  }
  resolve();
  await Promise.all(all);
  assert.deepEqual(stored, [
    "first",
    ...["a", "b", "c"].flatMap((what) => [`${what} to one`, `${what} to two`]),
  ]);
});

test("what a busy process notices a moment after another one has been given the next is stored first", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  let ms = 0;
  const now = (): number => ms;
  const [one, two, three] = [hub.add("one", now), hub.add("two", now), hub.add("three", now)];
  const { work, resolve } = slowly("first");
  const all: Promise<void>[] = [three.hear(work)];
  await sleep(30);
  for (const [at, ear, what] of [
    [100, one, "a"],
    [200, two, "c"],
    [208, one, "b"],
    [212, one, "d"],
  ] as const) {
    ms = at;
    all.push(ear.hear(quickly(what)));
    await sleep(30);
  }
  resolve();
  await Promise.all(all);
  assert.deepEqual(stored, ["first", "a", "b", "c", "d"]);
});

test("a yield to a wish that was given up is not taken for one to the next wish", async () => {
  const { stored, quickly, slowly } = createStorage();
  const late: (() => Promise<unknown>)[] = [];
  let isSlow = true;
  const hub = createHub(async (kind, _way, arrive) => {
    if (kind === "earYielded" && isSlow) late.push(arrive);
    else await arrive();
  });
  const [one, two] = [hub.add("one"), hub.add("two")];
  const givenUp = two.hear(quickly("never"));
  await sleep(30);
  two.doubt();
  await assert.rejects(givenUp, /the database was away/);
  isSlow = false;
  const { work, resolve } = slowly("a");
  const before = one.hear(work);
  await sleep(30);
  const after = two.hear(quickly("b"));
  await sleep(10);
  for (const arrive of late) await arrive();
  await sleep(30);
  assert.deepEqual(stored, []);
  resolve();
  await Promise.all([before, after]);
  assert.deepEqual(stored, ["a", "b"]);
});

test("a wish that a crash of the database has lost is told again", async () => {
  const { stored, quickly, slowly } = createStorage();
  let lost = 0;
  const hub = createHub(async (_kind, _way, arrive) => {
    lost += 1;
    if (lost > 2) await arrive();
  });
  const [one, two] = [hub.add("one"), hub.add("two")];
  const { work, resolve } = slowly("a");
  const before = one.hear(work);
  await sleep(50);
  const after = two.hear(quickly("b"));
  await sleep(50);
  assert.deepEqual(stored, []);
  resolve();
  await Promise.all([before, after]);
  assert.deepEqual(stored, ["a", "b"]);
});

test("what comes to a process after another's wish is done after what that one has", async () => {
  const { stored, quickly, slowly } = createStorage();
  const hub = createHub();
  const [one, two, three] = [hub.add("one"), hub.add("two"), hub.add("three")];
  const { work, resolve } = slowly("a");
  const all: Promise<void>[] = [three.hear(work)];
  await sleep(30);
  all.push(one.hear(quickly("b")));
  await sleep(30);
  all.push(two.hear(quickly("c")));
  await sleep(30);
  all.push(one.hear(quickly("d")));
  await sleep(30);
  resolve();
  await Promise.all(all);
  assert.deepEqual(stored, ["a", "b", "c", "d"]);
});

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`no two processes store at the same time, whatever is told late or lost, and all is stored (${seed})`, async () => {
    const random = createRandom(seed);
    const inOrder = new Map<string, Promise<unknown>>();
    const hub = createHub(async (_kind, way, arrive) => {
      // What one process tells another arrives in order, if it does.
      if (random.chance(0.1)) return;
      const before = inOrder.get(way);
      const late = random.whole(0, 8);
      inOrder.set(
        way,
        (async () => {
          await Promise.all([before, sleep(late)]);
          await arrive();
        })(),
      );
    });
    const names = ["one", "two", "three", "four"];
    const ears: Ear[] = [];
    // Two are there from the beginning, the others come later, and no clock is like another.
    for (const [n, name] of names.entries()) {
      const join = (): void => void ears.push(hub.add(name, () => Date.now() - n * 50));
      if (n < 2) join();
      else setTimeout(join, n * 60);
    }
    const underWay = new Map<string, number>();
    const overlaps: string[] = [];
    let done = 0;
    const all = Array.from({ length: 120 }, async () => {
      await sleep(random.whole(0, 400));
      const n = random.whole(0, ears.length - 1);
      const name = String(names[n]);
      await ears[n]?.hear(async () => {
        underWay.set(name, (underWay.get(name) ?? 0) + 1);
        const at = [...underWay].flatMap(([other, works]) => (works > 0 ? [other] : []));
        if (at.length > 1) overlaps.push(at.join(" and "));
        await sleep(random.whole(0, 5));
        underWay.set(name, (underWay.get(name) ?? 0) - 1);
        done += 1;
      });
    });
    await Promise.all(all);
    assert.deepEqual({ overlaps, done }, { overlaps: [], done: 120 });
  });
}
