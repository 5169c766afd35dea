/** SQLite as the store uses it: cached statements, quick commits for progress, group commits for promises. */
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

export type Row = Record<string, unknown>;

export interface Database {
  all(sql: string, ...values: SQLInputValue[]): Row[];
  one(sql: string, ...values: SQLInputValue[]): Row | undefined;
  /** @returns the number of rows that changed. */
  run(sql: string, ...values: SQLInputValue[]): number;
  exec(sql: string): void;
  /** Commits at once: for work that nothing else runs beside. */
  commit<T>(work: () => T): T;
  /**
   * Commits together with whatever else is asked for in the same turn, but not to the platter: when it resolves it
   * would survive the process, and a power cut undoes a whole tail of such commits.
   */
  soon<T>(work: () => T): Promise<T>;
  /** As `soon`; when it resolves it would survive a power cut. */
  durably<T>(work: () => T): Promise<T>;
  close(): Promise<void>;
}

interface Pending {
  work: () => unknown;
  isDurable: boolean;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

/** Told after each commit: undefined where it succeeded, else what was wrong; and how long it took. */
export type OnCommit = (problem: string | undefined, took: { seconds: number; isDurable: boolean }) => void;

/** @param path a file, whose folder is made where it is missing, or ":memory:". */
export function openDatabase(path: string, onCommit: OnCommit = () => undefined): Database {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (path !== ":memory:") {
    // Messages wait in it, so at no time may others open it; SQLite gives its other files the same mode.
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
  }
  const db = new DatabaseSync(path);
  db.exec("pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 5000;");
  const statements = new Map<string, StatementSync>();
  let pending: Pending[] = [];
  let reachesPlatter = false;

  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known) return known;
    const statement = db.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };

  const inside = <T>(begin: string, commit: string, undo: string, work: () => T): T => {
    prepared(begin).run();
    try {
      const result = work();
      prepared(commit).run();
      return result;
    } catch (error) {
      if (db.isTransaction) db.exec(undo);
      throw error;
    }
  };
  const transaction = <T>(work: () => T): T => inside("begin immediate", "commit", "rollback", work);
  // One caller's mistake must not undo the others of its group.
  const savepoint = <T>(work: () => T): T =>
    inside("savepoint one", "release one", "rollback to one; release one", work);

  const flush = (): void => {
    const group = pending;
    pending = [];
    const settle: (() => void)[] = [];
    const isDurable = group.some((one) => one.isDurable);
    const begun = performance.now();
    const tell = (problem: string | undefined): void =>
      onCommit(problem, { seconds: (performance.now() - begun) / 1000, isDurable });
    try {
      if (isDurable !== reachesPlatter) db.exec(`pragma synchronous = ${isDurable ? "full" : "normal"}`);
      reachesPlatter = isDurable;
      transaction(() => {
        for (const { work, resolve, reject } of group) {
          try {
            const result = savepoint(work) as never;
            settle.push(() => resolve(result));
          } catch (error) {
            settle.push(() => reject(error));
          }
        }
      });
      tell(undefined);
      for (const done of settle) done();
    } catch (error) {
      tell((error as Error).message);
      for (const { reject } of group) reject(error);
    }
  };

  const ask = <T>(work: () => T, isDurable: boolean): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (pending.push({ work, isDurable, resolve, reject }) === 1) setImmediate(flush);
    });

  return {
    all: (sql, ...values) => prepared(sql).all(...values) as Row[],
    one: (sql, ...values) => prepared(sql).get(...values) as Row | undefined,
    run: (sql, ...values) => Number(prepared(sql).run(...values).changes),
    exec: (sql) => db.exec(sql),
    commit: transaction,
    soon: (work) => ask(work, false),
    durably: (work) => ask(work, true),
    async close() {
      await ask(() => undefined, true);
      db.close();
    },
  };
}
