import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { openDatabase } from "../../src/store/database.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { type Clock, type OpenStore, testStore } from "./contract.ts";

async function newPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "causeway-store-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "deep", "causeway.db");
}

async function open(t: TestContext, clock: Clock): Promise<OpenStore> {
  const path = await newPath(t);
  const openIt = () => openSqliteStore({ path, now: () => clock.ms });
  let store = openIt();
  t.after(() => store.close());
  const reopen = async () => {
    await store.close();
    store = openIt();
    return store;
  };
  return { store, reopen };
}

testStore("SQLite", open);

test("a database of a newer schema is refused and left as it is", async (t) => {
  const path = await newPath(t);
  await openSqliteStore({ path, now: () => 0 }).close();
  const db = openDatabase(path);
  db.run("insert into migrations (version, name) values (9999, 'tomorrow')");
  await db.close();
  assert.throws(() => openSqliteStore({ path, now: () => 0 }), /schema 9999 \(tomorrow\)/);
});

test("whoever watches is told of lanes that get jobs, ahead of those who stored them", async (t) => {
  const { store } = await open(t, { ms: 0 });
  const told: string[] = [];
  store.lanes.watch((lanes) => told.push(...lanes));
  const work = { kind: "stanza", xml: "<message/>" } as const;
  const added = store.lanes.add(["a", "b", "a"].map((lane) => ({ lane, cause: "c", work })));
  await added.then(() => told.push("added"));
  assert.deepEqual(told, ["a", "b", "added"]);
});
