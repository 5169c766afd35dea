/** The processes that run one bridge together: who they are, which one leads, and what they have to say to each other. */

export interface ProcessInfo {
  /** Names the process for as long as it runs, in log lines and on the status page. */
  id: string;
  host: string;
  version: string;
  /** Unix time in milliseconds. */
  startedAt: number;
  isLead: boolean;
  /** What it has told of itself last. */
  report: Record<string, number>;
}

/** Payloads are JSON: `undefined` where there is nothing to say. */
export type Answer = (payload: unknown) => Promise<unknown>;

export interface Cluster {
  /** This process's own ID. */
  self: string;
  /**
   * Whether this process leads: it alone does what needs one owner, until it stops or cannot reach the database for
   * seconds. May be false for a while, and true again with nothing lost.
   */
  isLead(): boolean;
  /** Whether others run beside this process. */
  isAlone(): boolean;
  processes(): Promise<ProcessInfo[]>;
  /**
   * The IDs of all others that are there, as the database has them now: whoever is not among them comes later.
   * @throws Error where the database is away.
   */
  others(): Promise<string[]>;
  /**
   * Says something to one process, to the one that leads ("lead", now or as soon as one does) or to all others
   * ("others"). Resolves when it is on its way; what one process says reaches another in that order, each after the one
   * before has been dealt with, unless one of them dies. To itself a process says it there and then.
   */
  tell(to: string, kind: string, payload: unknown): Promise<void>;
  /**
   * Asks the process that leads, which may be this one: then once it has begun to. What was told before is dealt with
   * before; nothing waits for the answer.
   * @throws LeadLostError where nobody leads, or the one that did is gone: it may have done it or not.
   * @throws Error with the same message where the answer is one.
   */
  ask(kind: string, payload: unknown): Promise<unknown>;
  /** Resolves when all has been dealt with that others had told this process before the call. */
  caughtUp(): Promise<void>;
  /**
   * Begins to take part; resolves when some process leads, this one or another that knows of it.
   * @param answers what is done with each kind that is told or asked. What is told holds up all that comes after it.
   * @param lead does what the one that leads has to do first; nothing of the others, nor what this process asks
   *   itself, reaches it before that is done. Where it fails another process leads.
   * @param lost another process has led meanwhile, as this one was taken for dead; resolves when it has let go of all,
   *   and may lead anew.
   * @throws Error where the database is away, or `lead` fails: then it has still to be stopped.
   */
  start(answers: Record<string, Answer>, lead: () => Promise<void>, lost: () => Promise<void>): Promise<void>;
  /** Numbers that the other processes see of this one. */
  report(numbers: Record<string, number>): void;
  /** Takes part no longer, and lets another one lead at once. What it has asked ends in a LeadLostError. */
  stop(): Promise<void>;
}

/** Whoever had to do it leads no longer. */
export class LeadLostError extends Error {
  override readonly name = "LeadLostError";
}
