/** The lanes that this process has for itself: taken as there is room for them, kept while there is something in them. */
import type { Log } from "../../ops/log.ts";
import { type Held, heartbeat, longestHeld, type Queue, queueOf, queues, type Tokens } from "./tokens.ts";
import { DatabaseAwayError, isPostgresTrouble } from "./trouble.ts";

export interface Claim extends Held {
  lane: string;
  /** By the clock of `performance`: until then nobody else can have the lane. */
  until: number;
  claimedAt: number;
  /** Whoever had the lane before may have been in the middle of that job; 0 before the first was looked at. */
  doubtful: number | undefined;
  /** The server may have crashed and forgotten which jobs of the lane were over: each may have had its effect. */
  isShaken: boolean;
  /** How often it was not sure whether it is held. */
  doubts: number;
}

/** What the dispatcher wants to know, and to have. */
export interface Taker {
  onNews(lanes: readonly string[]): void;
  room(prefix: string): number;
}

export interface Claims {
  watch(taker: Taker): void;
  /** @throws Error where it is not sure that the lane is still ours. */
  of(lane: string): Claim | undefined;
  lanes(): string[];
  /** Takes what there is room for, if there is news. */
  look(queue: Queue): Promise<void>;
  /** There is something new in these lanes. */
  note(lanes: Iterable<string>): void;
  /** The lane is not ours any more. */
  forget(claim: Claim): void;
  /** It may have been let go, which nobody knows: it is not used before it is touched. */
  doubt(claim: Claim): void;
  /** Whether it has been held for so long that it is better taken anew. */
  isOld(claim: Claim): boolean;
  /** Gives back what is held. */
  stop(): Promise<void>;
}

const touchEvery = 3_000;
/** Of processes that have died nobody tells. */
const lookEvery = 1_000;
/** Less than pg-boss waits, for whoever is held up between the clock and the answer. */
const lasts = (heartbeat - 2) * 1000;
/** After the connection was lost PostgreSQL may have forgotten what was over. */
const doubtfulFor = 30_000;
const mostAtOnce = 500;

export function createClaims({ tokens, log }: { tokens: Tokens; log: Log }): Claims {
  const held = new Map<string, Claim>();
  /** Queues in which there may be tokens that were not asked for yet. */
  const unseen = new Set<Queue>(queues);
  const looking = new Map<Queue, Promise<void>>();
  let taker: Taker | undefined;
  let doubtfulUntil = 0;
  let stopping = false;
  let touching: Promise<void> | undefined;
  let isDue = false;

  const prefixOf = (queue: Queue): string => (queue === "to-xmpp" ? "matrix " : "");

  const take = async (queue: Queue): Promise<void> => {
    const room = Math.min(taker?.room(prefixOf(queue)) ?? mostAtOnce, mostAtOnce);
    if (stopping || room <= 0 || !unseen.delete(queue)) return;
    const begun = performance.now();
    try {
      const fetched = await tokens.fetch(queue, room);
      // What this has left is for when there is room.
      if (fetched.length === room) unseen.add(queue);
      for (const { id, retryCount, lane } of fetched) {
        held.set(lane, {
          id,
          retryCount,
          lane,
          until: begun + lasts,
          claimedAt: begun,
          doubtful: retryCount > 0 ? 0 : undefined,
          isShaken: begun < doubtfulUntil,
          doubts: 0,
        });
      }
      if (fetched.length > 0) taker?.onNews(fetched.map(({ lane }) => lane));
    } catch (error) {
      unseen.add(queue);
      throw error;
    }
  };

  const look = async (queue: Queue): Promise<void> => {
    // What runs has asked before.
    await looking.get(queue)?.catch(() => undefined);
    const running = looking.get(queue) ?? take(queue).finally(() => looking.delete(queue));
    looking.set(queue, running);
    await running;
  };

  const lookQuietly = (queue: Queue): void => {
    if (!taker || stopping) return;
    look(queue).catch((error) => {
      if (!isPostgresTrouble(error)) log.error("lanes could not be taken, will be tried again", { error });
    });
  };

  const drop = (claim: Claim): void => {
    if (held.get(claim.lane) === claim) held.delete(claim.lane);
  };

  const keep = (claim: Claim, touchedAt: number): void => {
    if (claim.until < touchedAt) claim.isShaken = true;
    claim.until = touchedAt + lasts;
  };

  const heldOf = (queue: Queue): Claim[] => [...held.values()].filter(({ lane }) => queueOf(lane) === queue);

  const touch = async (queue: Queue, those: readonly Claim[]): Promise<void> => {
    const begun = performance.now();
    const before = new Map(those.map((claim) => [claim, claim.doubts]));
    const ours = new Set(await tokens.touch(queue, those));
    for (const claim of those) {
      if (!ours.has(claim.id)) drop(claim);
      // What the answer says may be of the time before a doubt.
      else if (claim.doubts === before.get(claim)) keep(claim, begun);
    }
  };

  const touchWhileDue = async (): Promise<void> => {
    while (isDue) {
      isDue = false;
      for (const queue of queues) {
        const those = heldOf(queue);
        if (those.length > 0) await touch(queue, those);
      }
    }
  };

  const touchQuietly = (): void => {
    isDue = true;
    touching ??= touchWhileDue()
      .catch((error) => {
        if (!isPostgresTrouble(error)) log.error("lanes could not be kept", { error });
      })
      .finally(() => {
        touching = undefined;
      });
  };

  const shake = (): void => {
    doubtfulUntil = performance.now() + doubtfulFor;
    for (const claim of held.values()) claim.isShaken = true;
  };

  tokens.watch(
    (queue) => {
      unseen.add(queue);
      lookQuietly(queue);
    },
    () => {
      shake();
      touchQuietly();
      for (const queue of queues) unseen.add(queue);
      queues.forEach(lookQuietly);
    },
    shake,
  );
  const touches = setInterval(touchQuietly, touchEvery);
  const looks = setInterval(() => {
    for (const queue of queues) unseen.add(queue);
    queues.forEach(lookQuietly);
  }, lookEvery);

  return {
    watch(given) {
      taker = given;
    },
    of(lane) {
      const claim = held.get(lane);
      if (claim && performance.now() > claim.until)
        throw new DatabaseAwayError("a lane could not be kept in time");
      return claim;
    },
    lanes: () => [...held.keys()],
    look,
    note(lanes) {
      for (const lane of lanes) unseen.add(queueOf(lane));
    },
    forget(claim) {
      drop(claim);
      const queue = queueOf(claim.lane);
      if (unseen.has(queue) && !looking.has(queue)) lookQuietly(queue);
    },
    doubt(claim) {
      claim.until = 0;
      claim.doubts += 1;
      touchQuietly();
    },
    isOld: ({ claimedAt }) => performance.now() - claimedAt > (longestHeld * 1000) / 4,
    async stop() {
      stopping = true;
      clearInterval(touches);
      clearInterval(looks);
      await Promise.allSettled([...looking.values(), touching]);
      for (const queue of queues) {
        const those = heldOf(queue);
        if (those.length > 0) await tokens.giveBack(queue, those);
      }
      held.clear();
    },
  };
}
