/** Why an occupant is in a room no longer: XEP-0045 1.35, §7.14, §8.2, §9.1, §10.9 and the status codes of §15.6. */
import type { OccupantPresence } from "./muc-presence.ts";

export type Exit =
  /** They are there, under another nick. */
  | "renamed"
  | "left"
  /** The server could not reach them, or goes down: nobody wants them out. */
  | "lost"
  | "kicked"
  | "banned"
  | "destroyed";

const status = {
  banned: 301,
  renamed: 303,
  kicked: 307,
  affiliation: 321,
  membersOnly: 322,
  shutdown: 332,
  lost: 333,
};

/** @param presence of type unavailable. */
export function exitOf({
  statuses,
  destroyed,
  affiliation,
}: Pick<OccupantPresence, "statuses" | "destroyed" | "affiliation">): Exit {
  const has = (code: number): boolean => statuses.has(code);
  if (destroyed) return "destroyed";
  if (has(status.renamed)) return "renamed";
  // COMPAT(Prosody): whoever bans the bridge's domain, which is the bot, puts out all of ours; none of them is meant.
  if (has(status.banned)) return affiliation === "outcast" ? "banned" : "lost";
  // Prosody says 307 along with it.
  if (has(status.lost) || has(status.shutdown)) return "lost";
  return has(status.kicked) || has(status.affiliation) || has(status.membersOnly) ? "kicked" : "left";
}
