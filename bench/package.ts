/** The bridge as its operator installs it: built, without its sources, which Node would strip of their types at each start. */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** @returns what starts it. */
export function buildPackage(folder: string): string {
  // What an older build has left would go along.
  rmSync(join(root, "dist"), { recursive: true, force: true });
  execFileSync("npm", ["run", "build", "--silent"], {
    cwd: root,
    stdio: ["ignore", process.stderr.fd, "inherit"],
  });
  for (const name of ["bin", "dist", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "bin/causeway.js");
}
