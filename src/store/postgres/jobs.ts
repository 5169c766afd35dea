/** Stores jobs together with their tokens. */
import { randomUUID } from "node:crypto";
import type { NewJob } from "../store.ts";
import type { Transaction } from "./connection.ts";
import { bound, cleaned } from "./sql.ts";
import type { NewToken, Tokens } from "./tokens.ts";

export interface JobsDeps {
  tokens: Tokens;
  /** Unix time in milliseconds. */
  now: () => number;
}

const insertRows =
  "insert into jobs (lane, cause, work, token, accepted_at) select lane, cause, work, token, $5 from " +
  "unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) with ordinality as new (lane, cause, work, token, place) " +
  "order by place";

export type InsertJobs = (tx: Transaction, jobs: readonly NewJob[]) => Promise<void>;

/** @returns what inserts jobs, which of one lane come in their order. */
export const createInsertJobs =
  ({ tokens, now }: JobsDeps): InsertJobs =>
  async (tx, jobs) => {
    if (jobs.length === 0) return;
    const made = jobs.map(({ lane }): NewToken => ({ id: randomUUID(), lane: cleaned(lane) }));
    await tx.executeSql(insertRows, [
      made.map(({ lane }) => lane),
      jobs.map(({ cause }) => bound(cause)),
      jobs.map(({ work }) => JSON.stringify(work)),
      made.map(({ id }) => id),
      now(),
    ]);
    await tokens.insert(tx, made);
  };
