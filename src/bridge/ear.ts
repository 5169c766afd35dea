/**
 * Which process takes what Prosody hands over: one at a time, and another one only when the one before has stored what it
 * had. Prosody sends on without waiting for answers, so that two processes could store one sender's messages in any order.
 *
 * A process asks all others for its turn and begins when each has yielded; of two that want it at the same time whoever
 * has waited longer goes first (the algorithm of Ricart and Agrawala, 1981). It then begins what came before anything
 * that waits elsewhere.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Cluster } from "../cluster/cluster.ts";
import type { Log } from "../ops/log.ts";

export interface EarDeps {
  cluster: Pick<Cluster, "others" | "self" | "tell">;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
  times?: typeof usual;
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
  /** Names it among those of this process: what is said of an earlier one says nothing of this one. */
  number: number;
  since: number;
}

/** What each of them answers. */
interface Yield {
  by: string;
  number: number;
  /** When the first came of what waits there itself. */
  next?: number | undefined;
}

/** A wish of this process, until it is fulfilled or given up. */
interface Turn extends Wish {
  asked: Set<string>;
  /** Who of them has not yielded. */
  waitedFor: Set<string>;
  /** What came later waits for the next turn, since others have something that came before it. */
  until: number;
  over: PromiseWithResolvers<void>;
}

interface Waiting {
  cameAt: number;
  begin(): void;
  refuse(error: unknown): void;
}

/** In milliseconds. */
const usual = {
  /** Longer than storing takes while the database or the process that leads is away; who has died is not waited for. */
  patience: 15_000,
  /** How often it is looked who has died. */
  look: 250,
  /** How often whoever has not yielded is told again: a crash of the database loses what was told. */
  tellAgain: 1000,
  /** What has reached this machine by the time of another's wish reaches this process first. */
  settle: 20,
  /**
   * How late a busy process may notice what it was handed; no balancer changes its mind twice within that. Processes that
   * are given stanzas in turns do so much together, and keep up.
   */
  late: 100,
};

const isBefore = (one: Wish, other: Wish): boolean =>
  one.since < other.since || (one.since === other.since && one.by < other.by);

export function createEar({ cluster, now, log, times = usual }: EarDeps): Ear {
  const { self } = cluster;
  /** What is begun as it comes, or waits for the next turn. */
  let isOurs = false;
  const waiting: Waiting[] = [];
  const underWay = new Set<Promise<unknown>>();
  let asking: Turn | undefined;
  let isTakingTurns = false;
  let wishes = 0;
  let doubts = 0;
  /** Of all wishes that this process has heard of. */
  let newest = 0;
  let wake = (): void => undefined;

  /** Resolves when all have, or it is time to see who is left. */
  const someYield = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, times.look).unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const tell = (id: string, { by, number, since }: Wish): Promise<void> =>
    cluster.tell(id, "earTaken", { by, number, since } satisfies Wish);
  const allYield = async (turn: Turn, isDoubted: () => boolean): Promise<void> => {
    const { waitedFor } = turn;
    const until = performance.now() + times.patience;
    let tellAt = 0;
    while (waitedFor.size > 0 && !isDoubted() && performance.now() < until) {
      const woken = someYield();
      if (performance.now() >= tellAt) {
        tellAt = performance.now() + times.tellAgain;
        await Promise.all([...waitedFor].map((id) => tell(id, turn)));
      }
      await woken;
      const alive = new Set(waitedFor.size > 0 ? await cluster.others() : []);
      for (const id of waitedFor) if (!alive.has(id)) waitedFor.delete(id);
    }
    if (isDoubted()) throw new Error("the database was away, so nobody knows whose turn it is");
    if (waitedFor.size > 0)
      log.warn("another process has stanzas of Prosody still, and is waited for no longer");
  };

  const takeTurn = async (cameAt: number): Promise<void> => {
    const before = doubts;
    // Whoever is not among them yet will have to ask this process.
    const others = await cluster.others();
    wishes += 1;
    // What was yielded to before this process wished for anything goes first.
    const since = Math.max(cameAt, newest + 1);
    const [asked, waitedFor] = [new Set(others), new Set(others)];
    const over = Promise.withResolvers<void>();
    const turn = { by: self, number: wishes, since, asked, waitedFor, until: Number.POSITIVE_INFINITY, over };
    asking = turn;
    try {
      await allYield(turn, () => doubts !== before);
      isOurs = turn.until === Number.POSITIVE_INFINITY;
      if (turn.until < cameAt) {
        // Somebody has yielded who had waited longer, and is going to wish for it.
        newest = Math.max(newest, since + 1);
        return;
      }
      const later = waiting.findIndex((one) => one.cameAt > turn.until + times.late);
      for (const one of waiting.splice(0, later < 0 ? waiting.length : later)) one.begin();
    } finally {
      asking = undefined;
      over.resolve();
    }
  };
  const refuse = (error: unknown): void => {
    for (const one of waiting.splice(0)) one.refuse(error);
  };
  const takeTurns = async (): Promise<void> => {
    isTakingTurns = true;
    for (let first = waiting[0]; first; first = waiting[0]) await takeTurn(first.cameAt).catch(refuse);
    isTakingTurns = false;
  };

  const begin = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = work();
    underWay.add(done);
    try {
      return await done;
    } finally {
      underWay.delete(done);
    }
  };

  const yieldTo = async (wish: Wish): Promise<void> => {
    await sleep(times.settle, undefined, { ref: false });
    isOurs = false;
    newest = Math.max(newest, wish.since);
    const turn = asking;
    if (turn && isBefore(turn, wish)) {
      turn.until = Math.min(turn.until, wish.since);
      await turn.over.promise;
    } else if (turn && !turn.asked.has(wish.by)) {
      // It came too late to be asked, and goes first all the same: else three could wait in a circle.
      turn.asked.add(wish.by);
      turn.waitedFor.add(wish.by);
      await tell(wish.by, turn);
    }
    await Promise.allSettled(underWay);
    const answer: Yield = { by: self, number: wish.number, next: waiting[0]?.cameAt };
    await cluster.tell(wish.by, "earYielded", answer);
  };

  return {
    hear(work) {
      if (isOurs) return begin(work);
      return new Promise((resolve, reject) => {
        waiting.push({ cameAt: now(), begin: () => resolve(begin(work)), refuse: reject });
        if (!isTakingTurns) void takeTurns();
      });
    },
    doubt() {
      doubts += 1;
      isOurs = false;
      refuse(new Error("the database was away, so nobody knows whose turn it is"));
      wake();
    },
    answers: {
      // Whoever waited for what is under way here would hold up all that is told.
      async earTaken(wish) {
        yieldTo(wish as Wish).catch((error) =>
          log.warn("another process waits for word of Prosody's stanzas", { error }),
        );
      },
      async earYielded(answer) {
        const { by, number, next = Number.POSITIVE_INFINITY } = answer as Yield;
        if (asking?.number !== number) return;
        asking.until = Math.min(asking.until, next);
        if (asking.waitedFor.delete(by) && asking.waitedFor.size === 0) wake();
      },
    },
  };
}
