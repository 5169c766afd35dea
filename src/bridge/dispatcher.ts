/** Runs the lanes: each in order, all side by side; retries what may pass, parks what will not. */
import pLimit from "p-limit";
import type { Failure } from "../mapping/errors.ts";
import type { Log } from "../ops/log.ts";
import type { Job, Lanes, NewJob } from "../store/store.ts";
import { failureOf, isOrdinary } from "./failure.ts";

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
  /** Takes up whatever an earlier run of the bridge has left. */
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

const retryAfterOf = (error: unknown): number => {
  const { retryAfter } = error as { retryAfter?: unknown };
  return typeof retryAfter === "number" ? retryAfter : 0;
};

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { lanes, handle, followUps, log, now, random, onDone, onRetry } = deps;
  const limit = pLimit(deps.maxConcurrentLanes);
  /** A lane is here while it runs, with a mark where more has come meanwhile. */
  const running = new Map<string, { more: boolean; done: Promise<void> }>();
  /** Lanes that may have been in the middle of their first job when the last run ended. */
  const interrupted = new Set<string>();
  /** Jobs that are done and could not be removed, as on a full disk: nothing of them is to happen again. */
  const finished = new Set<string>();
  const sleepers = new Set<() => void>();
  let stopping = false;

  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const wakeUp = (): void => {
        clearTimeout(timer);
        sleepers.delete(wakeUp);
        resolve();
      };
      const timer = setTimeout(wakeUp, ms);
      sleepers.add(wakeUp);
    });

  const giveUp = async (job: Job, failure: Failure, error: unknown): Promise<void> => {
    const { cause, lane } = job;
    const told = await followUps(job, failure, error).catch((problem): NewJob[] => {
      log.error("its sender cannot be told", { cause, lane, error: problem });
      return [];
    });
    // Anybody can have messages refused, so keeping those would let anybody fill the disk.
    if (!failure.retry && isOrdinary(error)) {
      log.info("refused: its sender is told", { cause, lane, condition: failure.condition, error });
      onDone?.(job, "refused");
      await lanes.complete(job, told);
    } else {
      const { condition } = failure;
      log.error("parked: this message is given up, its sender is told", { cause, lane, condition, error });
      onDone?.(job, "parked");
      await lanes.park(job, String((error as Error)?.message ?? error), told);
    }
    wake(told.map((one) => one.lane));
  };

  /** @returns milliseconds to wait before the job is tried again, or undefined where it is over. */
  const attempt = async (job: Job, mayRepeat: boolean): Promise<number | undefined> => {
    const name = `${job.id} ${job.cause}`;
    try {
      if (!finished.has(name)) await handle(job, mayRepeat);
    } catch (error) {
      const failure = failureOf(error);
      if (stopping) return undefined;
      if (!failure.retry || now() - job.acceptedAt > deps.giveUpAfterMs) {
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
    if (!finished.has(name)) onDone?.(job, "handled");
    finished.add(name);
    await lanes.complete(job);
    finished.delete(name);
    return undefined;
  };

  const runLane = async (lane: string, mark: { more: boolean }): Promise<void> => {
    while (!stopping) {
      mark.more = false;
      let wait: number | undefined;
      const job = await limit(async () => {
        const next = stopping ? undefined : await lanes.next(lane);
        if (next) wait = await attempt(next, interrupted.delete(lane) || next.attempts > 0);
        return next;
      });
      if (!job && !mark.more) return;
      if (wait !== undefined) await sleep(wait);
    }
  };

  const startLane = (lane: string): void => {
    const mark = { more: false, done: Promise.resolve() };
    running.set(lane, mark);
    mark.done = runLane(lane, mark)
      .catch(async (error) => {
        // The store itself failed: the lane keeps its jobs and is looked at again.
        log.error("a lane stopped and will be taken up again", { lane, error });
        interrupted.add(lane);
        if (!stopping) await sleep(delays.first);
        mark.more = true;
      })
      .finally(() => {
        running.delete(lane);
        if (mark.more && !stopping) startLane(lane);
      });
  };

  const wake = (names: Iterable<string>): void => {
    if (stopping) return;
    for (const lane of names) {
      const mark = running.get(lane);
      if (mark) mark.more = true;
      else startLane(lane);
    }
  };

  const retryNow = (): void => {
    for (const wakeUp of [...sleepers]) wakeUp();
  };

  return {
    async start() {
      const left = await lanes.waiting();
      for (const lane of left) interrupted.add(lane);
      if (left.length > 0) log.info("taking up what the last run left", { lanes: left.length });
      wake(left);
    },
    wake,
    retryNow,
    lanes: () => ({ working: limit.activeCount, queued: limit.pendingCount, retrying: sleepers.size }),
    async stop() {
      stopping = true;
      retryNow();
      limit.clearQueue();
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}
