/** What went wrong, in one shape whichever side it came from; the tables behind it are `mapping/errors.ts`. */
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

/** A refusal as it should be: its sender is told, and there is nothing that an operator could mend. */
export const isOrdinary = (error: unknown): boolean =>
  error instanceof UndeliverableError || error instanceof StanzaRefusedError;

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

export function failureOf(error: unknown): Failure {
  if (error instanceof UndeliverableError) return error.failure;
  if (error instanceof MatrixError)
    return error.isProxys ? failureOfProxy() : failureOfMatrix(error.status, error.errcode);
  if (error instanceof StanzaRefusedError) return failureOfStanzaError(error.error);
  if (error instanceof RestError) return failureOfRest(error.status, error.isProxys);
  if (error instanceof IqTimeoutError || error instanceof IqUnansweredError) return failureOfRest(undefined);
  if (error instanceof NoAnswerError) return failureOfMatrix(undefined);
  return error instanceof Error && isStoreTrouble(error) ? storeTrouble : poison;
}
