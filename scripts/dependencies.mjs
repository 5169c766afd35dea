// Keeps node_modules equal to package-lock.json, so a fresh clone and a pulled change need nothing by hand.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.mjs";
import { step } from "./progress.mjs";

function packagesIn(lockfile) {
  return JSON.parse(readFileSync(lockfile, "utf8")).packages;
}

/** npm writes its own lockfile into node_modules last, so it tells what a finished install put there. */
function areInstalled(root) {
  const installedLock = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedLock) || !existsSync(pinnedNode(root))) return false;
  const installed = packagesIn(installedLock);
  return Object.entries(packagesIn(join(root, "package-lock.json"))).every(
    // Optional packages are those of other platforms; "" is the project itself.
    ([path, { version, optional }]) => path === "" || optional || installed[path]?.version === version,
  );
}

/** The Node that the project is pinned to, whichever runs this. */
export function pinnedNode(root) {
  return join(root, "node_modules/.bin/node");
}

export async function ensureDependencies(root) {
  if (areInstalled(root)) return;
  const command = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  await step("Installing the npm packages (npm ci)", () => run("npm", command, { cwd: root }));
}
