/** Jobs that one process has claimed: what only the process that leads can do is done there, while the lane is kept here. */
import type { Cluster } from "../cluster/cluster.ts";
import { LeadLostError } from "../cluster/cluster.ts";
import type { Log } from "../ops/log.ts";
import type { Job, NewJob } from "../store/store.ts";
import type { DispatcherDeps } from "./dispatcher.ts";
import {
  FailedThereError,
  type FailureThere,
  failureOf,
  isOrdinary,
  LeadNeededError,
  retryAfterOf,
} from "./failure.ts";
import type { JobOutcomes } from "./job-outcomes.ts";
import { createLocks } from "./locks.ts";

export interface ErrandsDeps {
  cluster: Pick<Cluster, "ask" | "caughtUp">;
  /** Whether this process leads. */
  leads(): boolean;
  /** Whether any process can do the job. */
  isPlain(job: Job): Promise<boolean>;
  handle: DispatcherDeps["handle"];
  followUps: DispatcherDeps["followUps"];
  jobs: Pick<JobOutcomes, "run" | "sent" | "hasSent">;
  log: Log;
}

/** What came of a job that was done for another process. */
interface Outcome {
  hasSent: boolean;
  failed?: FailureThere;
}

export interface Errands extends Pick<DispatcherDeps, "handle" | "followUps"> {
  /** Does a job that another process has claimed. @param errand as that one has asked. */
  runFor(errand: unknown): Promise<Outcome>;
  /** Resolves when nothing is under way for other processes. */
  idle(): Promise<void>;
}

export function createErrands(deps: ErrandsDeps): Errands {
  const { cluster, leads, isPlain, handle, jobs, log } = deps;
  const locks = createLocks();
  /** How many jobs are under way in a lane, or wait for that. */
  const busy = new Map<string, number>();
  const underWay = new Set<Promise<unknown>>();

  /** The claim of whoever has asked may have lapsed, so that another process asks for the same, or has it itself. */
  const atLead = (job: Job, mayRepeat: boolean): Promise<void> => {
    const { lane } = job;
    const ahead = busy.get(lane) ?? 0;
    busy.set(lane, ahead + 1);
    return locks.run(lane, async () => {
      try {
        // What others have told of the room comes first.
        await cluster.caughtUp();
        await handle(job, mayRepeat || ahead > 0);
      } finally {
        const left = (busy.get(lane) ?? 1) - 1;
        if (left > 0) busy.set(lane, left);
        else busy.delete(lane);
      }
    });
  };

  const byLead = async (job: Job, mayRepeat: boolean): Promise<void> => {
    const { hasSent, failed } = (await cluster.ask("job", { job, mayRepeat })) as Outcome;
    if (hasSent) jobs.sent();
    if (failed) throw new FailedThereError(failed);
  };

  const told = async (job: Job, error: unknown): Promise<FailureThere> => {
    const failure = failureOf(error);
    const followUps = await deps.followUps(job, failure, error).catch((problem): NewJob[] => {
      log.error("its sender cannot be told", { cause: job.cause, lane: job.lane, error: problem });
      return [];
    });
    const retryAfter = retryAfterOf(error);
    return {
      message: String((error as Error)?.message ?? error),
      failure,
      isOrdinary: isOrdinary(error),
      ...(retryAfter > 0 && { retryAfter }),
      followUps,
    };
  };

  const runFor = async (job: Job, mayRepeat: boolean): Promise<Outcome> => {
    try {
      await jobs.run(job, () => atLead(job, mayRepeat));
      return { hasSent: jobs.hasSent(job) };
    } catch (error) {
      if (error instanceof LeadNeededError) throw new LeadLostError("the lead was lost meanwhile");
      log.info("failed for another process", { cause: job.cause, lane: job.lane, error });
      return { hasSent: jobs.hasSent(job), failed: await told(job, error) };
    }
  };

  return {
    handle: (job, mayRepeat) =>
      jobs.run(job, async () => {
        const isHere = leads();
        try {
          if (isHere) return await atLead(job, mayRepeat);
          if (await isPlain(job)) return await handle(job, mayRepeat);
        } catch (error) {
          if (!(error instanceof LeadNeededError)) throw error;
          return byLead(job, true);
        }
        return byLead(job, mayRepeat);
      }),
    followUps: async (job, failure, error) =>
      error instanceof FailedThereError ? error.there.followUps : deps.followUps(job, failure, error),
    runFor(errand) {
      const { job, mayRepeat } = errand as { job: Job; mayRepeat: boolean };
      const done = runFor(job, mayRepeat);
      underWay.add(done);
      const over = (): void => void underWay.delete(done);
      done.then(over, over);
      return done;
    },
    async idle() {
      await Promise.allSettled(underWay);
    },
  };
}
