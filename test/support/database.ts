/** The database of a bridge under test: on SQLite, or on PostgreSQL where E2E_DATABASE=postgres. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createDatabase } from "./postgres.ts";
import { query } from "./postgres-server.ts";

export interface TestDatabase {
  /** As in the configuration. */
  address: string;
  /** Does something to what is stored, while no bridge runs on it. */
  change(sql: string): Promise<void>;
  /** All that it holds. */
  contents(): Promise<Buffer>;
  drop(): Promise<void>;
}

const file = "causeway.db";

function onSqlite(folder: string): TestDatabase {
  return {
    address: `sqlite:${join(folder, file)}`,
    async change(sql) {
      const database = new DatabaseSync(join(folder, file));
      database.exec(sql);
      database.close();
    },
    async contents() {
      const files = readdirSync(folder).filter((name) => name.startsWith(file));
      return Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
    },
    drop: async () => undefined,
  };
}

async function onPostgres(): Promise<TestDatabase> {
  const { url, drop } = await createDatabase();
  return {
    address: url,
    async change(sql) {
      await query(url, sql);
    },
    async contents() {
      const tables = await query(
        url,
        `select format('select t::text from %I.%I t', schemaname, tablename) as sql from pg_tables
          where schemaname not in ('pg_catalog', 'information_schema')`,
      );
      const rows = await Promise.all(tables.map(({ sql }) => query(url, String(sql))));
      return Buffer.from(
        rows
          .flat()
          .map(({ t }) => String(t))
          .join("\n"),
      );
    },
    drop,
  };
}

/** @param folder where a file of SQLite may be. */
export const createTestDatabase = async (folder: string): Promise<TestDatabase> =>
  process.env.E2E_DATABASE === "postgres" ? onPostgres() : onSqlite(folder);
