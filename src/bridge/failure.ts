/** What went wrong, in one shape whichever side it came from; the tables behind it are `mapping/errors.ts`. */
import { LeadLostError } from "../cluster/cluster.ts";
import { NoAnswerError } from "../http/client.ts";
import {
  type Condition,
  type ErrorType,
  type Failure,
  failureOfMatrix,
  failureOfProxy,
  failureOfRest,
  failureOfStanzaError,
} from "../mapping/errors.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import { isStoreTrouble } from "../store/database.ts";
import type { NewJob } from "../store/store.ts";
import { IqTimeoutError, IqUnansweredError, RestError, StanzaRefusedError } from "../xmpp/client.ts";

/** The bridge itself knows that this cannot be delivered, now or ever. */
export class UndeliverableError extends Error {
  override readonly name = "UndeliverableError";
  readonly failure: Failure;
  /** One word about it is enough for a while. */
  readonly isRare: boolean;
  constructor(type: ErrorType, condition: Condition, sentence: string, { isRare = false } = {}) {
    super(sentence);
    this.isRare = isRare;
    this.failure = { type, condition, retry: false, sentence };
  }
}

/** Only the process that leads may do this. */
export class LeadNeededError extends Error {
  override readonly name = "LeadNeededError";
  constructor() {
    super("only the process that leads does this");
  }
}

/** What the process that leads tells of a job that failed there. */
export interface FailureThere {
  message: string;
  failure: Failure;
  isOrdinary: boolean;
  retryAfter?: number;
  /** What is to be told about the job if it is given up. */
  followUps: NewJob[];
}

/** A job failed at the process that leads. */
export class FailedThereError extends Error {
  override readonly name = "FailedThereError";
  readonly there: FailureThere;
  readonly retryAfter: number | undefined;
  constructor(there: FailureThere) {
    super(there.message);
    this.there = there;
    this.retryAfter = there.retryAfter;
  }
}

/** A refusal as it should be: its sender is told, and there is nothing that an operator could mend. */
export const isOrdinary = (error: unknown): boolean =>
  error instanceof UndeliverableError ||
  error instanceof StanzaRefusedError ||
  (error instanceof FailedThereError && error.there.isOrdinary);

/** In milliseconds; 0 where nothing was said. */
export const retryAfterOf = (error: unknown): number => {
  const { retryAfter } = error as { retryAfter?: unknown };
  return typeof retryAfter === "number" ? retryAfter : 0;
};

/** A mapping or the bridge broke: repeating the same would break it again, so it waits for a better version. */
const poison: Failure = {
  type: "cancel",
  condition: "internal-server-error",
  retry: false,
  sentence: "The bridge failed on this message; its operator can see it.",
};

/** The disk is full, or the database locked: nothing that the message could help. */
const storeTrouble: Failure = {
  type: "wait",
  condition: "resource-constraint",
  retry: true,
  sentence: "The bridge cannot write to its disk; its operator can see it.",
};

/** Another process takes over within seconds. */
const leadLost: Failure = {
  type: "wait",
  condition: "resource-constraint",
  retry: true,
  sentence: "The bridge is being restarted.",
};

/** It says nothing of the message, and passes: meanwhile nobody can look up whom to tell what. */
export const isOwnTrouble = (failure: Failure): boolean => failure === leadLost || failure === storeTrouble;

export function failureOf(error: unknown): Failure {
  if (error instanceof FailedThereError) return error.there.failure;
  if (error instanceof LeadLostError || error instanceof LeadNeededError) return leadLost;
  if (error instanceof UndeliverableError) return error.failure;
  if (error instanceof MatrixError)
    return error.isProxys ? failureOfProxy() : failureOfMatrix(error.status, error.errcode);
  if (error instanceof StanzaRefusedError) return failureOfStanzaError(error.error);
  if (error instanceof RestError) return failureOfRest(error.status, error.isProxys);
  if (error instanceof IqTimeoutError || error instanceof IqUnansweredError) return failureOfRest(undefined);
  if (error instanceof NoAnswerError) return failureOfMatrix(undefined);
  return error instanceof Error && isStoreTrouble(error) ? storeTrouble : poison;
}
