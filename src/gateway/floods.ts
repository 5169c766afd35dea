/** Who writes too fast: counted by when it was written, since what has waited through an outage comes all at once. */
import type { Attempt } from "../bridge/from-xmpp.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { Guest } from "../store/room-records.ts";

/** Counts what a guest says or changes in a room. @returns whether it is too much; what is tried again never is. */
export type IsFlood = (guest: Pick<Guest, "roomId" | "ghost">, attempt: Attempt) => Promise<boolean>;

const [points, seconds] = [60, 30];

export function createFloods(now: () => number): IsFlood {
  const limit = createRateLimit({ points, seconds });
  return async ({ roomId, ghost }, { mayRepeat, acceptedAt = now() }) => {
    if (mayRepeat) return false;
    const span = Math.floor(acceptedAt / (seconds * 1000));
    return (await limit.take(`${roomId} ${ghost} ${span}`)) !== undefined;
  };
}
