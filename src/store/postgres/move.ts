/** Moves all that a bridge has stored on SQLite to PostgreSQL, in steps that may be broken off and gone on with. */
import { randomUUID } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import type { Log } from "../../ops/log.ts";
import type { Row, Value } from "../tables.ts";
import { connectPostgres, type Postgres, type Transaction } from "./connection.ts";
import { type Installation, migrate } from "./migrate.ts";
import {
  checkQuiet,
  keyOf,
  nextRows,
  openSource,
  readFrom,
  type Source,
  sumOf,
  type Table,
  tablesIn,
} from "./move-source.ts";
import { startTokens, type Tokens } from "./tokens.ts";

export interface MoveDeps {
  /** A file of SQLite; it is only read. */
  from: string;
  /** The address of a PostgreSQL database. */
  to: string;
  installation: Installation;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
  /** Hears what is done, a line at a time. */
  tell: (line: string) => void;
  /** How many rows go in one commit. */
  rowsTogether?: number;
}

interface Way {
  db: Postgres;
  source: Source;
  tables: readonly Table[];
  rowsTogether: number;
  tell: (line: string) => void;
}

/** Where it goes on: behind which row of which table. Of each table that comes before it all is there. */
type Position = [table: string, ...after: Value[]];

/** @throws Error where not all has been moved yet that is to be in the database. */
export async function checkMoved(db: Pick<Postgres, "one">): Promise<void> {
  if (await db.one("select 1 from moves where finished_at is null")) {
    throw new Error(
      "`causeway migrate` has not finished with this database: run it again, it goes on where it stopped",
    );
  }
}

/** @throws Error where the target has other rows than those that were put there from this file. */
async function begin(db: Postgres, from: string, tables: readonly Table[]): Promise<Position | "finished"> {
  const row = await db.one("select source, position, finished_at from moves");
  if (row && row.source !== from) {
    throw new Error(
      `the target has what was moved from ${row.source}: make another database to move ${from} to`,
    );
  }
  if (row) return row.finished_at === null ? JSON.parse(String(row.position)) : "finished";
  const first: Position = [tables[0]?.name ?? ""];
  await db.commit(async (tx) => {
    for (const { name } of tables) {
      if (await tx.one(`select 1 from ${name} limit 1`)) {
        throw new Error(
          `the target is not empty, its table ${name} has rows: a bridge has run on it already, so make another database`,
        );
      }
    }
    await tx.run("insert into moves (source, position) values (?, ?)", from, JSON.stringify(first));
  }, true);
  return first;
}

async function insert(
  tx: Transaction,
  name: string,
  columns: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  const places = rows.map(() => `(${columns.map(() => "?")})`);
  const values = rows.flatMap((row) => columns.map((column) => row[column] as Value));
  await tx.run(`insert into ${name} (${columns}) values ${places}`, ...values);
}

/** Each that waits has a token in the queue. */
async function insertJobs(
  tx: Transaction,
  tokens: Tokens,
  { name, columns }: Table,
  rows: readonly Row[],
): Promise<void> {
  const isParked = (row: Row): boolean => row.parked_at !== null;
  const jobs = rows.map((row) => ({ ...row, token: isParked(row) ? null : randomUUID() }) as Row);
  await insert(tx, name, [...columns, "token"], jobs);
  const waiting = jobs.filter((job) => !isParked(job));
  await tokens.insert(
    tx,
    waiting.map(({ token, lane }) => ({ id: String(token), lane: String(lane) })),
  );
}

async function copy(way: Way, begun: Position, tokens: Tokens): Promise<void> {
  const { db, source, tables, rowsTogether, tell } = way;
  let position = begun;
  for (const table of tables.filter(({ name }) => name >= begun[0])) {
    let after = table.name === begun[0] ? begun.slice(1) : [];
    for (;;) {
      const rows = await nextRows(readFrom(source), table, after, rowsTogether);
      const last = rows.at(-1);
      if (!last) break;
      after = keyOf(table, last);
      const [was, is] = [JSON.stringify(position), JSON.stringify([table.name, ...after])];
      await db.commit(async (tx) => {
        if ((await tx.run("update moves set position = ? where position = ?", is, was)) === 0)
          throw new Error("another `causeway migrate` is at work on this database: let it finish");
        if (table.name === "jobs") await insertJobs(tx, tokens, table, rows);
        else await insert(tx, table.name, table.columns, rows);
      }, true);
      position = [table.name, ...after];
      tell(`${table.name}: ${rows.length} rows more`);
    }
  }
}

/** What is made next gets a number that nothing had before. */
async function raiseSequences({ db, source, tables }: Way): Promise<void> {
  const given = source.all("select name, seq from sqlite_sequence");
  for (const { name, key } of tables) {
    const [column = ""] = key;
    const sequence = (await db.one("select pg_get_serial_sequence(?, ?) as name", name, column))?.name;
    if (typeof sequence !== "string") continue;
    const newest = await db.one(`select max(${column}) as number from ${name}`);
    const highest = Math.max(
      1,
      Number(newest?.number),
      Number(given.find((one) => one.name === name)?.seq ?? 0),
    );
    await db.commit((tx) => tx.one("select setval(?, ?)", sequence, highest), true);
  }
}

/** @throws Error naming the tables that are not the same on both sides. */
async function compare({ db, source, tables, rowsTogether, tell }: Way): Promise<void> {
  const unequal: string[] = [];
  for (const table of tables) {
    const there = await sumOf(readFrom(source), table, rowsTogether);
    const here = await sumOf(db.all, table, rowsTogether);
    const isEqual = there.rows === here.rows && there.digest === here.digest;
    tell(
      `${table.name}: ${there.rows} rows on SQLite, ${here.rows} on PostgreSQL, ${isEqual ? "" : "NOT "}the same`,
    );
    if (!isEqual) unequal.push(table.name);
  }
  if (unequal.length > 0) {
    throw new Error(
      `not the same on both sides: ${unequal.join(", ")}. One of them has been written to since the move began: make the target database anew, and move again`,
    );
  }
}

/**
 * Called again it goes on where it stopped; what is there already is not touched.
 * @throws Error that says what stands in the way, and what to do.
 */
export async function moveToPostgres(deps: MoveDeps): Promise<void> {
  const { to, installation, now, log, tell, rowsTogether = 2000 } = deps;
  const from = existsSync(deps.from) ? realpathSync(deps.from) : deps.from;
  const source = openSource(from);
  const db = connectPostgres(to);
  try {
    await migrate(db, installation);
    const way = { db, source, tables: tablesIn(source), rowsTogether, tell };
    const begun = await begin(db, from, way.tables);
    if (begun === "finished") return tell("Everything had been moved before; nothing was changed.");
    const tokens = await startTokens({ db, log, supervise: false });
    try {
      await copy(way, begun, tokens);
    } finally {
      await tokens.stop();
    }
    await raiseSequences(way);
    checkQuiet(from);
    await compare(way);
    await db.commit((tx) => tx.run("update moves set finished_at = ? where source = ?", now(), from), true);
    tell("Everything has been moved.");
  } finally {
    source.close();
    await db.close();
  }
}
