// Finds the programs of the PostgreSQL that tests start, and has Debian's installed where there are none.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { installPackage } from "./apt.mjs";
import { CommandError, lastLines } from "./command.mjs";
import { step } from "./progress.mjs";
import { obstacle } from "./server-tree.mjs";

/** Where Debian's packages put them, a folder for each version. */
const versions = "/usr/lib/postgresql";
/** The oldest that the bridge takes. */
const oldest = 15;
/** Debian's package starts a server of its own unless it reads otherwise here. */
const noServer = "/etc/postgresql-common/createcluster.d/causeway-tests.conf";

/** `{ programs }`, the folder with those of the newest version, or `{ missing }` with the reason. */
export function findPostgres() {
  // Not CAUSEWAY_…: the bridge under test takes every variable of that prefix for configuration.
  if (process.env.E2E_POSTGRES_MISSING) return { missing: process.env.E2E_POSTGRES_MISSING };
  const found = (existsSync(versions) ? readdirSync(versions) : [])
    .map(Number)
    .filter((version) => version >= oldest && existsSync(join(versions, String(version), "bin/initdb")))
    .sort((one, other) => other - one);
  if (found.length > 0) return { programs: join(versions, String(found[0]), "bin") };
  return { missing: `there is no PostgreSQL ${oldest} or newer of Debian's package postgresql` };
}

/** As `findPostgres`, once it has tried to install what is missing. */
export async function ensurePostgres() {
  const found = findPostgres();
  if (found.programs || process.env.E2E_POSTGRES_MISSING || obstacle()) return found;
  mkdirSync(dirname(noServer), { recursive: true });
  writeFileSync(noServer, "create_main_cluster = false\n");
  try {
    await step("Installing PostgreSQL for tests", () => installPackage("postgresql"));
    return findPostgres();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { missing: `${error.message}\n${lastLines(error.output)}` };
  } finally {
    rmSync(noServer);
  }
}
