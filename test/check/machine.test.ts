/** What can be wrong on the bridge's own machine, each provoked. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, type TestContext, test } from "node:test";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { freePort } from "../servers/free-port.ts";
import { createLogLines } from "../support/log-lines.ts";
import { newDatabase, postgresMissing } from "../support/postgres.ts";
import { query } from "../support/postgres-server.ts";
import { findings, setUp, skipped } from "./set-up.ts";

/** Something else that has the port. */
async function occupy(t: TestContext, port: number): Promise<void> {
  const server = createServer((_request, response) => response.end("Ay me"));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => void server.close().closeAllConnections());
}

test("a configuration that cannot be used is told in full, and nothing else is tried", async (t) => {
  const setup = await setUp(t);
  setup.write('{"a":1,"publicUrl":"here"}');
  const results = await setup.check({ env: { CAUSEWAY_X: "1" } });
  const [line = "", ...others] = findings(results);
  assert.deepEqual(others, []);
  assert.match(line, /^FAIL {2}configuration: homeserver is missing; .*; a is not a known key; CAUSEWAY_X /);
  assert.match(
    line,
    /publicUrl must be a http:\/\/ or https:\/\/ URL.*\. To mend: correct \S*config\.json; docs/,
  );
  assert.equal(skipped(results).length, results.length - 1);
  assert.deepEqual(setup.homeserver.requests, []);
});

test("a missing file is named", async (t) => {
  const setup = await setUp(t);
  assert.match(findings(await setup.check())[0] ?? "", /config\.json cannot be read: ENOENT/);
});

test("files that others can read are named, with the command that mends it", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const registration = join(setup.folder, "registration.yaml");
  writeFileSync(registration, "", { mode: 0o644 });
  chmodSync(setup.file, 0o640);
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    `warn  private files: others than the owner can read ${setup.file}, ${registration}. ` +
      `To mend: chmod 600 ${setup.file} ${registration}`,
  ]);
  assert.deepEqual(skipped(results), []);
});

for (const [title, permissions, expected] of [
  [
    "no entry at all",
    {},
    'nobody is let in. To mend: name who may use the bridge, such as { "capulet.example": "user" }',
  ],
  [
    "nothing but blocks",
    { "*": "block", "mercutio.example": "block" },
    'nobody is let in. To mend: name who may use the bridge, such as { "capulet.example": "user" }',
  ],
  [
    "an address that is none",
    { "@juliet": "user" },
    'nobody can match "@juliet". To mend: write a whole MXID, a JID, a domain or "*" instead',
  ],
] as const) {
  test(`permissions with ${title} are told`, async (t) => {
    const setup = await setUp(t);
    setup.configure({ permissions });
    assert.deepEqual(findings(await setup.check()), [`FAIL  permissions: ${expected}`]);
  });
}

const remedy =
  "To mend: the user that runs the bridge must be able to write the file and its folder; check that user, `database`, and the space on the disk";

test("a database that is no database, or in no folder, is told", async (t) => {
  const setup = await setUp(t);
  const path = join(setup.folder, "causeway.db");
  setup.configure();
  writeFileSync(path, "O, I am fortune's fool! ".repeat(50));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  database: the database ${path} cannot be used: file is not a database. ${remedy}`,
  ]);
  setup.configure({ database: `sqlite:${setup.file}/causeway.db` });
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  database: the database ${setup.file}/causeway.db cannot be used: ${setup.file} is not a folder. ${remedy}`,
  ]);
});

test("a database that another program holds, or of a newer version, is told, and left as it was", async (t) => {
  const setup = await setUp(t);
  const path = join(setup.folder, "causeway.db");
  setup.configure();
  await openSqliteStore({ path, now: Date.now }).close();
  const db = new DatabaseSync(path);
  db.exec("insert into migrations (version, name) values (9000, 'tomorrow')");
  db.close();
  const size = statSync(path).size;
  assert.match(
    findings(await setup.check())[0] ?? "",
    /^FAIL {2}database: .*cannot be used: the database has schema 9000 \(tomorrow\), which a newer version of Causeway made; .*restore a copy/,
  );
  assert.equal(statSync(path).size, size);
});

test("a database in memory is a warning", async (t) => {
  const setup = await setUp(t);
  setup.configure({ database: "sqlite::memory:" });
  assert.deepEqual(findings(await setup.check()), [
    "warn  database: the database is kept in memory, and whatever waits in it is lost at a stop. To mend: set database to sqlite:PATH",
  ]);
});

test("an existing database that can be written passes, and a folder that is not there yet", async (t) => {
  const setup = await setUp(t);
  setup.configure({ database: "sqlite:data/deep/causeway.db" });
  assert.deepEqual(findings(await setup.check()), []);
  mkdirSync(join(setup.folder, "data/deep"), { recursive: true });
  await openSqliteStore({ path: join(setup.folder, "data/deep/causeway.db"), now: Date.now }).close();
  const database = (await setup.check()).find(({ check }) => check === "database");
  assert.deepEqual(database, { check: "database", status: "ok" });
});

suite("a database on PostgreSQL", { skip: postgresMissing() ?? false }, () => {
  const mend =
    "To mend: see that PostgreSQL runs, that address, user, password and name in `database` are right, and that the database is that user's own; docs/operators.md has the commands";

  test("passes before its first start and after it", async (t) => {
    const setup = await setUp(t);
    const database = await newDatabase(t);
    assert.ok("url" in database);
    setup.configure({ database: database.url });
    assert.deepEqual(findings(await setup.check()), []);
    const found = async () => (await setup.check()).find(({ check }) => check === "database");
    const { host, pathname } = new URL(database.url);
    const note = `the first start makes the tables in postgres://${host}${pathname}`;
    assert.deepEqual(await found(), { check: "database", status: "ok", note });
    await openOn(database.url, setup.prosody.component);
    assert.deepEqual(await found(), { check: "database", status: "ok" });
  });

  test("is told where it is not there, not reached, somebody else's, read-only or another user's", async (t) => {
    const setup = await setUp(t);
    const database = await newDatabase(t);
    assert.ok("url" in database);
    const told = async (url: string): Promise<string> => {
      setup.configure({ database: url });
      const [line = ""] = findings(await setup.check());
      assert.ok(line.endsWith(mend), line);
      return line.slice(line.indexOf(" cannot be used: ") + " cannot be used: ".length, -mend.length - 2);
    };
    const nowhere = new URL(database.url);
    nowhere.port = String(await freePort());
    nowhere.password = "Rosaline";
    assert.equal(
      await told(nowhere.href),
      `the database is away: connect ECONNREFUSED ${nowhere.hostname}:${nowhere.port}`,
    );
    const missing = new URL(database.url);
    missing.pathname = "/rosaline";
    assert.equal(await told(missing.href), 'the database is away: database "rosaline" does not exist');
    const latin = new URL(database.url);
    latin.pathname = `${latin.pathname}_latin`;
    const name = latin.pathname.slice(1);
    await query(
      database.url,
      `create database ${name} encoding 'LATIN1' locale_provider libc locale 'C' template template0`,
    );
    assert.match(
      await told(latin.href),
      /^the database is in LATIN1: make one with `createdb --encoding=UTF8/,
    );
    await query(database.url, `drop database ${name}`);
    const reading = new URL(database.url);
    reading.searchParams.set("options", "-c default_transaction_read_only=on");
    assert.match(await told(reading.href), /^the database is read-only: let /);
    await query(database.url, "drop role if exists mercutio");
    await query(database.url, "create role mercutio login");
    const another = new URL(database.url);
    another.username = "mercutio";
    assert.match(
      await told(another.href),
      /^the user mercutio may not create tables and schemas in it: alter /,
    );
    await query(database.url, "drop role mercutio");
    await openOn(database.url, "another.example");
    assert.match(
      await told(database.url),
      /^the database belongs to another installation, the bridge of hs\.test/,
    );
    await query(database.url, "insert into migrations (version, name) values (9000, 'tomorrow')");
    assert.match(
      await told(database.url),
      /^the database has schema 9000 \(tomorrow\), which a newer version/,
    );
  });
});

/** As a first start leaves it. */
async function openOn(url: string, component: string): Promise<void> {
  const { store } = await openPostgresStore({
    ...{ url, now: Date.now, log: createLogLines().log },
    installation: { homeserver: "hs.test", component },
  });
  await store.close();
}

test("a port that another program has is told, for listen and admin", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  await occupy(t, setup.port);
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    `FAIL  listen port: another program than this bridge listens on 127.0.0.1:${setup.port}. ` +
      "To mend: stop it, or set listen.port to a free one, and appservice.url with it",
  ]);
  assert.deepEqual(skipped(results), ["homeserver to bridge", "Prosody to bridge", "public URL"]);

  await occupy(t, setup.adminPort);
  assert.deepEqual(findings(await setup.check()).slice(0, 1), [
    `FAIL  admin port: another program than this bridge listens on 127.0.0.1:${setup.adminPort}. ` +
      "To mend: stop it, or set admin.port to a free one",
  ]);
});

test("an address of another machine, and no fixed port, are told", async (t) => {
  const setup = await setUp(t);
  setup.configure({ listen: { host: "192.0.2.1", port: setup.port }, admin: { host: "192.0.2.1", port: 1 } });
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  admin port: 192.0.2.1 is no address of this machine. To mend: correct admin.host",
    "FAIL  listen port: 192.0.2.1 is no address of this machine. To mend: correct listen.host",
  ]);
  setup.configure({ listen: { host: "127.0.0.1", port: 0 } });
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  listen port: listen.port is 0: the bridge would be at another port after each start. To mend: set it to a fixed one",
  ]);
});

test("a bridge that was started with another configuration is told to be restarted", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  await setup.run();
  const stale =
    "FAIL  listen port: the bridge that runs has another configuration than this one. To mend: restart it";
  setup.configure({ appservice: { ...setup.sound.appservice, hsToken: "another-token-0123" } });
  assert.deepEqual(findings(await setup.check()), [stale]);
  setup.configure({ xmpp: { ...setup.sound.xmpp, callbackSecret: "another0123456789" } });
  assert.deepEqual(findings(await setup.check()), [stale]);
  setup.configure({ listen: { host: "127.0.0.1", port: await freePort() } });
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  listen port: a bridge runs with this admin port, but it does not listen here. To mend: restart the bridge, so that it runs with this configuration",
  ]);
});
