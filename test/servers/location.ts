/** Tells where the real servers are, so that a test either runs against them or says why it cannot. */
import { rmSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServers } from "../../scripts/server-tree.mjs";

/** The reason why there are no real servers here, to be given as a test's `skip`; `undefined` if there are. */
export function serversMissing(): string | undefined {
  return findServers().missing;
}

/** `root` is the folder that the servers run in ("/": no chroot), `modules` Prosody's module folder seen from there. */
export function serverLocation(): { root: string; modules: string } {
  const found = findServers();
  if (found.missing !== undefined) throw new Error(`no real servers: ${found.missing}`);
  return found;
}

export interface DataFolder {
  /** The path for this process. */
  outside: string;
  /** The same folder for the server, which may live in a chroot. */
  inside: string;
  /** Deletes the folder, unless E2E_KEEP=1 asks to keep it for a look. */
  remove: () => void;
}

const keep = process.env.E2E_KEEP === "1";
const prefix = keep ? "causeway-kept-" : "causeway-run-";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A killed test run cannot clean up after itself; its process ID is in the name of what it left. */
async function removeOrphans(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = /^causeway-run-(\d+)-/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/** A fresh empty folder that the servers can see. */
export async function createDataFolder(name: string): Promise<DataFolder> {
  const { root } = serverLocation();
  const parent = root === "/" ? tmpdir() : join(root, "tmp");
  await removeOrphans(parent);
  const outside = await mkdtemp(join(parent, `${prefix}${process.pid}-${name}-`));
  const inside = root === "/" ? outside : outside.slice(root.length);
  const remove = () => {
    if (!keep) rmSync(outside, { recursive: true, force: true });
  };
  process.once("exit", remove);
  return {
    outside,
    inside,
    remove: () => {
      process.off("exit", remove);
      remove();
    },
  };
}
