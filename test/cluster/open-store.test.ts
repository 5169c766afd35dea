import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserId } from "../../src/matrix/ids.ts";
import { openStore } from "../../src/open-store.ts";
import { createLog } from "../../src/ops/log.ts";
import type { Jid } from "../../src/xmpp/jid.ts";
import { newDatabase, postgresMissing } from "../support/postgres.ts";
import { startPostgres } from "../support/postgres-server.ts";
import { waitFor } from "../support/wait-for.ts";

const log = createLog({ level: "error", format: "text", now: Date.now });

const deps = (database: string, problems: (string | undefined)[] = []) => ({
  database,
  version: "1.2.3",
  now: Date.now,
  onCommit: () => undefined,
  onHeartbeat: (problem: string | undefined) => void problems.push(problem),
  installation: { homeserver: "hs.test", component: "matrix.xmpp.test" },
  log,
});

test("a bridge on SQLite is alone, and leads", async () => {
  const { store, cluster } = await openStore(deps("sqlite::memory:"));
  await cluster.start(
    {},
    async () => undefined,
    async () => undefined,
  );
  assert.deepEqual([cluster.isAlone(), cluster.isLead()], [true, true]);
  assert.deepEqual(
    (await cluster.processes()).map(({ id, version, isLead }) => ({ id, version, isLead })),
    [{ id: "alone", version: "1.2.3", isLead: true }],
  );
  await cluster.stop();
  await store.close();
});

test("bridges on one PostgreSQL know of each other, and see the same store", async (t) => {
  const database = await newDatabase(t);
  if ("missing" in database) return t.skip(database.missing);
  const both = await Promise.all([openStore(deps(database.url)), openStore(deps(database.url))]);
  for (const { cluster } of both)
    await cluster.start(
      {},
      async () => undefined,
      async () => undefined,
    );
  const [one, other] = both;
  assert.deepEqual([one.cluster.isLead(), other.cluster.isLead()], [true, false]);
  const known = await other.cluster.processes();
  assert.deepEqual(
    new Map(known.map(({ id, isLead }) => [id, isLead])),
    new Map([
      [one.cluster.self, true],
      [other.cluster.self, false],
    ]),
  );
  await one.store.ghosts.save("@_xmpp_romeo=40xmpp.test:hs.test" as UserId, "romeo@xmpp.test" as Jid);
  assert.equal(
    await other.store.ghosts.jidOf("@_xmpp_romeo=40xmpp.test:hs.test" as UserId),
    "romeo@xmpp.test",
  );
  for (const { cluster, store } of both) {
    await cluster.stop();
    await store.close();
  }
});

test("while PostgreSQL is away each heartbeat says so, and the bridge that led leads on once it is back", {
  skip: postgresMissing() ?? false,
}, async (t) => {
  const server = await startPostgres();
  const problems: (string | undefined)[] = [];
  const { store, cluster } = await openStore(deps(server.url, problems));
  t.after(async () => {
    await cluster.stop();
    await store.close();
    await server.close();
  });
  const turns: string[] = [];
  await cluster.start(
    {},
    async () => void turns.push("leads"),
    async () => void turns.push("lost"),
  );
  await server.stop("immediate");
  assert.match(
    String(await waitFor(() => problems.at(-1), "a heartbeat to fail")),
    /^no heartbeat reached it: ./,
  );
  await waitFor(() => !cluster.isLead(), "it to count itself as lost");
  await server.start();
  await waitFor(() => cluster.isLead() && problems.at(-1) === undefined, "it to lead again");
  assert.deepEqual(turns, ["leads"]);
});
