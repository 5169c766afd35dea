/** The one connection of a process that writes: commits whatever is asked for at the time together. */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { OnCommit } from "../database.ts";
import type { Row, Value } from "../tables.ts";
import { ask } from "./sql.ts";
import { DatabaseAwayError, isCollision, isCutOff, isPostgresTrouble } from "./trouble.ts";

export interface Transaction {
  all(sql: string, ...values: Value[]): Promise<Row[]>;
  one(sql: string, ...values: Value[]): Promise<Row | undefined>;
  /** @returns the number of rows that changed. */
  run(sql: string, ...values: Value[]): Promise<number>;
  /** For pg-boss, whose placeholders are PostgreSQL's own. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: Row[] }>;
}

export type Work<T> = (tx: Transaction) => Promise<T>;

export interface Writer {
  commit<T>(work: Work<T>, isDurable: boolean): Promise<T>;
  /** In a durable transaction of its own, which is not tried again: for what comes before there is a schema. */
  once<T>(work: Work<T>): Promise<T>;
  /** Resolves when what was asked for is committed. */
  close(): Promise<void>;
}

interface Pending {
  work: Work<unknown>;
  isDurable: boolean;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

/** A transaction of which nobody knows whether it has happened. */
interface Open {
  id: string;
  results: unknown[];
}

/** More wait for the next commit, so that no single one holds its locks for long. */
const mostTogether = 200;
/** So long a commit is tried again where the database is away: a restart of it need not be noticed. */
const patience = 5_000;
const pause = 200;

const begin = "begin isolation level read committed";

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const transactionOn = (client: pg.PoolClient): Transaction => ({
  all: async (sql, ...values) => (await ask(client, sql, values)).rows,
  one: async (sql, ...values) => (await ask(client, sql, values)).rows[0],
  run: async (sql, ...values) => (await ask(client, sql, values)).rowCount ?? 0,
  executeSql: (text, values) => client.query(text, values),
});

/** @param pool of one connection. */
export function createWriter(pool: pg.Pool, onCommit: OnCommit): Writer {
  let pending: Pending[] = [];
  let running: Promise<void> | undefined;
  /** The last that is known to have happened: nobody will ask for its row again. */
  let last: string | undefined;

  const connected = async <T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch((error) => {
      throw new DatabaseAwayError(error);
    });
    try {
      const result = await use(client);
      client.release();
      return result;
    } catch (error) {
      client.release(isCutOff(error));
      throw error;
    }
  };

  /**
   * Whether a commit whose answer was lost has happened: then its row is there. What `pg_xact_status` says is no
   * evidence, since after a crash PostgreSQL gives the transaction's number to another.
   */
  const hasHappened = (id: string): Promise<boolean> =>
    connected(async (client) => {
      await client.query(begin);
      try {
        // Waits for the end of a transaction that is still under way.
        const sql = "insert into commits (id) values ($1) on conflict (id) do nothing";
        return (await client.query(sql, [id])).rowCount === 0;
      } finally {
        await client.query("rollback");
      }
    });

  /** Tries again while the database is away or somebody else is in the way. */
  const patiently = async <T>(attempt: () => Promise<T>): Promise<T> => {
    const until = performance.now() + patience;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isPostgresTrouble(error) || performance.now() > until) throw error;
        await delay(isCollision(error) ? Math.random() * 10 : pause);
      }
    }
  };

  /** Does the works up to their commit. @returns their results. */
  const prepare = async (
    client: pg.PoolClient,
    begin: string,
    works: readonly Work<unknown>[],
  ): Promise<unknown[]> => {
    const tx = transactionOn(client);
    const results: unknown[] = [];
    try {
      await client.query(begin);
      for (const work of works) results.push(await work(tx));
    } catch (error) {
      if (!isCutOff(error)) await client.query("rollback");
      throw error;
    }
    return results;
  };

  const finish = async (client: pg.PoolClient): Promise<void> => {
    const { command } = await client.query("commit");
    if (command !== "COMMIT") throw new Error("the database has undone a transaction");
  };

  const transact = (group: readonly Pending[]): Promise<unknown[]> => {
    const lasts = group.some(({ isDurable }) => isDurable) ? "" : "set local synchronous_commit = off; ";
    let open: Open | undefined;
    return patiently(async () => {
      if (open && (await hasHappened(open.id))) {
        last = open.id;
        return open.results;
      }
      open = undefined;
      return connected(async (client) => {
        const id = randomUUID();
        const forget = last ? `; delete from commits where id = '${last}'` : "";
        const evidence = `insert into commits (id) values ('${id}')${forget}`;
        const works = group.map(({ work }) => work);
        const results = await prepare(client, `${begin}; ${lasts}${evidence}`, works);
        open = { id, results };
        try {
          await finish(client);
        } catch (error) {
          if (!isCutOff(error)) open = undefined;
          throw error;
        }
        last = id;
        return results;
      });
    });
  };

  const settle = async (group: readonly Pending[]): Promise<void> => {
    const begun = performance.now();
    const isDurable = group.some((one) => one.isDurable);
    const tell = (problem: string | undefined): void =>
      onCommit(problem, { seconds: (performance.now() - begun) / 1000, isDurable });
    try {
      const results = await transact(group);
      tell(undefined);
      group.forEach(({ resolve }, at) => {
        resolve(results[at] as never);
      });
    } catch (error) {
      // One caller's mistake must not undo the others of its group.
      if (group.length > 1 && !isPostgresTrouble(error)) {
        for (const one of group) await settle([one]);
        return;
      }
      tell(isPostgresTrouble(error) ? (error as Error).message : undefined);
      for (const { reject } of group) reject(error);
    }
  };

  const flush = async (): Promise<void> => {
    while (pending.length > 0) {
      const group = pending.slice(0, mostTogether);
      pending = pending.slice(mostTogether);
      await settle(group);
    }
    running = undefined;
  };

  return {
    once: <T>(work: Work<T>) =>
      connected(async (client) => {
        const [result] = await prepare(client, begin, [work]);
        await finish(client);
        return result as T;
      }),
    commit: <T>(work: Work<T>, isDurable: boolean) =>
      new Promise<T>((resolve, reject) => {
        pending.push({ work, isDurable, resolve, reject });
        // What else is asked for in the same turn goes with it.
        running ??= new Promise<void>((done) => setImmediate(done)).then(flush);
      }),
    async close() {
      await running;
    },
  };
}
