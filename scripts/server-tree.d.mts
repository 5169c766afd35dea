// The types of server-tree.mjs for the TypeScript that uses it; it is plain JavaScript because it runs before any install.

/** Folders are absolute; `modules` is seen from inside `root`, which is "/" for servers of the machine itself. */
export type FoundServers =
  | { root: string; modules: string; missing?: never }
  | { missing: string; root?: never };

export function findServers(): FoundServers;
