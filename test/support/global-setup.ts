/** What all files of one `npm test` share: a PostgreSQL, unless there is none to start. */
import { findPostgres } from "../../scripts/postgres.mjs";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

let server: PostgresServer | undefined;

export async function globalSetup(): Promise<void> {
  if (process.env.E2E_POSTGRES || findPostgres().missing !== undefined) return;
  server = await startPostgres();
  process.env.E2E_POSTGRES = server.url;
}

export async function globalTeardown(): Promise<void> {
  await server?.close();
}
