/** What holds when PostgreSQL itself crashes, as in a power cut, and comes back. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { createLog } from "../../src/ops/log.ts";
import { connectPostgres } from "../../src/store/postgres/connection.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { isPostgresTrouble } from "../../src/store/postgres/trouble.ts";
import type { NewJob, Store } from "../../src/store/store.ts";
import { statement } from "../../src/store/tables.ts";
import { postgresMissing } from "../support/postgres.ts";
import { databaseUrl, type PostgresServer, query, startPostgres } from "../support/postgres-server.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = postgresMissing() ?? false;
const log = createLog({ level: "error", format: "text", now: Date.now });
const installation = { homeserver: "hs.example", component: "matrix.example" };

/** A server that forgets, in a crash, whatever nobody has waited for. */
async function startForgetful(t: TestContext): Promise<{ server: PostgresServer; url: string }> {
  const server = await startPostgres();
  t.after(() => server.close());
  await query(server.url, "alter system set wal_writer_delay = '10s'");
  await query(server.url, "select pg_reload_conf()");
  await query(server.url, "create database bridge");
  return { server, url: databaseUrl(server.url, "bridge") };
}

async function openStore(t: TestContext, url: string): Promise<Store> {
  const { store } = await openPostgresStore({ url, now: Date.now, log, installation });
  t.after(() => store.close());
  return store;
}

const job = (cause: string): NewJob => ({
  lane: "xmpp a",
  cause,
  work: { kind: "stanza", xml: "<message/>" },
});

test("what was lost with the answer to its commit in a crash is stored, though others have got its transaction's number", {
  skip,
}, async (t) => {
  const { server, url } = await startForgetful(t);
  let isWaitedFor = false;
  let isClosed = false;
  const { promise: lost, resolve: lose } = Promise.withResolvers<void>();
  // Swallows one commit, and lets nobody in while the server is down.
  const way = createServer((client) => {
    if (isClosed) {
      client.destroy();
      return;
    }
    const there = connect(Number(new URL(server.url).port), "127.0.0.1");
    client.on("data", (data) => {
      if (isWaitedFor && data.includes("commit\0")) {
        isWaitedFor = false;
        isClosed = true;
        lose();
      } else there.write(data);
    });
    there.on("data", (data) => client.write(data));
    for (const [from, to] of [
      [client, there],
      [there, client],
    ] as const) {
      from.on("error", () => undefined);
      from.on("close", () => to.destroy());
    }
  });
  way.listen(0, "127.0.0.1");
  await once(way, "listening");
  t.after(() => way.close());
  const over = new URL(url);
  over.port = String((way.address() as AddressInfo).port);
  const db = connectPostgres(over.href);
  t.after(() => db.close());
  await migrate(db, installation);

  const block = (pattern: string): string => `insert into blocks values ('${pattern}', 'x', 1)`;
  isWaitedFor = true;
  const stored = db.durably(statement(block("precious")));
  await lost;
  await server.stop("immediate");
  await server.start();
  for (let n = 0; n < 5; n += 1) await query(url, block(String(n)));
  isClosed = false;
  try {
    await stored;
  } catch (error) {
    // On a busy machine the server may be back too late for it: then nobody was told that it is stored.
    if (isPostgresTrouble(error)) return;
    throw error;
  }
  assert.equal((await query(url, "select 1 from blocks where pattern = 'precious'")).length, 1);
});

test("after a crash a lane stays with whoever had it, and each of its jobs may have had its effect", {
  skip,
}, async (t) => {
  const { server, url } = await startForgetful(t);
  const [one, other] = [await openStore(t, url), await openStore(t, url)];
  await one.lanes.add(["1", "2", "3", "4"].map(job));
  const first = await one.lanes.next("xmpp a");
  assert.equal(first?.isTakenOver, undefined);
  await one.lanes.complete(first as NonNullable<typeof first>);
  await server.stop("immediate");
  await server.start();

  const after: { cause: string; isTakenOver?: true }[] = [];
  const held = "select 1 from causeway_lanes.job where state = 'active' and retry_count = 0";
  assert.equal((await query(url, held)).length, 1);
  await waitFor(async () => {
    const next = await one.lanes.next("xmpp a").catch(() => undefined);
    assert.equal(await other.lanes.next("xmpp a").catch(() => undefined), undefined);
    if (!next) return false;
    after.push(next);
    await one.lanes.complete(next);
    return next.cause === "4";
  }, "all to be done");
  // The first is there again, unless something else has had the disk synced meanwhile.
  assert.deepEqual(after.map(({ cause }) => cause).slice(-3), ["2", "3", "4"]);
  assert.ok(after.every(({ isTakenOver }) => isTakenOver));
});
