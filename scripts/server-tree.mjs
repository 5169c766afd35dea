// Finds the real Synapse and Prosody that tests and the demo run, and has their tree built where it is missing.
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommandError, runAttached } from "./command.mjs";
import { say } from "./progress.mjs";

/** Raise it when the tree needs other packages: every checkout then builds the new one beside the old. */
const version = "sid-1";

/** What the tree must hold; looked for from its root. */
export const programs = { prosody: "usr/bin/prosody", python: "usr/bin/python3" };
const synapse = "usr/lib/python3/dist-packages/synapse/app/homeserver.py";
const moduleFolders = ["usr/lib/prosody/modules", "usr/local/lib/prosody/modules"];

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "causeway");
export const treeFolder = join(cache, `servers-${version}`);
/** Written into the tree last, so a tree that has it is whole. */
export const stamp = "causeway-versions.txt";

function treeIsReady() {
  return [stamp, ...Object.values(programs), synapse].every((path) => existsSync(join(treeFolder, path)));
}

function onPath(name) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The folder under `root` with a mod_rest that lets a component in, or `undefined`. */
export function modulesFolder(root) {
  return moduleFolders.find((folder) => {
    const file = join(root, folder, "mod_rest/mod_rest.lua");
    return existsSync(file) && readFileSync(file, "utf8").includes("component_secret");
  });
}

/** Why no tree can be built on this machine, or `undefined` if it can. */
export function obstacle() {
  if (process.platform !== "linux")
    return `the servers come from Debian packages, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "building and entering the Debian tree of servers needs root";
  if (!onPath("apt-get")) return "building the Debian tree of servers needs apt-get, and there is none";
  if (!onPath("flock")) return "building the Debian tree of servers needs flock, and there is none";
  return undefined;
}

/**
 * Where the servers are, without building anything: `{ root, modules }`, with root "/" when those of the machine
 * itself are used, or `{ missing }` with the reason.
 */
export function findServers() {
  // Not CAUSEWAY_…: the bridge under test takes every variable of that prefix for configuration.
  if (process.env.E2E_SERVERS_MISSING) return { missing: process.env.E2E_SERVERS_MISSING };
  const hindrance = obstacle();
  const root = hindrance === undefined && treeIsReady() ? treeFolder : "/";
  const modules = modulesFolder(root);
  if (root === treeFolder && modules) return { root, modules: `/${modules}` };
  const machineHasAll = modules && onPath("prosody") && existsSync(join("/", synapse));
  if (machineHasAll) return { root, modules: `/${modules}` };
  return { missing: hindrance ?? "their tree is not built yet; npm test builds it" };
}

/** Makes sure that there are servers: builds the tree if need be. Answers like `findServers`. */
export async function ensureServers({ rebuild = false } = {}) {
  const found = findServers();
  if (!rebuild && found.root === treeFolder) return found;
  if (process.env.E2E_SERVERS_MISSING || obstacle()) return found;
  mkdirSync(cache, { recursive: true });
  // The kernel lets go of this lock when its holder dies, so no lock can be left behind.
  const lock = `${treeFolder}.lock`;
  const build = [process.execPath, fileURLToPath(new URL("build-server-tree.mjs", import.meta.url))];
  if (rebuild) build.push("--rebuild");
  const busy = 75;
  let code = await runAttached("flock", [
    "--no-fork",
    "--nonblock",
    "--conflict-exit-code",
    String(busy),
    lock,
    ...build,
  ]);
  if (code === busy) {
    say("Another process is building the servers; waiting for it …");
    code = await runAttached("flock", ["--no-fork", lock, ...build]);
  }
  if (code >= 128) throw new CommandError("building the servers was interrupted", "");
  const built = findServers();
  // A failed rebuild leaves the old tree, and the machine may have servers of its own.
  if (built.root) return built;
  return { missing: "building the Debian tree of servers failed (its output is above)" };
}
