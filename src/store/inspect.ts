/** Says whether a database can be used by this version, without making or migrating one. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { openDatabase } from "./database.ts";
import { newerSchema, readMigrations } from "./migrate.ts";

/**
 * @returns whether there is one yet; where not, it could be made.
 * @throws Error that says what stands in the way.
 */
export async function inspectDatabase(path: string): Promise<boolean> {
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
  accessSync(folder, constants.W_OK | constants.X_OK);
  if (!existsSync(path)) return false;
  const db = openDatabase(path);
  try {
    const newer = newerSchema(db, readMigrations());
    if (newer !== undefined) throw new Error(newer);
    // Takes what writing takes, and leaves nothing.
    db.exec("begin immediate; rollback");
  } finally {
    await db.close();
  }
  return true;
}
