import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { failureOf } from "../../src/bridge/failure.ts";
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
