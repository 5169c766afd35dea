/** Says whether a PostgreSQL database can be used by this version, without making or migrating anything. */
import { problemOfSchema, readMigrations } from "../migrate.ts";
import { connectPostgres, type Postgres } from "./connection.ts";
import { checkServer, type Installation, problemOfOwner } from "./migrate.ts";
import { checkMoved } from "./move.ts";

const channel = "causeway_check";
const newsWithinMs = 3000;

const hasTable = async (db: Postgres, name: string): Promise<boolean> =>
  (await db.one("select to_regclass(?) is not null as there", name))?.there === true;

/** @throws Error where what one connection tells does not reach another. */
async function checkNews(db: Postgres): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const heard = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), newsWithinMs);
    db.listen(
      channel,
      () => resolve(true),
      () => void db.alone("select pg_notify(?, '')", channel).catch(() => undefined),
    ).catch(() => resolve(false));
  });
  const isHeard = await heard;
  clearTimeout(timer);
  if (!isHeard)
    throw new Error(
      "it takes LISTEN and tells nothing, as a PgBouncer does that pools by transaction: name PostgreSQL itself, or set pool_mode to session",
    );
}

/** @throws Error where the user may not make what the first start makes. */
async function checkRights(db: Postgres): Promise<void> {
  const rights = await db.one(
    "select current_user as name, current_database() as database, " +
      "has_database_privilege(current_database(), 'CREATE') as schemas, " +
      "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as tables",
  );
  if (rights?.schemas === true && rights.tables === true) return;
  throw new Error(
    `the user ${rights?.name} may not create tables and schemas in it: alter database "${rights?.database}" owner to "${rights?.name}"`,
  );
}

/**
 * @returns whether there is a bridge's database yet; where not, it could be made.
 * @throws Error that says what stands in the way.
 */
export async function inspectPostgres(url: string, installation: Installation): Promise<boolean> {
  const db = connectPostgres(url);
  try {
    await checkServer(db);
    await checkRights(db);
    await checkNews(db);
    if (!(await hasTable(db, "migrations"))) return false;
    const newest = await db.one("select version, name from migrations order by version desc limit 1");
    const newer = problemOfSchema(newest, readMigrations("postgres"));
    if (newer !== undefined) throw new Error(newer);
    if (!(await hasTable(db, "installation"))) return false;
    const owner = await db.one("select homeserver, component from installation");
    const foreign = owner && problemOfOwner(owner, installation);
    if (foreign !== undefined) throw new Error(foreign);
    await checkMoved(db);
    return true;
  } finally {
    await db.close();
  }
}
