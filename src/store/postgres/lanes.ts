/** The durable queue on PostgreSQL: first-in-first-out lanes that several processes share. */
import { mostListed, readJob } from "../lanes.ts";
import type { Job, Lanes, NewJob } from "../store.ts";
import { createBatches } from "./batches.ts";
import type { Claim, Claims } from "./claims.ts";
import type { Postgres, Transaction } from "./connection.ts";
import type { InsertJobs } from "./jobs.ts";
import { bound } from "./sql.ts";
import { queueOf, queues, type Tokens } from "./tokens.ts";
import { isPostgresTrouble } from "./trouble.ts";

export interface LanesDeps {
  db: Postgres;
  tokens: Tokens;
  claims: Claims;
  insert: InsertJobs;
  /** Unix time in milliseconds. */
  now: () => number;
}

/** A job that is over, and what is to be done about it. */
interface Ending {
  job: Job;
  claim: Claim | undefined;
  followUps: readonly NewJob[];
}

/**
 * The lane is kept while there is more in it: the next job's token goes then, and that job gets the token by which the
 * lane is held. So each waiting job has a token of its own at any time, whoever dies.
 */
const ending = (gone: string): string => `
  with done as (select * from unnest($1::bigint[], $2::uuid[]) as done (id, claim)),
  gone as (${gone}),
  heir as (
    select gone.claim, next.id, next.token from gone cross join lateral (
      select id, token from jobs
      where lane = gone.lane and parked_at is null and id <> all ($1::bigint[]) order by id limit 1
    ) as next where gone.token = gone.claim
  ),
  moved as (update jobs set token = heir.claim from heir where jobs.id = heir.id)
  select gone.id, gone.lane, gone.token, gone.claim, heir.token as heir
  from gone left join heir on heir.claim = gone.claim`;

const removed = ending(
  "delete from jobs using done where jobs.id = done.id and parked_at is null " +
    "returning jobs.id, jobs.lane, jobs.token, done.claim",
);

const parked = ending(
  "update jobs set parked_at = $3, problem = $4, token = null from " +
    "(select jobs.id, token, claim from jobs join done on jobs.id = done.id where parked_at is null for update of jobs) as old " +
    "where jobs.id = old.id returning jobs.id, jobs.lane, old.token, old.claim",
);

// The time to give up counts anew, or it would be given up again at the first failure.
const putBack =
  "update jobs set parked_at = null, attempts = 1, retried_at = ?, token = gen_random_uuid() where parked_at is not null";

export function createLanes({ db, tokens, claims, insert, now }: LanesDeps): Lanes {
  /** @returns the claims that are over with that. */
  const end = async (
    tx: Transaction,
    endings: readonly Ending[],
    sql: string,
    ...values: unknown[]
  ): Promise<Set<Claim>> => {
    const keeps = (claim: Claim | undefined): string | null =>
      claim && !claims.isOld(claim) ? claim.id : null;
    const { rows } = await tx.executeSql(sql, [
      endings.map(({ job }) => job.id),
      endings.map(({ claim }) => keeps(claim)),
      ...values,
    ]);
    const ended = new Map(rows.map((row) => [Number(row.id), row]));
    const over = new Set<Claim>();
    const left: NewJob[] = [];
    const free = new Map(queues.map((queue) => [queue, { ids: [] as string[], held: [] as Claim[] }]));
    for (const { job, claim, followUps } of endings) {
      const row = ended.get(job.id);
      const queue = free.get(queueOf(job.lane));
      if (!row) continue;
      left.push(...followUps);
      // Without a claim somebody else may have the lane by that very token: whoever has it finds it empty.
      if (!claim || !queue) continue;
      if (row.token !== claim.id) queue.ids.push(String(row.token));
      else if (row.heir) queue.ids.push(String(row.heir));
      else {
        queue.held.push(claim);
        over.add(claim);
      }
    }
    for (const [queue, { ids, held }] of free) await tokens.remove(tx, queue, ids, held);
    await insert(tx, left);
    return over;
  };

  const add = createBatches<readonly NewJob[], undefined>(db, true, async (tx, lists) => {
    await insert(tx, lists.flat());
    return lists.map(() => undefined);
  });

  const remove = createBatches<Ending, boolean>(db, false, async (tx, endings) => {
    const over = await end(tx, endings, removed);
    return endings.map(({ claim }) => claim !== undefined && over.has(claim));
  });

  const park = (one: Ending, problem: string): Promise<boolean> =>
    db.commit(async (tx) => (await end(tx, [one], parked, now(), bound(problem))).size > 0, false);

  /** @param store says whether the claim is over with that. */
  const settle = async (
    job: Job,
    followUps: readonly NewJob[],
    store: (one: Ending) => Promise<boolean>,
  ): Promise<void> => {
    const claim = claimOf(job.lane);
    try {
      const isOver = await store({ job, claim, followUps });
      if (isOver && claim) claims.forget(claim);
    } catch (error) {
      if (claim && isPostgresTrouble(error)) claims.doubt(claim);
      throw error;
    }
    claims.note(followUps.map(({ lane }) => lane));
  };

  const claimOf = (lane: string): Claim | undefined => {
    try {
      return claims.of(lane);
    } catch {
      return undefined;
    }
  };

  const letGo = async (claim: Claim): Promise<void> => {
    await db.commit((tx) => tokens.remove(tx, queueOf(claim.lane), [], [claim]), false);
    claims.forget(claim);
  };

  const unparked = async (tx: Transaction, rows: readonly Record<string, unknown>[]): Promise<string[]> => {
    const lanes = rows.map(({ lane }) => String(lane));
    await tokens.insert(
      tx,
      rows.map(({ token, lane }) => ({ id: String(token), lane: String(lane) })),
    );
    return [...new Set(lanes)];
  };

  return {
    watch: (onNews, room) => claims.watch({ onNews, room: room ?? (() => Number.POSITIVE_INFINITY) }),
    async add(jobs) {
      await add(jobs);
      claims.note(jobs.map(({ lane }) => lane));
    },
    async addWithin(atMost, job) {
      const isStored = await db.commit(async (tx) => {
        const sql = "select 1 from jobs where lane = ? and parked_at is null limit 1 offset ?";
        if (await tx.one(sql, job.lane, atMost - 1)) return false;
        await insert(tx, [job]);
        return true;
      }, true);
      if (isStored) claims.note([job.lane]);
      return isStored;
    },
    isDeep: async (prefix, count) => {
      const sql = "select 1 from jobs where lane >= ? and lane < ? and parked_at is null limit 1 offset ?";
      return (await db.one(sql, prefix, `${prefix}\u{10ffff}`, count - 1)) !== undefined;
    },
    async waiting() {
      for (const queue of queues) await claims.look(queue);
      // One that is empty is let go by `next`.
      return claims.lanes();
    },
    async next(lane) {
      let claim = claims.of(lane);
      if (!claim) {
        await claims.look(queueOf(lane));
        claim = claims.of(lane);
      }
      if (!claim) return undefined;
      const sql = "select * from jobs where lane = ? and parked_at is null order by id limit 1";
      const row = await db.one(sql, lane);
      if (!row) {
        await letGo(claim);
        return undefined;
      }
      const job = readJob(row);
      if (claim.doubtful === 0) claim.doubtful = job.id;
      return claim.isShaken || claim.doubtful === job.id ? { ...job, isTakenOver: true } : job;
    },
    complete: (job, followUps = []) => settle(job, followUps, remove),
    failed: async ({ id }, problem) => {
      await db.soon({
        sql: "update jobs set attempts = attempts + 1, problem = ? where id = ?",
        values: [problem, id],
      });
    },
    park: (job, problem, followUps) => settle(job, followUps, (one) => park(one, problem)),
    parked: async () =>
      (
        await db.all(
          "select * from (select * from jobs where parked_at is not null order by parked_at desc limit ?) as last order by id",
          mostListed,
        )
      ).map((row) => ({ ...readJob(row), problem: String(row.problem) })),
    queued: async () =>
      (await db.all("select * from jobs where parked_at is null order by id limit ?", mostListed)).map(
        (row) => ({
          ...readJob(row),
          problem: (row.problem ?? undefined) as string | undefined,
        }),
      ),
    async unpark(id) {
      const lanes = await db.commit(
        async (tx) => unparked(tx, await tx.all(`${putBack} and id = ? returning lane, token`, now(), id)),
        false,
      );
      claims.note(lanes);
    },
    async unparkAll() {
      const lanes = await db.commit(
        async (tx) => unparked(tx, await tx.all(`${putBack} returning lane, token`, now())),
        false,
      );
      claims.note(lanes);
      return lanes;
    },
    drop: async (id) => {
      // Its token goes when whoever takes the lane by it finds nothing.
      await db.soon({ sql: "delete from jobs where id = ?", values: [id] });
    },
  };
}
