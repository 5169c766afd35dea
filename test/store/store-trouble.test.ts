import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { failureOf } from "../../src/bridge/failure.ts";
import { openDatabase } from "../../src/store/database.ts";
import { temporaryFolder } from "../support/bridge.ts";

const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

test("a message that meets a locked or full database is tried again, and one that the database refuses is not", (t) => {
  const folder = temporaryFolder();
  const path = join(folder.path, "a.db");
  const [one, other] = [new DatabaseSync(path), new DatabaseSync(path)];
  t.after(() => {
    one.close();
    other.close();
    folder.remove();
  });
  one.exec("create table a (b text not null); pragma max_page_count = 3");
  const full = thrownBy(() => one.prepare("insert into a values (?)").run("x".repeat(100_000)));
  const refused = thrownBy(() => one.exec("insert into a values (null)"));
  one.exec("begin immediate");
  const locked = thrownBy(() => other.exec("begin immediate"));
  assert.deepEqual(
    [full, locked, refused].map((error) => failureOf(error).retry),
    [true, true, false],
  );
});

test("no message is given up because the disk has failed, or the database was closed under it", async (t) => {
  const folder = temporaryFolder();
  t.after(folder.remove);
  const path = join(folder.path, "a.db");
  const db = openDatabase(path, undefined, () => Promise.reject(new Error("EIO")));
  db.exec("create table a (b text)");
  const failures: unknown[] = [];
  const asked = (work: Promise<unknown>): Promise<unknown> => work.catch((error) => failures.push(error));
  await asked(db.durably(() => db.run("insert into a values ('1')")));
  await asked(db.soon(() => db.run("insert into a values ('2')")));
  await asked(db.close());
  await asked(db.soon(() => db.run("insert into a values ('3')")));
  failures.push(thrownBy(() => db.one("select b from a")));
  failures.push(thrownBy(() => db.run("insert into a values ('1')")));
  writeFileSync(path, "x".repeat(10_000));
  failures.push(thrownBy(() => new DatabaseSync(path).prepare("select 1 from a")));
  assert.deepEqual(
    failures.map((error) => failureOf(error).retry),
    failures.map(() => true),
  );
  assert.equal(failures.length, 7);
});
