/** What the homeserver has handed over, on PostgreSQL: whichever process it hands the same to, it counts once. */
import type { EventId, RoomId } from "../../matrix/ids.ts";
import { recentEvents } from "../lanes.ts";
import type { EventJob, NewJob, Transactions } from "../store.ts";
import { createBatches } from "./batches.ts";
import type { Transaction } from "./connection.ts";
import type { LanesDeps } from "./lanes.ts";
import { bound } from "./sql.ts";

type Txn = Parameters<Transactions["accept"]>[0];

const insertTransactions =
  "insert into transactions (txn_id, digest, received_at) select txn_id, digest, $3 from " +
  "unnest($1::text[], $2::text[]) as new (txn_id, digest) on conflict (txn_id, digest) do nothing returning txn_id, digest";

const insertSeen =
  "insert into seen_events (event_id, room_id, received_at) select event_id, room_id, $3 from " +
  "unnest($1::text[], $2::text[]) with ordinality as new (event_id, room_id, place) order by place " +
  "on conflict (event_id) do nothing returning event_id";

const roomOf = (job: EventJob): RoomId => job.work.event.room_id;

/** @param last what was seen last of each room before the transaction, and is then what was seen last after it. */
const withCatchUps = (
  { jobs, unsure }: Txn,
  accepted: ReadonlySet<EventJob>,
  last: Map<RoomId, EventId>,
): NewJob[] => {
  const left = new Set(unsure);
  return jobs
    .filter((job) => accepted.has(job))
    .flatMap((job): NewJob[] => {
      const { lane, cause } = job;
      const roomId = roomOf(job);
      const after = left.delete(roomId) ? last.get(roomId) : undefined;
      last.set(roomId, cause as EventId);
      return after
        ? [{ lane, cause: `catch-up/${cause}`, work: { kind: "catch-up", roomId, after } }, job]
        : [job];
    });
};

export function createTransactions({ db, claims, insert, now }: LanesDeps): Transactions {
  /** @returns those that were not seen before, each once. */
  const seen = async (tx: Transaction, jobs: readonly EventJob[]): Promise<EventJob[]> => {
    if (jobs.length === 0) return [];
    const ids = jobs.map(({ cause }) => bound(cause));
    const { rows } = await tx.executeSql(insertSeen, [ids, jobs.map((job) => bound(roomOf(job))), now()]);
    const fresh = new Set(rows.map(({ event_id }) => event_id));
    return jobs.filter((_, at) => fresh.delete(ids[at]));
  };

  const lastSeen = async (tx: Transaction, roomId: RoomId): Promise<EventId | undefined> => {
    const sql = "select event_id from seen_events where room_id = ? order by seq desc limit 1";
    return (await tx.one(sql, roomId))?.event_id as EventId | undefined;
  };

  const accept = createBatches<Txn, EventJob[]>(db, true, async (tx, txns) => {
    // Another process may be storing the same: this waits until it has, or has not.
    const { rows } = await tx.executeSql(insertTransactions, [
      txns.map(({ id }) => bound(id)),
      txns.map(({ digest }) => bound(digest)),
      now(),
    ]);
    const isNew = new Set(rows.map(({ txn_id, digest }) => `${digest} ${txn_id}`));
    const fresh = txns.filter(({ id, digest }) => isNew.delete(`${digest} ${bound(id)}`));
    const last = new Map<RoomId, EventId>();
    for (const roomId of new Set(fresh.flatMap(({ unsure }) => [...unsure]))) {
      const after = await lastSeen(tx, roomId);
      if (after) last.set(roomId, after);
    }
    const all = fresh.flatMap(({ jobs }) => jobs);
    const accepted = new Set(await seen(tx, all));
    const jobs = fresh.flatMap((txn) => withCatchUps(txn, accepted, last));
    await insert(tx, jobs);
    return txns.map((txn) => (fresh.includes(txn) ? txn.jobs.filter((job) => accepted.has(job)) : []));
  });

  return {
    async accept(txn) {
      const accepted = await accept(txn);
      claims.note(accepted.map(({ lane }) => lane));
      return accepted;
    },

    async note(roomId, eventId) {
      await db.commit((tx) => tx.executeSql(insertSeen, [[bound(eventId)], [bound(roomId)], now()]), false);
    },

    recentRooms: async () =>
      (
        await db.all(
          "select distinct on (room_id) room_id, event_id from seen_events " +
            "where seq > (select max(seq) from seen_events) - ? order by room_id, seq desc",
          recentEvents,
        )
      ).map((row) => ({ roomId: row.room_id as RoomId, eventId: row.event_id as EventId })),

    acceptNext: ({ lane, id }, jobs) =>
      db.commit(async (tx) => {
        const fresh = await seen(tx, jobs);
        if (fresh.length === 0) return [];
        // What others are storing in the lane at this moment must not come between.
        await tx.executeSql("lock table jobs in share row exclusive mode");
        const waiting = await tx.all(
          "select id, cause from jobs where lane = ? and id > ? and parked_at is null order by id",
          lane,
          id,
        );
        const behind = new Map(waiting.map((row) => [String(row.cause), Number(row.id)]));
        // An ID is a place in the lane, so a job that is to come later gets a new one.
        const toEnd = (waits: number) => tx.run("update jobs set id = default where id = ?", waits);
        // An event that a transaction brought meanwhile takes its place among those that were asked for.
        for (const job of jobs) {
          const waits = behind.get(job.cause);
          if (waits !== undefined) await toEnd(waits);
          else if (fresh.includes(job)) await insert(tx, [job]);
          behind.delete(job.cause);
        }
        for (const waits of behind.values()) await toEnd(waits);
        return fresh;
      }, true),
  };
}
