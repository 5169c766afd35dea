/** Runs the lanes: each in order, all side by side; retries what may pass, parks what will not. */
import type { Failure } from "../mapping/errors.ts";
import type { Log } from "../ops/log.ts";
import type { Job, Lanes, NewJob } from "../store/store.ts";
import { failureOf, isOrdinary, isOwnTrouble, retryAfterOf } from "./failure.ts";

export interface DispatcherDeps {
  lanes: Lanes;
  /**
   * Does one job.
   * @param mayRepeat an earlier attempt may have had its effect without the bridge learning of it.
   */
  handle(job: Job, mayRepeat: boolean): Promise<void>;
  /** What is to be told, and to whom, about a job that is given up. */
  followUps(job: Job, failure: Failure, error: unknown): Promise<NewJob[]>;
  log: Log;
  /** Unix time in milliseconds. */
  now: () => number;
  /** A number from 0 to 1, for jitter. */
  random: () => number;
  giveUpAfterMs: number;
  maxConcurrentLanes: number;
  /** Told of each job that is over, before it is taken out of its lane. */
  onDone?: (job: Job, outcome: "handled" | "refused" | "parked") => void;
  /** Told of each attempt that failed for now. */
  onRetry?: (job: Job) => void;
}

export interface Dispatcher {
  /** Takes up whatever an earlier run of the bridge has left, and from now on whatever is stored. */
  start(): Promise<void>;
  /** There is something new in these lanes. */
  wake(lanes: Iterable<string>): void;
  /** A far side has come back: lanes that wait to try again do so now. */
  retryNow(): void;
  /** How many lanes are worked on, wait for that, or wait to try again. */
  lanes(): { working: number; queued: number; retrying: number };
  /** Starts nothing new and resolves when what runs is done. */
  stop(): Promise<void>;
}

const delays = { first: 500, longest: 60_000 };

/** Milliseconds until the next attempt: doubled each time, at most a minute, a quarter of it random. */
export function delayAfter(attempts: number, random: number): number {
  const delay = Math.min(delays.longest, delays.first * 2 ** attempts);
  return Math.round(delay * (0.75 + 0.25 * random));
}

/** The lanes of one network that have something to do: each in one of three states, and a name costs little. */
interface Turns {
  /** In the order in which they have their turns. */
  waiting: Set<string>;
  /** Marked where more has come meanwhile. */
  running: Map<string, { more: boolean; done: Promise<void> }>;
  sleeping: Map<string, NodeJS.Timeout>;
}

const createTurns = (): Turns => ({ waiting: new Set(), running: new Map(), sleeping: new Map() });

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { lanes, handle, followUps, log, now, random, onDone, onRetry } = deps;
  // Apart, so that a slow network does not use up what the other has.
  const turns = [createTurns(), createTurns()] as const;
  const turnsOf = (lane: string): Turns => turns[lane.startsWith("matrix ") ? 0 : 1];
  const sumOf = (count: (one: Turns) => number): number => count(turns[0]) + count(turns[1]);
  /** Lanes that may have been in the middle of their first job when the last run ended. */
  const interrupted = new Set<string>();
  /** What is left to store of jobs that are over, as on a full disk: nothing else of them is to happen again. */
  const endings = new Map<string, () => Promise<void>>();
  /** Nothing was tried while the bridge was down. */
  const startedAt = now();
  /** Until then nobody knows which lanes were interrupted. */
  let started = false;
  let stopping = false;

  const nameOf = ({ id, cause }: Job): string => `${id} ${cause}`;

  const end = async (job: Job, store: () => Promise<void>): Promise<void> => {
    endings.set(nameOf(job), store);
    await store();
    endings.delete(nameOf(job));
  };

  const giveUp = async (job: Job, failure: Failure, error: unknown): Promise<void> => {
    const { cause, lane } = job;
    const told = await followUps(job, failure, error).catch((problem): NewJob[] => {
      log.error("its sender cannot be told", { cause, lane, error: problem });
      return [];
    });
    const { condition } = failure;
    // Anybody can have messages refused, so keeping those would let anybody fill the disk.
    const isRefusal = !failure.retry && isOrdinary(error);
    if (isRefusal) log.info("refused: its sender is told", { cause, lane, condition, error });
    else log.error("parked: this message is given up, its sender is told", { cause, lane, condition, error });
    onDone?.(job, isRefusal ? "refused" : "parked");
    await end(job, () =>
      isRefusal
        ? lanes.complete(job, told)
        : lanes.park(job, String((error as Error)?.message ?? error), told),
    );
  };

  const isTooLate = ({ acceptedAt, retriedAt }: Job): boolean =>
    now() - Math.max(retriedAt ?? acceptedAt, startedAt) > deps.giveUpAfterMs;

  /** @returns milliseconds to wait before the job is tried again, or undefined where it is over. */
  const attempt = async (job: Job, mayRepeat: boolean): Promise<number | undefined> => {
    const ending = endings.get(nameOf(job));
    if (ending) {
      await end(job, ending);
      return undefined;
    }
    try {
      await handle(job, mayRepeat);
    } catch (error) {
      const failure = failureOf(error);
      if (stopping) return undefined;
      const isHopeless = job.attempts + 1 >= (failure.mostAttempts ?? Number.POSITIVE_INFINITY);
      if (!failure.retry || isHopeless || (isTooLate(job) && !isOwnTrouble(failure))) {
        await giveUp(job, failure, error);
        return undefined;
      }
      onRetry?.(job);
      await lanes.failed(job, String((error as Error).message));
      const delay = Math.max(delayAfter(job.attempts, random()), retryAfterOf(error));
      log.warn("failed for now, will be tried again", {
        cause: job.cause,
        lane: job.lane,
        attempt: job.attempts + 1,
        inMs: delay,
        error,
      });
      return delay;
    }
    onDone?.(job, "handled");
    await end(job, () => lanes.complete(job));
    return undefined;
  };

  /** Does the next job of a lane. @returns when to look at the lane again, undefined where it is empty. */
  const work = async (lane: string): Promise<"at once" | number | undefined> => {
    try {
      const job = await lanes.next(lane);
      if (!job) return undefined;
      const mayRepeat = interrupted.delete(lane) || job.attempts > 0 || job.isTakenOver === true;
      return (await attempt(job, mayRepeat)) ?? "at once";
    } catch (error) {
      // The store itself failed: the lane keeps its jobs and is looked at again.
      log.error("a lane stopped and will be taken up again", { lane, error });
      interrupted.add(lane);
      return delays.first;
    }
  };

  const takeTurns = (those: Turns): void => {
    if (!started) return;
    const { waiting, running } = those;
    for (const lane of waiting) {
      if (stopping || running.size >= deps.maxConcurrentLanes) return;
      waiting.delete(lane);
      const turn = { more: false, done: Promise.resolve() };
      running.set(lane, turn);
      turn.done = work(lane).then((again) => {
        running.delete(lane);
        if (typeof again === "number") sleep(those, lane, again);
        else if (again || turn.more) waiting.add(lane);
        takeTurns(those);
      });
    }
  };

  const sleep = ({ sleeping }: Turns, lane: string, ms: number): void => {
    if (stopping) return;
    sleeping.set(
      lane,
      setTimeout(() => awake(lane), ms),
    );
  };

  const awake = (lane: string): void => {
    const those = turnsOf(lane);
    clearTimeout(those.sleeping.get(lane));
    those.sleeping.delete(lane);
    those.waiting.add(lane);
    takeTurns(those);
  };

  const wake = (names: Iterable<string>): void => {
    for (const lane of names) {
      const { running, sleeping, waiting } = turnsOf(lane);
      const turn = running.get(lane);
      if (turn) turn.more = true;
      else if (!sleeping.has(lane)) waiting.add(lane);
    }
    turns.forEach(takeTurns);
  };

  /** How many more lanes of that network could be worked on. */
  const room = (prefix: string): number => {
    const { running, waiting } = turnsOf(prefix);
    return stopping ? 0 : Math.max(0, deps.maxConcurrentLanes - running.size - waiting.size);
  };

  const retryNow = (): void => {
    for (const { sleeping } of turns) [...sleeping.keys()].forEach(awake);
  };

  return {
    async start() {
      lanes.watch(wake, room);
      const left = await lanes.waiting();
      for (const lane of left) interrupted.add(lane);
      started = true;
      if (left.length > 0) log.info("taking up what the last run left", { lanes: left.length });
      wake(left);
    },
    wake,
    retryNow,
    lanes: () => ({
      working: sumOf(({ running }) => running.size),
      queued: sumOf(({ waiting }) => waiting.size),
      retrying: sumOf(({ sleeping }) => sleeping.size),
    }),
    async stop() {
      stopping = true;
      for (const { running, sleeping } of turns) {
        sleeping.forEach(clearTimeout);
        await Promise.all([...running.values()].map(({ done }) => done));
      }
    },
  };
}
