/** Brings a PostgreSQL database to this version's schema, once, whoever begins; and refuses those that cannot be used. */
import { type Migration, problemOfSchema, readMigrations } from "../migrate.ts";
import type { Postgres, Transaction } from "./connection.ts";

export interface Installation {
  /** Domain of the homeserver. */
  homeserver: string;
  /** Domain of the component on the XMPP side. */
  component: string;
}

const oldest = 15;

const newestIn = (db: Pick<Transaction, "one">) =>
  db.one("select version, name from migrations where version > 0 order by version desc limit 1");

/** @throws Error that says what this database lacks. */
export async function checkServer(db: Pick<Postgres, "one">): Promise<void> {
  const row = await db.one(
    "select version() as version, current_setting('server_version_num')::int as number, " +
      "current_setting('transaction_read_only') as read_only, pg_is_in_recovery() as is_copy, " +
      "current_setting('server_encoding') as encoding",
  );
  const version = String(row?.version);
  if (!version.startsWith("PostgreSQL"))
    throw new Error(
      `the database is ${version.split(" ")[0]}, with which Causeway has not been tried: use PostgreSQL`,
    );
  if (Number(row?.number) < oldest * 10_000) {
    const found = version.split(" ").slice(0, 2).join(" ");
    throw new Error(`the database is ${found}: Causeway takes PostgreSQL ${oldest} or newer`);
  }
  if (row?.encoding !== "UTF8")
    throw new Error(
      `the database is in ${row?.encoding}: make one with \`createdb --encoding=UTF8 --template=template0\``,
    );
  if (row?.is_copy === true)
    throw new Error("the database is a standby, which nobody can write to: name the primary server instead");
  if (row?.read_only === "on")
    throw new Error("the database is read-only: let Causeway's user write to it, or name another one");
}

/** What is wrong with a database that belongs to somebody, naming both; undefined where it is this bridge's own. */
export function problemOfOwner(
  owner: Record<string, unknown> | undefined,
  { homeserver, component }: Installation,
): string | undefined {
  if (owner?.homeserver === homeserver && owner.component === component) return undefined;
  return (
    `the database belongs to another installation, the bridge of ${owner?.homeserver} with ${owner?.component}, ` +
    `and this is the one of ${homeserver} with ${component}: give each a database of its own`
  );
}

/** @throws Error naming both, where the database is another bridge's. */
async function claim(tx: Transaction, installation: Installation): Promise<void> {
  await tx.run(
    "insert into installation (only_one, homeserver, component) values (1, ?, ?) on conflict (only_one) do nothing",
    installation.homeserver,
    installation.component,
  );
  const foreign = problemOfOwner(
    await tx.one("select homeserver, component from installation"),
    installation,
  );
  if (foreign !== undefined) throw new Error(foreign);
}

/** Two that begin at the same time may both try to make the table. */
async function makeList(db: Postgres): Promise<void> {
  try {
    const sql = "create table if not exists migrations (version integer primary key, name text not null)";
    await db.once((tx) => tx.run(sql));
  } catch (error) {
    if (!["23505", "42P07", "42710"].includes(String((error as { code?: unknown }).code))) throw error;
  }
  const sql = "insert into migrations (version, name) values (0, 'lock') on conflict (version) do nothing";
  await db.once((tx) => tx.run(sql));
}

/** @throws Error that says why the database cannot be used, and what to do. */
export async function migrate(
  db: Postgres,
  installation: Installation,
  migrations: readonly Migration[] = readMigrations("postgres"),
): Promise<void> {
  await checkServer(db);
  await makeList(db);
  await db.once(async (tx) => {
    // Whoever comes second waits here, and finds it done.
    await tx.one("select version from migrations where version = 0 for update");
    const newest = await newestIn(tx);
    const newer = problemOfSchema(newest, migrations);
    if (newer !== undefined) throw new Error(newer);
    const from = Number(newest?.version ?? 0);
    for (const { version, name, sql } of migrations.filter((migration) => migration.version > from)) {
      await tx.executeSql(sql);
      await tx.run("insert into migrations (version, name) values (?, ?)", version, name);
    }
    await claim(tx, installation);
    // Of processes that are gone.
    await tx.run("delete from commits where committed_at < now() - interval '1 day'");
  });
}
