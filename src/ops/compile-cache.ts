/** Where Node may keep what it has compiled: whoever could write there could have the bridge run anything. */
import { statSync } from "node:fs";
import { join } from "node:path";

const writableByOthers = 0o022;

/** @returns a folder in the one that is given, or undefined where that is missing, not ours, or not ours alone to write. */
export function compileCacheIn(folder: string): string | undefined {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found || found.uid !== process.getuid?.() || (found.mode & writableByOthers) !== 0) return undefined;
  return join(folder, "compile-cache");
}
