/** The store on PostgreSQL, for several processes of one bridge. */
import type { Log } from "../../ops/log.ts";
import type { OnCommit } from "../database.ts";
import { createPruning } from "../pruning.ts";
import { createRepositories } from "../repositories.ts";
import type { Store } from "../store.ts";
import { createClaims } from "./claims.ts";
import { connectPostgres, type Postgres } from "./connection.ts";
import { createInsertJobs } from "./jobs.ts";
import { createLanes } from "./lanes.ts";
import { type Installation, migrate } from "./migrate.ts";
import { checkMoved } from "./move.ts";
import { startTokens } from "./tokens.ts";
import { createTransactions } from "./transactions.ts";

export interface PostgresStoreDeps {
  /** With the password, which is told to nobody. */
  url: string;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
  installation: Installation;
  onCommit?: OnCommit;
}

/**
 * Brings the database up to date where needed.
 * @returns also the connections, which the store closes.
 * @throws Error that says why the database cannot be used, and what to do.
 */
export async function openPostgresStore(
  deps: PostgresStoreDeps,
): Promise<{ store: Store; postgres: Postgres }> {
  const { url, now, log, installation, onCommit } = deps;
  const db = connectPostgres(url, onCommit);
  try {
    await migrate(db, installation);
    await checkMoved(db);
    const tokens = await startTokens({ db, log });
    const claims = createClaims({ tokens, log });
    const pruning = createPruning(db);
    const parts = { db, tokens, claims, now, insert: createInsertJobs({ tokens, now }) };
    const store: Store = {
      ...createRepositories({ tables: db, now }),
      transactions: createTransactions(parts),
      lanes: createLanes(parts),
      prune: pruning.prune,
      async close() {
        pruning.stop();
        // Where the database is away, others get what was held when it is not heard of.
        await claims.stop().catch((error) => log.warn("lanes could not be given back", { error }));
        await tokens.stop();
        await db.close();
      },
    };
    return { store, postgres: db };
  } catch (error) {
    await db.close();
    throw error;
  }
}
