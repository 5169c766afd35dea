/** Brings a database to this version's schema, and refuses one that a newer version has changed. */
import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "./database.ts";

export interface Migration {
  version: number;
  name: string;
  sql: string;
}

const folder = new URL("./migrations/", import.meta.url);

/** The numbered SQL files that ship with this version, oldest first. */
export function readMigrations(): Migration[] {
  return readdirSync(folder)
    .filter((file) => /^\d{4}-[a-z-]+\.sql$/.test(file))
    .sort()
    .map((file) => ({
      version: Number(file.slice(0, 4)),
      name: file.slice(5, -4),
      sql: readFileSync(new URL(file, folder), "utf8"),
    }));
}

/** @throws Error naming both versions, if the database is of a newer schema. */
export function migrate(db: Database, migrations: readonly Migration[]): void {
  db.exec("create table if not exists migrations (version integer primary key, name text not null)");
  const newest = db.one("select version, name from migrations order by version desc limit 1");
  const from = Number(newest?.version ?? 0);
  const to = migrations.at(-1)?.version ?? 0;
  if (from > to) {
    throw new Error(
      `the database has schema ${from} (${newest?.name}), which a newer version of Causeway made; ` +
        `this version knows schemas up to ${to}: run the newer version, or restore a copy from before its upgrade`,
    );
  }
  for (const { version, name, sql } of migrations.filter((migration) => migration.version > from)) {
    db.commit(() => {
      db.exec(sql);
      db.run("insert into migrations (version, name) values (?, ?)", version, name);
    });
  }
}
