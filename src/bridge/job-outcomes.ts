/** Says of each job that is over what it was and what became of it, in the few words that are counted. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Direction, Done } from "../ops/metrics.ts";
import type { Job } from "../store/store.ts";

export interface JobOutcomes {
  /** Does a job, and remembers it as the one for which whatever is sent meanwhile is sent. */
  run<T>(job: Job, work: () => Promise<T>): Promise<T>;
  /** Something was sent: for the job that is under way here, if one is. */
  sent(): void;
  /** Whether something was. */
  hasSent(job: Job): boolean;
  over(job: Job, outcome: "handled" | "refused" | "parked"): void;
  retried(job: Job): void;
}

export interface JobOutcomesDeps {
  onDone(done: Done): void;
  onRetry(direction: Direction): void;
  /** Unix time in milliseconds. */
  now: () => number;
}

const kinds = new Map([
  ["m.room.message", "message"],
  ["m.sticker", "message"],
  ["m.reaction", "reaction"],
  ["m.room.redaction", "redaction"],
  ["m.room.member", "membership"],
  ["m.room.encrypted", "encrypted"],
]);

function kindOf({ work }: Job): string {
  switch (work.kind) {
    case "event": {
      const { type, state_key: stateKey } = work.event;
      return kinds.get(type) ?? (stateKey === undefined ? "other" : "state");
    }
    case "stanza":
      return work.xml.startsWith("<presence") ? "presence" : "message";
    case "catch-up":
      return "catch_up";
    default:
      return "notice";
  }
}

const directionOf = ({ work: { kind } }: Job): Direction =>
  kind === "event" || kind === "catch-up" || kind === "bounce" ? "to_xmpp" : "to_matrix";

export function createJobOutcomes({ onDone, onRetry, now }: JobOutcomesDeps): JobOutcomes {
  // Handing this down through all that a job may bring about would be a parameter of every function there is.
  const current = new AsyncLocalStorage<Job>();
  const withEffect = new WeakSet<Job>();
  return {
    run: (job, work) => current.run(job, work),
    sent() {
      const job = current.getStore();
      if (job) withEffect.add(job);
    },
    hasSent: (job) => withEffect.has(job),
    over(job, ending) {
      const outcome = ending !== "handled" ? ending : withEffect.has(job) ? "delivered" : "left_out";
      // A clock that was put back makes no negative times.
      const seconds = Math.max(0, now() - job.acceptedAt) / 1000;
      onDone({ direction: directionOf(job), kind: kindOf(job), outcome, seconds });
    },
    retried: (job) => onRetry(directionOf(job)),
  };
}
