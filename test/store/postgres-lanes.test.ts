/** What several processes on one PostgreSQL database may rely on. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { failureOf } from "../../src/bridge/failure.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import { createLog } from "../../src/ops/log.ts";
import type { Postgres } from "../../src/store/postgres/connection.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { EventJob, NewJob, Store } from "../../src/store/store.ts";
import { newDatabase, postgresMissing } from "../support/postgres.ts";
import { query } from "../support/postgres-server.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = postgresMissing() ?? false;
const log = createLog({ level: "error", format: "text", now: Date.now });
const installation = { homeserver: "hs.example", component: "matrix.example" };

interface Opened {
  store: Store;
  postgres: Postgres;
}

async function openTwo(t: TestContext): Promise<{ url: string; one: Opened; other: Opened }> {
  const database = await newDatabase(t);
  if ("missing" in database) throw new Error(database.missing);
  const { url } = database;
  const open = async (): Promise<Opened> => {
    const opened = await openPostgresStore({ url, now: Date.now, log, installation });
    t.after(() => opened.store.close());
    return opened;
  };
  // At the same time, so that both would make the schema.
  const [one, other] = await Promise.all([open(), open()]);
  return { url, one, other };
}

const job = (cause: string, lane = "xmpp a"): NewJob => ({
  lane,
  cause,
  work: { kind: "stanza", xml: "<message/>" },
});

/** Does all that comes; told of each job while it is worked at. */
function work({ lanes }: Store, handle: (cause: string, lane: string) => Promise<void>): void {
  const running = new Map<string, { more: boolean }>();
  const run = async (lane: string): Promise<void> => {
    const turn = running.get(lane);
    if (turn) turn.more = true;
    if (turn) return;
    const own = { more: true };
    running.set(lane, own);
    while (own.more) {
      own.more = false;
      for (;;) {
        const next = await lanes.next(lane).catch(() => undefined);
        if (!next) break;
        await handle(next.cause, lane);
        await lanes.complete(next);
      }
    }
    running.delete(lane);
  };
  const take = (names: readonly string[]): void => {
    for (const name of names) void run(name);
  };
  lanes.watch(take, () => Math.max(0, 5 - running.size));
}

const tokensIn = async (url: string): Promise<number> =>
  (await query(url, "select id from causeway_lanes.job")).length;

test("a lane is with one process at a time, and its jobs are done in order, whichever stored them", {
  skip,
}, async (t) => {
  const { url, one, other } = await openTwo(t);
  const done = new Map<string, number[]>();
  const busy = new Set<string>();
  const by: [number, number] = [0, 0];
  for (const [at, { store }] of [one, other].entries()) {
    work(store, async (cause, lane) => {
      assert.ok(!busy.has(lane), `${lane} is with two`);
      busy.add(lane);
      await new Promise(setImmediate);
      done.set(lane, [...(done.get(lane) ?? []), Number(cause)]);
      by[at === 0 ? 0 : 1] += 1;
      busy.delete(lane);
    });
  }
  const names = Array.from({ length: 20 }, (_, at) => `${at % 2 ? "xmpp" : "matrix"} ${at}`);
  const each = 20;
  await Promise.all(
    names.map(async (lane, at) => {
      for (let n = 0; n < each; n += 1) {
        const { lanes } = (n + at) % 2 ? one.store : other.store;
        await lanes.add([job(String(n), lane)]);
      }
    }),
  );
  await waitFor(() => by[0] + by[1] === names.length * each, "all jobs to be done");
  const inOrder = Array.from({ length: each }, (_, n) => n);
  for (const lane of names) assert.deepEqual(done.get(lane), inOrder);
  assert.ok(by.every((count) => count > 0));
  await waitFor(async () => (await tokensIn(url)) === 0, "the tokens to be gone");
});

test("what a stopped process had comes to another at once, and nothing is left over", { skip }, async (t) => {
  const { one, other } = await openTwo(t);
  await one.store.lanes.add([job("1"), job("2")]);
  assert.equal((await one.store.lanes.next("xmpp a"))?.cause, "1");
  assert.equal(await other.store.lanes.next("xmpp a"), undefined);
  const told: string[] = [];
  other.store.lanes.watch(
    (lanes) => told.push(...lanes),
    () => 10,
  );
  await one.store.close();
  await waitFor(() => told.length > 0, "the lane", 1_500);
  const next = await other.store.lanes.next("xmpp a");
  assert.deepEqual([next?.cause, next?.isTakenOver], ["1", true]);
  assert.ok(next);
  await other.store.lanes.complete(next);
  const second = await other.store.lanes.next("xmpp a");
  assert.deepEqual([second?.cause, second?.isTakenOver], ["2", undefined]);
});

test("what a process had that died comes to another, as something that may have had its effect", {
  skip,
}, async (t) => {
  const { one, other } = await openTwo(t);
  await one.store.lanes.add([job("1")]);
  const lost = await one.store.lanes.next("xmpp a");
  assert.ok(lost);
  await one.postgres.close();
  const next = await waitFor(() => other.store.lanes.next("xmpp a"), "the lane", 30_000);
  assert.deepEqual([next.cause, next.isTakenOver], ["1", true]);
  const late = await one.store.lanes.complete(lost).catch((error) => error);
  assert.equal(failureOf(late).retry, true);
});

test("a transaction that is handed to two processes at the same time counts once", { skip }, async (t) => {
  const { one, other } = await openTwo(t);
  const roomId = "!garden:hs.example" as RoomId;
  const events = Array.from({ length: 30 }, (_, at): EventJob => {
    const event = {
      room_id: roomId,
      event_id: `$${at}`,
      type: "m",
      sender: "@juliet:hs.example",
      content: {},
    };
    return { lane: "matrix a", cause: `$${at}`, work: { kind: "event", event } as never };
  });
  const hand = (store: Store, id: string, jobs: readonly EventJob[]) =>
    store.transactions.accept({ id, digest: "d", jobs, unsure: new Set() });
  const taken = await Promise.all([
    hand(one.store, "t1", events.slice(0, 10)),
    hand(other.store, "t1", events.slice(0, 10)),
    // The same events in other transactions, and in another order.
    hand(one.store, "t2", events.slice(10)),
    hand(other.store, "t3", events.slice(10).reverse()),
  ]);
  assert.equal(taken.flat().length, 30);
  const stored = (await one.store.lanes.queued()).map(({ cause }) => cause);
  assert.deepEqual(stored.toSorted(), events.map(({ cause }) => cause).toSorted());
});

test("what was answered as stored is there once, and what was refused is not, however often connections end", {
  skip,
}, async (t) => {
  const { url, one, other } = await openTwo(t);
  const stored: string[] = [];
  let isOver = false;
  const add = async ({ store }: Opened, name: string): Promise<void> => {
    for (let n = 0; !isOver; n += 1) {
      const cause = `${name} ${n}`;
      await store.lanes.add([job(cause, `xmpp ${name}`)]).then(() => stored.push(cause));
    }
  };
  const adding = [add(one, "a"), add(one, "b"), add(other, "c")];
  for (let n = 0; n < 30; n += 1) {
    await query(
      url,
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  isOver = true;
  await Promise.all(adding);
  const rows = await query(url, "select cause from jobs");
  assert.deepEqual(rows.map(({ cause }) => String(cause)).toSorted(), stored.toSorted());
  const told: string[] = [];
  one.store.lanes.watch(
    (lanes) => told.push(...lanes),
    () => 10,
  );
  await other.store.lanes.add([job("news", "xmpp d")]);
  await waitFor(() => told.includes("xmpp d"), "news over a connection that was made again");
});

test("text with U+0000 is kept without it", { skip }, async (t) => {
  const { one } = await openTwo(t);
  const roomId = "!garden:hs.example" as RoomId;
  await one.store.lanes.add([job("a\0b", "xmpp a\0b")]);
  assert.deepEqual(
    (await one.store.lanes.queued()).map(({ lane, cause }) => [lane, cause]),
    [["xmpp a\u{fffd}b", "a\u{fffd}b"]],
  );
  const next = await one.store.lanes.next("xmpp a\u{fffd}b");
  assert.ok(next);
  await one.store.lanes.park(next, "no \0 is taken", []);
  assert.equal((await one.store.lanes.parked())[0]?.problem, "no \u{fffd} is taken");
  await one.store.botRooms.save({ roomId: `${roomId}\0` as RoomId, userId: undefined });
  assert.equal((await one.store.botRooms.all()).length, 1);
});

test("a dropped job's token goes when its lane is looked at, and the jobs behind it are done", {
  skip,
}, async (t) => {
  const { url, one } = await openTwo(t);
  await one.store.lanes.add([job("1"), job("2"), job("3")]);
  const first = await one.store.lanes.next("xmpp a");
  const [, second] = await one.store.lanes.queued();
  assert.ok(first && second);
  await one.store.lanes.drop(first.id);
  await one.store.lanes.drop(second.id);
  const third = await one.store.lanes.next("xmpp a");
  assert.equal(third?.cause, "3");
  assert.ok(third);
  await one.store.lanes.complete(first);
  await one.store.lanes.complete(third);
  for (let n = 0; n < 4; n += 1) assert.equal(await one.store.lanes.next("xmpp a"), undefined);
  await waitFor(async () => {
    await one.store.lanes.next("xmpp a");
    return (await tokensIn(url)) === 0;
  }, "the tokens to be gone");
});

test("a lane whose only job was dropped while it was held is free for the next one", { skip }, async (t) => {
  const { one, other } = await openTwo(t);
  await one.store.lanes.add([job("1")]);
  const first = await one.store.lanes.next("xmpp a");
  assert.ok(first);
  await one.store.lanes.drop(first.id);
  // As another dispatcher of this process begins.
  for (const lane of await one.store.lanes.waiting())
    assert.equal(await one.store.lanes.next(lane), undefined);
  await other.store.lanes.add([job("2")]);
  assert.equal((await other.store.lanes.next("xmpp a"))?.cause, "2");
});

test("what waits is claimed without comparing each with each, and claims are kept on a connection of their own", {
  skip,
}, async (t) => {
  const { one } = await openTwo(t);
  const ask = async (of: "claims" | "touches", sql: string) => (await one.postgres[of].executeSql(sql)).rows;
  assert.deepEqual(await ask("claims", "show enable_nestloop"), [{ enable_nestloop: "off" }]);
  const busy = Array.from({ length: 2 }, () => ask("claims", "select pg_sleep(1)"));
  assert.deepEqual(await Promise.race([ask("touches", "select 1 as one"), ...busy]), [{ one: 1 }]);
  await Promise.all(busy);
});

test("what is read when all connections are ended is read all the same", { skip }, async (t) => {
  const { url, one } = await openTwo(t);
  const { postgres } = one;
  const slow = "select 1 as found from (select pg_sleep(0.5)) as slept";
  const reading = [postgres.all(slow), postgres.all(slow), postgres.alone(slow)];
  const asleep =
    "select count(*) as asleep from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
  const isReading = async (): Promise<boolean> =>
    Number((await query(url, asleep))[0]?.asleep) >= reading.length;
  await waitFor(isReading, "all to be under way");
  await query(
    url,
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  assert.deepEqual(await Promise.all(reading), [[{ found: 1 }], [{ found: 1 }], [{ found: 1 }]]);
});
