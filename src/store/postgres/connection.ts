/** PostgreSQL as the store uses it: reads side by side, one writer that commits in groups, and news. */
import pg from "pg";
import type { OnCommit } from "../database.ts";
import type { Row, Statement, Tables, Value } from "../tables.ts";
import { createListener } from "./listener.ts";
import { ask, types } from "./sql.ts";
import { DatabaseAwayError, isCutOff, isHungUp } from "./trouble.ts";
import { createWriter, type Transaction, type Work } from "./writer.ts";

export interface Postgres extends Tables {
  /** In the next group commit. The work may be done a second time, when the first was undone. */
  commit<T>(work: Work<T>, isDurable: boolean): Promise<T>;
  /** In a durable transaction of its own, which is not tried again: for what comes before there is a schema. */
  once<T>(work: Work<T>): Promise<T>;
  /** Reads or changes at once, on a connection of its own that waits for no message: for signs of life, which may be given twice. */
  alone(sql: string, ...values: Value[]): Promise<Row[]>;
  /** For pg-boss: each statement a durable transaction. */
  claims: Pick<Transaction, "executeSql">;
  /** As `claims`, on a connection of its own: what keeps a claim waits for nothing else. */
  touches: Pick<Transaction, "executeSql">;
  /**
   * @param onPayload told of each NOTIFY.
   * @param onAgain told after each connection, since what was said meanwhile is lost.
   * @param onLost told when the connection is found to be lost.
   */
  listen(
    channel: string,
    onPayload: (payload: string) => void,
    onAgain: () => void,
    onLost?: () => void,
  ): Promise<void>;
  close(): Promise<void>;
}

export type { Transaction };

/** So few that with the others nine processes fit into PostgreSQL's usual hundred connections. */
const readers = 4;
const claimers = 2;

const limits = {
  connectionTimeoutMillis: 5_000,
  query_timeout: 20_000,
  statement_timeout: 19_000,
  idle_in_transaction_session_timeout: 10_000,
};
/** A sign of life that takes longer is none. */
const limitsAlone = { connectionTimeoutMillis: 2_000, query_timeout: 2_000, statement_timeout: 2_000 };

const run = async (tx: Transaction, statements: readonly Statement[]): Promise<number[]> => {
  const changed: number[] = [];
  for (const { sql, values } of statements) changed.push(await tx.run(sql, ...values));
  return changed;
};

/** Connects with the first use. */
export function connectPostgres(url: string, onCommit: OnCommit = () => undefined): Postgres {
  const config: pg.PoolConfig = {
    connectionString: url,
    application_name: "causeway",
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types,
    ...limits,
  };
  const poolOf = (more: pg.PoolConfig): pg.Pool => {
    const pool = new pg.Pool({ ...config, ...more });
    // Of connections that nobody uses at the time: the next use makes another.
    pool.on("error", () => undefined);
    // Of those in use: what was asked of them fails with it, and nothing else must.
    pool.on("connect", (client) => client.on("error", () => undefined));
    return pool;
  };
  const reading = poolOf({ max: readers });
  const writing = poolOf({ max: 1, idleTimeoutMillis: 0 });
  const living = poolOf({ max: 1, idleTimeoutMillis: 0, ...limitsAlone });
  const touching = poolOf({ max: 1, idleTimeoutMillis: 0, ...limitsAlone });
  const claiming = poolOf({
    max: claimers,
    idleTimeoutMillis: 0,
    // Where much has come of a sudden PostgreSQL still takes the queue for empty, and would compare each with each. Not
    // among the parameters of the connection, which a pooler may ignore; the pool waits for it.
    onConnect: (client) => client.query("set enable_nestloop = off") as unknown as undefined,
  });
  const writer = createWriter(writing, onCommit);
  const listener = createListener({ ...config, ...limitsAlone });
  let closed: Promise<void> | undefined;

  const use = async <T>(
    pool: pg.Pool,
    query: (client: pg.PoolClient) => Promise<T>,
    isSpent: (error: unknown) => boolean = isCutOff,
  ): Promise<T> => {
    const client = await pool.connect().catch((error) => {
      throw new DatabaseAwayError(error);
    });
    try {
      const result = await query(client);
      client.release();
      return result;
    } catch (error) {
      client.release(isSpent(error));
      throw error;
    }
  };

  const read = async (pool: pg.Pool, sql: string, values: readonly Value[]): Promise<Row[]> => {
    const attempt = (): Promise<Row[]> => use(pool, async (client) => (await ask(client, sql, values)).rows);
    return attempt().catch((error) => {
      // A lost connection is no lost database.
      if (isHungUp(error)) return attempt();
      throw error;
    });
  };

  // pg-boss sends whole transactions, which stay open where one of their statements fails.
  const executeOn =
    (pool: pg.Pool): Transaction["executeSql"] =>
    (text, values) =>
      use(
        pool,
        (client) => client.query(text, values),
        () => true,
      );

  return {
    all: (sql, ...values) => read(reading, sql, values),
    one: async (sql, ...values) => (await read(reading, sql, values))[0],
    soon: (...statements) => writer.commit((tx) => run(tx, statements), false),
    durably: (...statements) => writer.commit((tx) => run(tx, statements), true),
    commit: writer.commit,
    once: writer.once,
    alone: (sql, ...values) => read(living, sql, values),
    claims: { executeSql: executeOn(claiming) },
    touches: { executeSql: executeOn(touching) },
    listen: listener.listen,
    close() {
      closed ??= (async () => {
        await Promise.all([writer.close(), listener.close()]);
        await Promise.all([reading, writing, living, touching, claiming].map((pool) => pool.end()));
      })();
      return closed;
    },
  };
}
