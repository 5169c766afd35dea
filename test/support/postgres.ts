/** A fresh database on PostgreSQL for each test that asks for one. */
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { findPostgres } from "../../scripts/postgres.mjs";
import { databaseUrl, query, startPostgres } from "./postgres-server.ts";

/** The reason why there is no PostgreSQL here, to be given as a test's `skip`; `undefined` if there is. */
export function postgresMissing(): string | undefined {
  const missing = process.env.E2E_POSTGRES ? undefined : findPostgres().missing;
  if (missing !== undefined && process.env.E2E_REQUIRE_SERVERS === "1")
    throw new Error(`no PostgreSQL: ${missing}`);
  return missing;
}

let own: Promise<string> | undefined;

/** That of the whole `npm test`, or one for this file where it runs alone. */
function serverUrl(): Promise<string> {
  own ??= process.env.E2E_POSTGRES
    ? Promise.resolve(process.env.E2E_POSTGRES)
    : startPostgres().then(({ url }) => url);
  return own;
}

/** An empty database; `drop` ends whatever still uses it. */
export async function createDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = await serverUrl();
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await query(server, `create database ${name}`);
  return {
    url: databaseUrl(server, name),
    drop: async () => {
      await query(server, `drop database if exists ${name} with (force)`);
    },
  };
}

/** An empty database that is dropped after the test, or why there can be none. */
export async function newDatabase(t: TestContext): Promise<{ url: string } | { missing: string }> {
  const missing = postgresMissing();
  if (missing !== undefined) return { missing };
  const database = await createDatabase();
  t.after(() => database.drop());
  return { url: database.url };
}
