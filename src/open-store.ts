/** Opens what the configuration's `database` names: a file for one process, or a PostgreSQL that several share. */
import { randomBytes } from "node:crypto";
import { createAlone } from "./cluster/alone.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { createShared } from "./cluster/shared.ts";
import { isPostgres, sqlitePathOf } from "./config/database.ts";
import type { Log } from "./ops/log.ts";
import type { OnCommit } from "./store/database.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Store } from "./store/store.ts";

export interface OpenStoreDeps {
  database: string;
  version: string;
  /** Unix time in milliseconds. */
  now: () => number;
  onCommit: OnCommit;
  /** Told with each heartbeat what is wrong with a database that is shared, or undefined. */
  onHeartbeat: (problem: string | undefined) => void;
  /** Whose database it is: the domains of homeserver and component. */
  installation: { homeserver: string; component: string };
  log: Log;
}

/** @throws Error that says why the database cannot be used. */
export async function openStore(deps: OpenStoreDeps): Promise<{ store: Store; cluster: Cluster }> {
  const { database } = deps;
  if (!isPostgres(database)) {
    return { store: openSqliteStore({ ...deps, path: sqlitePathOf(database) }), cluster: createAlone(deps) };
  }
  // Whoever does without PostgreSQL has nothing of its driver in memory.
  const { openPostgresStore } = await import("./store/postgres/postgres.ts");
  const { store, postgres: db } = await openPostgresStore({ ...deps, url: database });
  const self = randomBytes(4).toString("hex");
  return { store, cluster: createShared({ ...deps, db, self }) };
}
