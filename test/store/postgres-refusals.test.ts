/** Databases that the bridge does not start on, and what it says of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../src/ops/log.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { newDatabase, postgresMissing } from "../support/postgres.ts";
import { query } from "../support/postgres-server.ts";

const skip = postgresMissing() ?? false;
const log = createLog({ level: "error", format: "text", now: Date.now });
const installation = { homeserver: "hs.example", component: "matrix.example" };
const open = (url: string, own = installation) =>
  openPostgresStore({ url, now: Date.now, log, installation: own });

test("a database of another installation is refused by name, and one of a newer schema", {
  skip,
}, async (t) => {
  const database = await newDatabase(t);
  if ("missing" in database) throw new Error(database.missing);
  await (await open(database.url)).store.close();
  await assert.rejects(open(database.url, { homeserver: "other.example", component: "matrix.example" }), {
    message:
      "the database belongs to another installation, the bridge of hs.example with matrix.example, " +
      "and this is the one of other.example with matrix.example: give each a database of its own",
  });
  await query(database.url, "insert into migrations (version, name) values (9999, 'tomorrow')");
  await assert.rejects(open(database.url), /schema 9999 \(tomorrow\)/);
});

test("a read-only database is refused", { skip }, async (t) => {
  const database = await newDatabase(t);
  if ("missing" in database) throw new Error(database.missing);
  const name = new URL(database.url).pathname.slice(1);
  await query(database.url, `alter database "${name}" set default_transaction_read_only = on`);
  await assert.rejects(open(database.url), /^Error: the database is read-only/);
});

test("a database that cannot be reached is named without its password", async () => {
  await assert.rejects(open("postgres://causeway:secret@127.0.0.1:1/causeway"), (error: Error) => {
    assert.equal(error.message, "the database is away: connect ECONNREFUSED 127.0.0.1:1");
    assert.ok(!JSON.stringify({ ...error, stack: error.stack, cause: error.cause }).includes("secret"));
    return true;
  });
});
