/** The file of SQLite that is moved from: what is in it, in an order in which PostgreSQL has it, too. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { openUnchanging } from "../database.ts";
import { newerSchema, readMigrations } from "../migrate.ts";
import type { Row, Value } from "../tables.ts";
import { bound } from "./sql.ts";

export interface Table {
  name: string;
  columns: string[];
  /** Columns by which rows are told apart and ordered. */
  key: string[];
}

export type Source = ReturnType<typeof openUnchanging>;
export type Read = (sql: string, ...values: Value[]) => Promise<Row[]>;

export const readFrom =
  (source: Source): Read =>
  async (sql, ...values) =>
    source.all(sql, ...values);

/** @throws Error where somebody may be writing to the file: only then has it a log beside it. */
export function checkQuiet(path: string): void {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  throw new Error(
    `a bridge runs on ${path}, or has not been stopped cleanly: stop it; where none runs, start it on that file once more and stop it`,
  );
}

/** @throws Error where the file is not there, in use, or not of this version's schema. */
export function openSource(path: string): Source {
  if (!existsSync(path)) throw new Error(`there is no database ${path}`);
  checkQuiet(path);
  const source = openUnchanging(path);
  try {
    const isBridges = source.one("select 1 from sqlite_schema where name = 'migrations'") !== undefined;
    if (!isBridges) throw new Error("it is no database of a bridge");
    const migrations = readMigrations();
    const newer = newerSchema(source, migrations);
    if (newer !== undefined) throw new Error(newer);
    const version = Number(source.one("select max(version) as version from migrations")?.version ?? 0);
    if (version !== migrations.at(-1)?.version) {
      throw new Error(
        `it has schema ${version}, of an older version of Causeway: start this version on it once, stop it, and move then`,
      );
    }
    return source;
  } catch (error) {
    source.close();
    throw new Error(`${path} cannot be moved: ${(error as Error).message}`);
  }
}

const nameOf = ({ name }: Row): string => String(name);

/** All that there are: a table that is new on SQLite has to be there on PostgreSQL, too. */
export function tablesIn(source: Source): Table[] {
  const names = source.all(
    "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name <> 'migrations' order by name",
  );
  return names.map(({ name }) => {
    const columns = source.all("select name, pk from pragma_table_info(?)", String(name));
    const key = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a.pk) - Number(b.pk));
    return { name: String(name), columns: columns.map(nameOf), key: key.map(nameOf) };
  });
}

export const keyOf = (table: Table, row: Row): Value[] => table.key.map((column) => row[column] as Value);

/** The next rows in the order of the key, by which both databases compare byte by byte. */
export function nextRows(
  read: Read,
  { name, columns, key }: Table,
  after: readonly Value[],
  count: number,
): Promise<Row[]> {
  const behind = after.length === 0 ? "" : `where (${key}) > (${key.map(() => "?")})`;
  return read(`select ${columns} from ${name} ${behind} order by ${key} limit ?`, ...after, count);
}

/** @returns how many rows the table has, and a digest of all that is in them, whatever their order is. */
export async function sumOf(
  read: Read,
  table: Table,
  rowsTogether: number,
): Promise<{ rows: number; digest: string }> {
  const digest = Buffer.alloc(32);
  let rows = 0;
  let after: Value[] = [];
  for (;;) {
    const some = await nextRows(read, table, after, rowsTogether);
    for (const row of some) {
      const text = JSON.stringify(table.columns.map((name) => bound(row[name] as Value)));
      const own = createHash("sha256").update(text).digest();
      for (const [at, byte] of own.entries()) digest[at] = (digest[at] ?? 0) ^ byte;
    }
    rows += some.length;
    const last = some.at(-1);
    if (!last) return { rows, digest: digest.toString("hex") };
    after = keyOf(table, last);
  }
}
