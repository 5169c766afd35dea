import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { type Migration, migrate, readMigrations } from "../../src/store/migrate.ts";

const first: Migration = { version: 1, name: "people", sql: "create table people (name text);" };
const second: Migration = {
  version: 2,
  name: "houses",
  sql: "alter table people add column house text; update people set house = 'Montague';",
};

function memory(t: TestContext): Database {
  const db = openDatabase(":memory:");
  t.after(() => db.close());
  return db;
}

const versions = (db: Database) =>
  db.all("select version, name from migrations order by version").map((r) => ({ ...r }));

test("the migrations that ship are numbered from 1 without a gap", () => {
  const shipped = readMigrations();
  assert.deepEqual(
    shipped.map(({ version }) => version),
    shipped.map((_, index) => index + 1),
  );
  assert.ok(shipped.every(({ name, sql }) => name !== "" && sql !== ""));
});

test("a fresh database gets all migrations, and a second start none", (t) => {
  const db = memory(t);
  migrate(db, [first, second]);
  migrate(db, [first, second]);
  assert.deepEqual(versions(db), [
    { version: 1, name: "people" },
    { version: 2, name: "houses" },
  ]);
});

test("an older database gets what it lacks and keeps its rows", (t) => {
  const db = memory(t);
  migrate(db, [first]);
  db.run("insert into people values ('Romeo')");
  migrate(db, [first, second]);
  assert.deepEqual({ ...db.one("select * from people") }, { name: "Romeo", house: "Montague" });
});

test("a migration that fails half-way leaves no trace, and the one before it stays", (t) => {
  const db = memory(t);
  const broken = { ...second, sql: `${second.sql} insert into nowhere values (1);` };
  assert.throws(() => migrate(db, [first, broken]), /nowhere/);
  assert.deepEqual(versions(db), [{ version: 1, name: "people" }]);
  assert.throws(() => db.one("select house from people"), /no such column/);
  migrate(db, [first, second]);
});

test("a database of a newer version is refused in a sentence that names both", (t) => {
  const db = memory(t);
  migrate(db, [first, second]);
  assert.throws(() => migrate(db, [first]), {
    message:
      "the database has schema 2 (houses), which a newer version of Causeway made; this version knows schemas " +
      "up to 1: run the newer version, or restore a copy from before its upgrade",
  });
});
