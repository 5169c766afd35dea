import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { openDatabase } from "../../src/store/database.ts";
import { waitFor } from "../support/wait-for.ts";

function table(t: TestContext) {
  const db = openDatabase(":memory:");
  t.after(() => db.close());
  db.exec("create table numbers (n integer primary key)");
  const insert = (n: number) => db.run("insert into numbers values (?)", n);
  const numbers = () => db.all("select n from numbers order by n").map(({ n }) => n);
  return { db, insert, numbers };
}

test("work that fails in a group commit is undone alone, and only its caller hears of it", async (t) => {
  const { db, insert, numbers } = table(t);
  const results = await Promise.allSettled([
    db.durably(() => insert(1)),
    db.durably(() => {
      insert(2);
      throw new Error("changed my mind");
    }),
    db.durably(() => insert(1)),
    db.durably(() => insert(3)),
  ]);
  assert.deepEqual(
    results.map((result) =>
      result.status === "fulfilled" ? result.value : (result.reason as Error).message,
    ),
    [1, "changed my mind", "UNIQUE constraint failed: numbers.n", 1],
  );
  assert.deepEqual(numbers(), [1, 3]);
});

test("work of one group runs in the order of asking, and the next group after it", async (t) => {
  const { db } = table(t);
  const order: number[] = [];
  const ask = (n: number) => db.durably(() => void order.push(n));
  await Promise.all([ask(1), ask(2), ask(3)]);
  await ask(4);
  assert.deepEqual(order, [1, 2, 3, 4]);
});

test("nothing is promised before it is committed", async (t) => {
  const { db, insert, numbers } = table(t);
  const promise = db.durably(() => insert(1));
  assert.deepEqual(numbers(), []);
  await promise;
  assert.deepEqual(numbers(), [1]);
});

test("a commit that fails is undone whole", (t) => {
  const { db, insert, numbers } = table(t);
  assert.throws(() =>
    db.commit(() => {
      insert(1);
      insert(1);
    }),
  );
  assert.deepEqual(numbers(), []);
  assert.equal(
    db.commit(() => insert(1)),
    1,
  );
});

test("closing commits first what was asked for", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "causeway-database-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "a", "b.db");
  const db = openDatabase(path);
  db.exec("create table numbers (n integer)");
  const asked = db.durably(() => db.run("insert into numbers values (1)"));
  await db.close();
  await asked;
  const again = openDatabase(path);
  assert.deepEqual({ ...again.one("select n from numbers") }, { n: 1 });
  await again.close();
});

/** A database on disk whose syncs end when the test says so. */
async function slowDisk(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "causeway-database-"));
  t.after(() => rm(folder, { recursive: true }));
  const syncs: { resolve(): void; reject(error: Error): void }[] = [];
  const told: (string | undefined)[] = [];
  const db = openDatabase(
    join(folder, "a.db"),
    (problem, { isDurable }) => void (isDurable && told.push(problem)),
    () => new Promise((resolve, reject) => syncs.push({ resolve, reject })),
  );
  db.exec("create table numbers (n integer primary key)");
  return { db, syncs, told, insert: (n: number) => db.run("insert into numbers values (?)", n) };
}

test("what is to last is promised when it is on the platter, all that was committed before a sync by that one", async (t) => {
  const { db, syncs, told, insert } = await slowDisk(t);
  const promised: string[] = [];
  const first = db.durably(() => insert(1)).then(() => promised.push("1 lasts"));
  await db.soon(() => insert(2)).then(() => promised.push("2 is there"));
  const [second, third] = [3, 4].map((n) =>
    db.durably(() => insert(n)).then(() => promised.push(`${n} lasts`)),
  );
  await db.soon(() => insert(5)).then(() => promised.push("5 is there"));
  assert.deepEqual([promised, syncs.length, told], [["2 is there", "5 is there"], 1, []]);
  syncs[0]?.resolve();
  await first;
  // Committed while the first sync was under way, which may have missed them.
  await waitFor(() => syncs.length === 2, "the second sync");
  assert.deepEqual(promised, ["2 is there", "5 is there", "1 lasts"]);
  syncs[1]?.resolve();
  await Promise.all([second, third]);
  assert.deepEqual(promised.slice(3), ["3 lasts", "4 lasts"]);
  assert.deepEqual([syncs.length, told], [2, [undefined, undefined]]);
  const closed = db.close();
  await waitFor(() => syncs.length === 3, "the last sync");
  syncs[2]?.resolve();
  await closed;
});

test("after a sync that failed nothing is promised any more, and the reason is told", async (t) => {
  const { db, syncs, told, insert } = await slowDisk(t);
  const asked = db.durably(() => insert(1));
  await waitFor(() => syncs.length === 1, "the sync");
  syncs[0]?.reject(new Error("EIO"));
  const lost = /could not be written to the disk: mend that, and restart/;
  await assert.rejects(asked, lost);
  await assert.rejects(
    db.durably(() => insert(2)),
    lost,
  );
  await assert.rejects(
    db.soon(() => insert(3)),
    lost,
  );
  assert.equal(told.length, 2);
  for (const problem of told) assert.match(problem ?? "", lost);
  await assert.rejects(db.close(), lost);
});

test("what was committed while a sync failed is not promised either, though the disk takes the next one", async (t) => {
  const { db, syncs, told, insert } = await slowDisk(t);
  const first = db.durably(() => insert(1));
  await waitFor(() => syncs.length === 1, "the sync");
  const second = db.durably(() => insert(2));
  await db.soon(() => insert(3));
  syncs[0]?.reject(new Error("EIO"));
  const lost = /could not be written to the disk: mend that, and restart/;
  await assert.rejects(first, lost);
  await assert.rejects(second, lost);
  assert.equal(syncs.length, 1);
  assert.ok(told.every((problem) => lost.test(problem ?? "")));
  await assert.rejects(db.close(), lost);
});

test("nobody else may read the database's files, nor look into a folder that was made for it", async (t) => {
  const outside = await mkdtemp(join(tmpdir(), "causeway-"));
  t.after(() => rm(outside, { recursive: true, force: true }));
  const folder = join(outside, "data");
  const umask = process.umask(0);
  const db = openDatabase(join(folder, "causeway.db"));
  process.umask(umask);
  db.exec("create table numbers (n integer primary key)");
  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  const modes = readdirSync(folder).map((name) => [name, modeOf(join(folder, name))]);
  assert.deepEqual(
    [modeOf(folder), ...modes.sort()],
    ["700", ["causeway.db", "600"], ["causeway.db-shm", "600"], ["causeway.db-wal", "600"]],
  );
  await db.close();
});
