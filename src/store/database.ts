/** SQLite as the store uses it: cached statements, quick commits for progress, group commits for promises. */
import { chmodSync, closeSync, existsSync, fdatasync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { isPostgresTrouble } from "./postgres/trouble.ts";
import type { Row, Tables } from "./tables.ts";

/** Resolves when what was written to the file is on the platter. */
export type Sync = (file: number) => Promise<void>;

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
  /** Told after each such commit, ahead of whoever asked for it. */
  watch(onCommitted: () => void): void;
  close(): Promise<void>;
}

interface Pending {
  /** May be done a second time, when the first was undone. */
  work: () => unknown;
  isDurable: boolean;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

/** What the disk has lost nobody knows, so nothing more is promised. */
class UnsyncedError extends Error {
  override readonly name = "UnsyncedError";
  constructor(cause: unknown) {
    super("the database could not be written to the disk: mend that, and restart", { cause });
  }
}

/**
 * SQLITE_PERM, _BUSY, _LOCKED, _NOMEM, _READONLY, _INTERRUPT, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _PROTOCOL and _NOTADB,
 * below any extended code.
 */
const ofTheFile = new Set([3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26]);

/** Whether the disk, its use by others or its end is what is wrong, and not what was asked of the database. */
export function isStoreTrouble(error: unknown): boolean {
  if (error instanceof UnsyncedError || isPostgresTrouble(error)) return true;
  const { code, errcode, message } = error as { code?: unknown; errcode?: unknown; message?: unknown };
  // Node's words for a database that is closed, and for its statements.
  if (code === "ERR_INVALID_STATE")
    return message === "database is not open" || message === "statement has been finalized";
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" && ofTheFile.has(errcode & 0xff);
}

/** Told after each commit: undefined where it succeeded, else what was wrong; and how long it took. */
export type OnCommit = (problem: string | undefined, took: { seconds: number; isDurable: boolean }) => void;

/** What a caller is told, and whether only once it is on the platter. */
interface Outcome {
  lasts: boolean;
  settle(): void;
}

/** Committed, and not yet on the platter. */
interface Landing {
  done(): void;
  failed(error: unknown): void;
}

/**
 * SQLite's own way to the platter holds the whole process up, so it is told to leave the syncing of its log to us: with
 * `synchronous = normal` a commit is in the log (WAL), and the log on the platter once its file is synced, which
 * goes on beside other work and once for all that was committed meanwhile. What SQLite still syncs itself, it does when
 * the log goes into the database: every 16 MB.
 * @param path a file, whose folder is made where it is missing, or ":memory:".
 */
export function openDatabase(
  path: string,
  onCommit: OnCommit = () => undefined,
  sync: Sync = promisify(fdatasync),
): Database {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (path !== ":memory:") {
    // Messages wait in it, so at no time may others open it; SQLite gives its other files the same mode.
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
  }
  const db = new DatabaseSync(path);
  db.exec(
    "pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 4000; pragma busy_timeout = 5000;",
  );
  const statements = new Map<string, StatementSync>();
  const watchers: (() => void)[] = [];
  let pending: Pending[] = [];
  let landing: Landing[] = [];
  let isLanding = false;
  let logFile: number | undefined;
  let broken: UnsyncedError | undefined;

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

  const syncLog = async (): Promise<void> => {
    // Where there is none, nothing has been written since the database was opened.
    if (logFile === undefined && existsSync(`${path}-wal`)) logFile = openSync(`${path}-wal`, "r");
    if (logFile !== undefined) await sync(logFile);
  };

  const land = async (): Promise<void> => {
    if (isLanding) return;
    isLanding = true;
    while (landing.length > 0) {
      const group = landing;
      landing = [];
      try {
        // After one that failed the disk may take the next, without what it has lost.
        if (!broken) await syncLog();
      } catch (cause) {
        broken = new UnsyncedError(cause);
      }
      for (const { done, failed } of group) {
        if (broken) failed(broken);
        else done();
      }
    }
    isLanding = false;
  };

  /** All in one commit; work that fails is undone alone. */
  const commitAll = (group: readonly Pending[]): Outcome[] => {
    const together = ({ work, isDurable, resolve }: Pending): Outcome => {
      const result = work() as never;
      return { lasts: isDurable, settle: () => resolve(result) };
    };
    const apart = (one: Pending): Outcome => {
      try {
        return savepoint(() => together(one));
      } catch (error) {
        return { lasts: false, settle: () => one.reject(error) };
      }
    };
    let isOfWork = false;
    try {
      // Nearly always all goes well, and a savepoint is two statements more for each.
      return transaction(() => {
        isOfWork = true;
        const outcomes = group.map(together);
        isOfWork = false;
        return outcomes;
      });
    } catch (error) {
      // A lock or a full disk has been waited for already.
      if (!isOfWork) throw error;
      return transaction(() => group.map(apart));
    }
  };

  const flush = (): void => {
    const group = pending;
    pending = [];
    const isDurable = group.some((one) => one.isDurable);
    const begun = performance.now();
    const tell = (problem: string | undefined): void =>
      onCommit(problem, { seconds: (performance.now() - begun) / 1000, isDurable });
    const failed = (error: unknown): void => {
      tell((error as Error).message);
      for (const { reject } of group) reject(error);
    };
    let outcomes: Outcome[];
    try {
      if (broken) throw broken;
      outcomes = commitAll(group);
    } catch (error) {
      failed(error);
      return;
    }
    for (const watcher of watchers) watcher();
    for (const { lasts, settle } of outcomes) if (!lasts) settle();
    const done = (): void => {
      tell(undefined);
      for (const { lasts, settle } of outcomes) if (lasts) settle();
    };
    if (isDurable) {
      landing.push({ done, failed });
      void land();
    } else done();
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
    watch: (onCommitted) => void watchers.push(onCommitted),
    async close() {
      try {
        await ask(() => undefined, true);
      } finally {
        db.close();
        if (logFile !== undefined) closeSync(logFile);
      }
    },
  };
}

/**
 * A database that nobody has open, as it stands: not a byte of it or beside it changes.
 * @throws Error if the file cannot be opened.
 */
export function openUnchanging(path: string): Pick<Database, "all" | "one"> & { close(): void } {
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  const db = new DatabaseSync(url, { readOnly: true });
  return {
    all: (sql, ...values) => db.prepare(sql).all(...values) as Row[],
    one: (sql, ...values) => db.prepare(sql).get(...values) as Row | undefined,
    close: () => db.close(),
  };
}

export function tablesOf(db: Database): Tables {
  return {
    all: async (sql, ...values) => db.all(sql, ...values),
    one: async (sql, ...values) => db.one(sql, ...values),
    soon: (...statements) => db.soon(() => statements.map(({ sql, values }) => db.run(sql, ...values))),
    durably: (...statements) => db.durably(() => statements.map(({ sql, values }) => db.run(sql, ...values))),
  };
}
