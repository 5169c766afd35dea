/** Brings a database to this version's schema, and refuses one that a newer version has changed. */
import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "./database.ts";

export interface Migration {
  version: number;
  name: string;
  sql: string;
}

const folders = {
  sqlite: new URL("./migrations/", import.meta.url),
  postgres: new URL("./migrations/postgres/", import.meta.url),
};

/** The numbered SQL files that ship with this version, oldest first. */
export function readMigrations(backend: keyof typeof folders = "sqlite"): Migration[] {
  const folder = folders[backend];
  return readdirSync(folder)
    .filter((file) => /^\d{4}-[a-z-]+\.sql$/.test(file))
    .sort()
    .map((file) => ({
      version: Number(file.slice(0, 4)),
      name: file.slice(5, -4),
      sql: readFileSync(new URL(file, folder), "utf8"),
    }));
}

const newestIn = (db: Pick<Database, "one">) =>
  db.one("select version, name from migrations order by version desc limit 1");

/**
 * What is wrong with a newer schema, naming both versions; undefined for any other.
 * @param newest the last row of the database's own list.
 */
export function problemOfSchema(
  newest: Record<string, unknown> | undefined,
  migrations: readonly Migration[],
): string | undefined {
  const to = migrations.at(-1)?.version ?? 0;
  if (Number(newest?.version ?? 0) <= to) return undefined;
  return (
    `the database has schema ${newest?.version} (${newest?.name}), which a newer version of Causeway made; ` +
    `this version knows schemas up to ${to}: run the newer version, or restore a copy from before its upgrade`
  );
}

/** As `problemOfSchema`. */
export function newerSchema(db: Pick<Database, "one">, migrations: readonly Migration[]): string | undefined {
  if (!db.one("select name from sqlite_schema where name = 'migrations'")) return undefined;
  return problemOfSchema(newestIn(db), migrations);
}

/** @throws Error naming both versions, if the database is of a newer schema. */
export function migrate(db: Database, migrations: readonly Migration[]): void {
  const newer = newerSchema(db, migrations);
  if (newer !== undefined) throw new Error(newer);
  db.exec("create table if not exists migrations (version integer primary key, name text not null)");
  const from = Number(newestIn(db)?.version ?? 0);
  for (const { version, name, sql } of migrations.filter((migration) => migration.version > from)) {
    db.commit(() => {
      db.exec(sql);
      db.run("insert into migrations (version, name) values (?, ?)", version, name);
    });
  }
}
