import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { suite, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../../src/store/database.ts";
import { type MoveDeps, moveToPostgres } from "../../src/store/postgres/move.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { sample } from "../config/sample.ts";
import { freePort } from "../servers/free-port.ts";
import { createLogLines } from "../support/log-lines.ts";
import { newDatabase, postgresMissing } from "../support/postgres.ts";
import { query } from "../support/postgres-server.ts";
import { fill } from "./filled.ts";

const installation = { homeserver: "hs.example", component: "bridge.xmpp.example" };
const skip = postgresMissing() ?? false;

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "causeway-move-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function filledFile(t: TestContext, count: number): Promise<string> {
  const path = join(newFolder(t), "causeway.db");
  const store = openSqliteStore({ path, now: () => 1_700_000_000_000 });
  await fill(store, count);
  await store.close();
  return path;
}

async function emptyTarget(t: TestContext): Promise<string> {
  const database = await newDatabase(t);
  assert.ok("url" in database);
  return database.url;
}

async function move(deps: Pick<MoveDeps, "from" | "to"> & Partial<MoveDeps>): Promise<string[]> {
  const lines: string[] = [];
  await moveToPostgres({
    installation,
    now: Date.now,
    log: createLogLines().log,
    tell: (line) => void lines.push(line),
    ...deps,
  });
  return lines;
}

/** One call that is ended with its so many-th line. @returns whether it came to its end before. */
async function moveUntil(from: string, to: string, lines: number): Promise<boolean> {
  const script = fileURLToPath(new URL("./move-process.ts", import.meta.url));
  const child = spawn(process.execPath, [script, from, to, "7"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  let count = 0;
  for await (const _ of createInterface({ input: child.stdout })) {
    count += 1;
    if (count === lines) child.kill("SIGKILL");
  }
  return (await ended) === 0;
}

const bytesBeside = (path: string): string[] =>
  readdirSync(join(path, ".."))
    .sort()
    .map(
      (name) =>
        `${name} ${createHash("sha256")
          .update(readFileSync(join(path, "..", name)))
          .digest("hex")}`,
    );

/** Of each lane, in order. */
class Causes extends Map<string, string[]> {
  add(lane: string, cause: string): void {
    this.set(lane, [...(this.get(lane) ?? []), cause]);
  }
}

/** Each table with its rows as texts, none of them in any order. */
async function contentsOf(
  read: (sql: string) => Promise<Record<string, unknown>[]>,
  tables: readonly string[],
): Promise<Record<string, string[]>> {
  const contents: Record<string, string[]> = {};
  for (const table of tables) {
    const rows = await read(`select * from ${table}`);
    contents[table] = rows
      .map(({ token: _, ...row }) => {
        const entries = Object.entries(row).map(([name, value]) => [
          name,
          value === null ? null : String(value).replaceAll("\0", "\u{fffd}"),
        ]);
        return JSON.stringify(entries.sort());
      })
      .sort();
  }
  return contents;
}

suite("moving from SQLite to PostgreSQL", { skip }, () => {
  test("everything is there afterwards, wherever it was broken off, and the file is as it was", async (t) => {
    const from = await filledFile(t, 40);
    const to = await emptyTarget(t);
    const before = bytesBeside(from);
    let calls = 1;
    while (!(await moveUntil(from, to, 1 + Math.floor(Math.random() * 60)))) {
      calls += 1;
      assert.ok(calls < 100);
    }
    t.diagnostic(`${calls} calls`);
    assert.deepEqual(bytesBeside(from), before);

    const file = openDatabase(from);
    t.after(() => file.close());
    const tables = file
      .all(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name <> 'migrations'",
      )
      .map(({ name }) => String(name));
    assert.equal(tables.length, 21);
    const there = await contentsOf(async (sql) => file.all(sql), tables);
    assert.deepEqual(await contentsOf((sql) => query(to, sql), tables), there);
    for (const [table, rows] of Object.entries(there)) assert.ok(rows.length > 0, table);
    assert.deepEqual(await move({ from, to }), ["Everything had been moved before; nothing was changed."]);
  });

  test("what waits is done in its order by a bridge that starts on it, and new rows come behind", async (t) => {
    const from = await filledFile(t, 30);
    const to = await emptyTarget(t);
    const old = openSqliteStore({ path: from, now: Date.now });
    const expected = new Causes();
    for (const { lane, cause } of await old.lanes.queued())
      expected.add(lane, cause.replaceAll("\0", "\u{fffd}"));
    const parked = (await old.lanes.parked()).length;
    await old.close();
    assert.ok(expected.size > 5 && parked > 5);
    await move({ from, to });

    const { store } = await openPostgresStore({
      ...{ url: to, now: Date.now, log: createLogLines().log, installation },
    });
    t.after(() => store.close());
    store.lanes.watch(
      () => undefined,
      () => 100,
    );
    await store.lanes.add([{ lane: "xmpp a0", cause: "new", work: { kind: "stanza", xml: "" } }]);
    expected.add("xmpp a0", "new");
    const done = new Causes();
    for (let lanes = await store.lanes.waiting(); lanes.length > 0; lanes = await store.lanes.waiting()) {
      for (const lane of lanes) {
        for (let job = await store.lanes.next(lane); job; job = await store.lanes.next(lane)) {
          done.add(lane, job.cause);
          await store.lanes.complete(job);
        }
      }
    }
    assert.deepEqual(done, expected);
    assert.equal((await store.lanes.parked()).length, parked);
  });

  test("a bridge does not start on what is not whole, and the check says so", async (t) => {
    const from = await filledFile(t, 10);
    const to = await emptyTarget(t);
    assert.equal(await moveUntil(from, to, 3), false);
    await assert.rejects(
      openPostgresStore({ url: to, now: Date.now, log: createLogLines().log, installation }),
      {
        message:
          "`causeway migrate` has not finished with this database: run it again, it goes on where it stopped",
      },
    );
    const other = await filledFile(t, 1);
    await assert.rejects(
      move({ from: other, to }),
      /^Error: the target has what was moved from .*: make another/,
    );
  });

  test("a target that a bridge has used, or of another installation, is refused", async (t) => {
    const from = await filledFile(t, 1);
    const to = await emptyTarget(t);
    const { store } = await openPostgresStore({
      url: to,
      now: Date.now,
      log: createLogLines().log,
      installation,
    });
    await store.botRooms.save({ roomId: "!tomb:hs.example" as never, userId: undefined });
    await store.close();
    await assert.rejects(move({ from, to }), /the target is not empty, its table bot_rooms has rows/);
    const another = { ...installation, homeserver: "another.example" };
    await assert.rejects(move({ from, to, installation: another }), /belongs to another installation/);
  });

  test("the command says what it needs, moves, and shows no password", async (t) => {
    const from = await filledFile(t, 3);
    const to = new URL(await emptyTarget(t));
    const config = join(newFolder(t), "config.json");
    writeFileSync(config, JSON.stringify({ ...sample, database: `sqlite:${from}` }));
    const bin = fileURLToPath(new URL("../../bin/causeway.js", import.meta.url));
    const causeway = (...argv: string[]) => {
      const run = spawnSync(process.execPath, [bin, "migrate", "--config", config, ...argv], {
        encoding: "utf8",
      });
      assert.doesNotMatch(run.stdout + run.stderr, /Rosaline/);
      return { status: run.status, stderr: run.stderr, said: run.stdout.trim().split("\n").slice(-2) };
    };
    assert.match(causeway().stderr, /required option '--to <address>' not specified/);
    const wrong = (...argv: string[]) => causeway(...argv).stderr;
    assert.equal(wrong("--to", "sqlite:b"), "causeway: --to must be postgres://USER@HOST/NAME\n");
    assert.equal(wrong("--to", to.href, "--from", to.href), "causeway: --from must be sqlite:PATH\n");
    assert.match(wrong("--to", "postgres://x:Rosaline%@db/x"), /^causeway: --to must be a URL such as /);
    const nowhere = new URL(to);
    nowhere.port = String(await freePort());
    to.password = "Rosaline";
    nowhere.password = "Rosaline";
    assert.match(wrong("--to", nowhere.href), /^causeway: the database is away: connect ECONNREFUSED /);
    assert.deepEqual(causeway("--to", to.href), {
      status: 0,
      stderr: "",
      said: [
        "Everything has been moved.",
        `Now set database to the address of postgres://${to.host}${to.pathname} in ${config}, and start the bridge.`,
      ],
    });
  });

  test("a file that is in use, missing, of another schema or changed meanwhile is refused", async (t) => {
    const from = await filledFile(t, 10);
    const to = await emptyTarget(t);
    await assert.rejects(move({ from: `${from}.none`, to }), /there is no database /);
    const store = openSqliteStore({ path: from, now: Date.now });
    await store.botRooms.save({ roomId: "!tomb:hs.example" as never, userId: undefined });
    await assert.rejects(move({ from, to }), /a bridge runs on .*: stop it/);
    await store.close();

    assert.equal(await moveUntil(from, to, 60), false);
    const again = openSqliteStore({ path: from, now: Date.now });
    await again.blocks.remove("a0");
    await again.close();
    await assert.rejects(move({ from, to }), /^Error: not the same on both sides: blocks\. /);

    const db = openDatabase(from);
    db.exec("delete from migrations where version = (select max(version) from migrations)");
    await db.close();
    await assert.rejects(
      move({ from, to }),
      /has schema \d+, of an older version of Causeway: start this version/,
    );
    const later = openDatabase(from);
    later.exec("insert into migrations values (9000, 'tomorrow')");
    await later.close();
    await assert.rejects(move({ from, to }), /has schema 9000 \(tomorrow\), which a newer version/);
  });
});
