/** The durable queue on SQLite: first-in-first-out lanes and the memory of what was accepted before. */
import type { EventId, RoomId } from "../matrix/ids.ts";
import type { Database } from "./database.ts";
import type { EventJob, Job, Lanes, NewJob, Transactions } from "./store.ts";
import type { Row } from "./tables.ts";

export const readJob = (row: Row): Job => ({
  id: Number(row.id),
  lane: String(row.lane),
  cause: String(row.cause),
  work: JSON.parse(String(row.work)),
  acceptedAt: Number(row.accepted_at),
  ...(row.retried_at !== null && { retriedAt: Number(row.retried_at) }),
  attempts: Number(row.attempts),
});

/** Lanes that got a job in the commit that is under way. */
export interface News {
  note(lane: string): void;
  watch(onNews: (lanes: readonly string[]) => void): void;
}

export function createNews(db: Database): News {
  const lanes = new Set<string>();
  return {
    note: (lane) => void lanes.add(lane),
    watch: (onNews) =>
      db.watch(() => {
        if (lanes.size === 0) return;
        const told = [...lanes];
        lanes.clear();
        onNews(told);
      }),
  };
}

export interface LanesDeps {
  db: Database;
  news: News;
  /** Unix time in milliseconds. */
  now: () => number;
}

const createInsert =
  ({ db, news, now }: LanesDeps) =>
  (jobs: readonly NewJob[]): void => {
    for (const { lane, cause, work } of jobs) {
      news.note(lane);
      db.run(
        "insert into jobs (lane, cause, work, accepted_at) values (?, ?, ?, ?)",
        lane,
        cause,
        JSON.stringify(work),
        now(),
      );
    }
  };

/** Whoever looks at more than that is helped by counts, and not by a list. */
export const mostListed = 1000;

// The time to give up counts anew, or it would be given up again at the first failure.
const putBack = "update jobs set parked_at = null, attempts = 1, retried_at = ?";

export function createLanes(deps: LanesDeps): Lanes {
  const { db, news, now } = deps;
  const insert = createInsert(deps);
  return {
    watch: news.watch,
    add: (jobs) => db.durably(() => insert(jobs)),
    addWithin: (atMost, job) =>
      db.durably(() => {
        const sql = "select 1 from jobs where lane = ? and parked_at is null limit 1 offset ?";
        const isFull = db.one(sql, job.lane, atMost - 1) !== undefined;
        if (!isFull) insert([job]);
        return !isFull;
      }),
    isDeep: async (prefix, count) => {
      const sql = "select 1 from jobs where lane >= ? and lane < ? and parked_at is null limit 1 offset ?";
      return db.one(sql, prefix, `${prefix}\u{10ffff}`, count - 1) !== undefined;
    },
    waiting: async () =>
      db.all("select distinct lane from jobs where parked_at is null").map(({ lane }) => String(lane)),
    next: async (lane) => {
      const row = db.one("select * from jobs where lane = ? and parked_at is null order by id limit 1", lane);
      return row && readJob(row);
    },
    complete: async ({ id }, followUps = []) => {
      await db.soon(() => {
        db.run("delete from jobs where id = ?", id);
        insert(followUps);
      });
    },
    failed: async ({ id }, problem) => {
      await db.soon(() =>
        db.run("update jobs set attempts = attempts + 1, problem = ? where id = ?", problem, id),
      );
    },
    park: async ({ id }, problem, followUps) => {
      await db.soon(() => {
        db.run("update jobs set parked_at = ?, problem = ? where id = ?", now(), problem, id);
        insert(followUps);
      });
    },
    parked: async () =>
      db
        .all(
          "select * from (select * from jobs where parked_at is not null order by parked_at desc limit ?) order by id",
          mostListed,
        )
        .map((row) => ({ ...readJob(row), problem: String(row.problem) })),
    queued: async () =>
      db
        .all("select * from jobs where parked_at is null order by id limit ?", mostListed)
        .map((row) => ({ ...readJob(row), problem: (row.problem ?? undefined) as string | undefined })),
    unpark: async (id) => {
      await db.soon(() => db.run(`${putBack} where id = ?`, now(), id));
    },
    unparkAll: () =>
      db.soon(() => {
        const lanes = db.all("select distinct lane from jobs where parked_at is not null");
        db.run(`${putBack} where parked_at is not null`, now());
        return lanes.map(({ lane }) => String(lane));
      }),
    drop: async (id) => {
      await db.soon(() => db.run("delete from jobs where id = ?", id));
    },
  };
}

/** How many events back a room still counts as one of those in use. */
export const recentEvents = 1000;

export function createTransactions(deps: LanesDeps): Transactions {
  const { db, now } = deps;
  const insert = createInsert(deps);
  const see = (roomId: RoomId, eventId: string): boolean =>
    db.run(
      "insert or ignore into seen_events (event_id, room_id, received_at) values (?, ?, ?)",
      eventId,
      roomId,
      now(),
    ) > 0;
  const isNew = ({ cause, work }: EventJob): boolean => see(work.event.room_id, cause);
  const lastSeen = (roomId: RoomId): EventId | undefined =>
    db.one("select event_id from seen_events where room_id = ? order by seq desc limit 1", roomId)
      ?.event_id as EventId | undefined;

  /** An ID is a place in the lane, so a job that is to come later gets a new one. */
  const toEnd = (id: number): void => {
    db.run(
      "insert into jobs (lane, cause, work, accepted_at, retried_at, attempts, problem) " +
        "select lane, cause, work, accepted_at, retried_at, attempts, problem from jobs where id = ?",
      id,
    );
    db.run("delete from jobs where id = ?", id);
  };

  return {
    accept: ({ id, digest, jobs, unsure }) =>
      db.durably(() => {
        const known = db.run(
          "insert or ignore into transactions (txn_id, digest, received_at) values (?, ?, ?)",
          id,
          digest,
          now(),
        );
        if (known === 0) return [];
        const left = new Set(unsure);
        return jobs.filter((job) => {
          const roomId = job.work.event.room_id;
          const after = left.has(roomId) ? lastSeen(roomId) : undefined;
          if (!isNew(job)) return false;
          left.delete(roomId);
          if (after) {
            insert([
              { lane: job.lane, cause: `catch-up/${job.cause}`, work: { kind: "catch-up", roomId, after } },
            ]);
          }
          insert([job]);
          return true;
        });
      }),

    note: async (roomId, eventId) => {
      await db.soon(() => see(roomId, eventId));
    },

    recentRooms: async () =>
      db
        .all(
          "select room_id, event_id, max(seq) from seen_events " +
            "where seq > (select max(seq) from seen_events) - ? group by room_id",
          recentEvents,
        )
        .map((row) => ({ roomId: row.room_id as RoomId, eventId: row.event_id as EventId })),

    acceptNext: ({ lane, id }, jobs) =>
      db.durably(() => {
        const fresh = jobs.filter(isNew);
        if (fresh.length === 0) return [];
        const behind = new Map(
          db
            .all(
              "select id, cause from jobs where lane = ? and id > ? and parked_at is null order by id",
              lane,
              id,
            )
            .map((row) => [String(row.cause), Number(row.id)]),
        );
        // An event that a transaction brought meanwhile takes its place among those that were asked for.
        for (const job of jobs) {
          const waiting = behind.get(job.cause);
          if (waiting !== undefined) toEnd(waiting);
          else if (fresh.includes(job)) insert([job]);
          behind.delete(job.cause);
        }
        for (const waiting of behind.values()) toEnd(waiting);
        return fresh;
      }),
  };
}
