/**
 * Which process takes what Prosody hands over: one at a time, and another one only when the one before has stored what it
 * had. Prosody sends on without waiting for answers, so that two processes could store one sender's messages in any order.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Cluster } from "../cluster/cluster.ts";
import type { Log } from "../ops/log.ts";

export interface EarDeps {
  cluster: Pick<Cluster, "processes" | "self" | "tell">;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

export interface Ear {
  /** Does it as soon as it is this process's turn; what came before it here is begun before it. */
  hear<T>(work: () => Promise<T>): Promise<T>;
  /** The database is away, and with it what others tell: what waits for its turn is refused. */
  doubt(): void;
  /** What is done with what processes tell each other about it. */
  answers: Record<"earTaken" | "earYielded", Answer>;
}

/** What the process that wants the turn tells the others. */
interface Wish {
  by: string;
  since: number;
}

/** Longer than storing takes while the database or the process that leads is away; who has died is not waited for. */
const patienceMs = 15_000;
const lookEveryMs = 250;

export function createEar({ cluster, now, log }: EarDeps): Ear {
  /** All that has come here and is not over, and what of it has been begun. */
  const here = new Set<Promise<unknown>>();
  const underWay = new Set<Promise<unknown>>();
  /** Counted up whenever another process takes the turn. */
  let lost = 0;
  let doubts = 0;
  let isOurs = false;
  let taking: Promise<void> | undefined;
  /** When the first came of what waits here. */
  let since = 0;
  /** Whether the others know that this process wants it. */
  let hasAsked = false;
  /** Processes that may have something under way, and what to do when one of them has not. */
  const waitedFor = new Set<string>();
  let onYielded = (): void => undefined;

  const others = async (): Promise<string[]> =>
    (await cluster.processes()).flatMap(({ id }) => (id === cluster.self ? [] : [id]));

  const take = async (): Promise<void> => {
    const [lostBefore, doubtsBefore] = [lost, doubts];
    for (const id of await others()) waitedFor.add(id);
    hasAsked = true;
    if (waitedFor.size > 0) await cluster.tell("others", "earTaken", { by: cluster.self, since });
    const until = performance.now() + patienceMs;
    while (waitedFor.size > 0 && doubts === doubtsBefore && performance.now() < until) {
      const { promise, resolve } = Promise.withResolvers<void>();
      onYielded = resolve;
      await Promise.race([promise, sleep(lookEveryMs, undefined, { ref: false })]);
      const alive = new Set(await others());
      for (const id of waitedFor) if (!alive.has(id)) waitedFor.delete(id);
    }
    if (doubts !== doubtsBefore) throw new Error("the database was away, so nobody knows whose turn it is");
    if (waitedFor.size > 0)
      log.warn("another process has stanzas of Prosody still, and is waited for no longer");
    isOurs = lost === lostBefore;
  };

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!isOurs) {
      if (!taking) since = now();
      taking ??= take().finally(() => {
        taking = undefined;
        hasAsked = false;
        waitedFor.clear();
      });
      await taking;
    }
    return within(underWay, work());
  };

  const lose = (): void => {
    lost += 1;
    isOurs = false;
  };

  return {
    hear: (work) => within(here, inTurn(work)),
    doubt() {
      doubts += 1;
      lose();
    },
    answers: {
      // Whoever waited for what is under way here would hold up all that is told.
      async earTaken(wish) {
        const { by: other, since: waitsSince } = wish as Wish;
        lose();
        // What waits here came first; where each waits for the other, whoever waits longer goes first.
        const isOlder = since < waitsSince || (since === waitsSince && cluster.self < other);
        const isFirst = hasAsked && (!waitedFor.has(other) || isOlder);
        Promise.allSettled(isFirst ? here : underWay)
          .then(() => cluster.tell(other, "earYielded", cluster.self))
          .catch((error) => log.warn("another process waits for word of Prosody's stanzas", { error }));
      },
      async earYielded(by) {
        if (waitedFor.delete(String(by)) && waitedFor.size === 0) onYielded();
      },
    },
  };
}

/** Keeps it in the set until it is over. */
async function within<T>(set: Set<Promise<unknown>>, work: Promise<T>): Promise<T> {
  set.add(work);
  try {
    return await work;
  } finally {
    set.delete(work);
  }
}
