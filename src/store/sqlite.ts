/** The store on SQLite, the default: one file, nothing to install. */
import { type OnCommit, openDatabase, tablesOf } from "./database.ts";
import { createLanes, createNews, createTransactions } from "./lanes.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { createPruning } from "./pruning.ts";
import { createRepositories } from "./repositories.ts";
import type { Store } from "./store.ts";

export interface SqliteStoreDeps {
  path: string;
  /** Unix time in milliseconds. */
  now: () => number;
  onCommit?: OnCommit;
}

/**
 * Opens the database file, made and brought up to date where needed.
 * @throws Error if the file cannot be opened or is of a newer schema.
 */
export function openSqliteStore({ path, now, onCommit }: SqliteStoreDeps): Store {
  const db = openDatabase(path, onCommit);
  migrate(db, readMigrations());
  const tables = tablesOf(db);
  const pruning = createPruning(tables);
  const news = createNews(db);
  return {
    ...createRepositories({ tables, now }),
    transactions: createTransactions({ db, news, now }),
    lanes: createLanes({ db, news, now }),
    prune: pruning.prune,
    close() {
      pruning.stop();
      return db.close();
    },
  };
}
