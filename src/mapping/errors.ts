/** Errors: what a failure on one side is called on the other, whether to try again, and what to tell the sender. */
import { errcodes } from "./errcode-table.ts";
import type { Condition, ErrorType, StanzaErrorShape } from "./error-table.ts";
import { conditions, statuses } from "./error-table.ts";

export type { Condition, ErrorType, StanzaErrorShape } from "./error-table.ts";

/**
 * `type` and `condition` are for the sender once we give up; `retry` is for us until then. `sentence` is for a
 * person; `operator`, where there is one, says what has to be set right before any retry can succeed. `mostAttempts`,
 * where there is one, is how often at most.
 */
export type Failure = StanzaErrorShape & {
  retry: boolean;
  sentence: string;
  operator?: string;
  mostAttempts?: number;
};

const errorTypes = ["cancel", "modify", "auth", "wait", "continue"] as const satisfies ErrorType[];

/** Of HTTP statuses that mean "not now"; all from 500 on do too, but for those that name a missing ability. */
const passing = [408, 423, 425, 429];
const lastingServerErrors = [501, 505, 510];
const tooLarge = [413, 414, 431];

/**
 * A failed request to the homeserver. `status` is `undefined` when there was no answer at all. A known errcode
 * wins over the status, since proxies and homeservers agree on few statuses.
 */
export function failureOfMatrix(status: number | undefined, errcode?: string): Failure {
  const row = errcode !== undefined && Object.hasOwn(errcodes, errcode) ? errcodes[errcode] : undefined;
  if (row) return { sentence: conditions[row.condition].sentence, ...row };
  if (status === undefined) return failure(unanswered, true);
  return failure(shapeOfStatus(status), isPassing(status));
}

/**
 * What an answer counts as that is not the server's own, but that of a proxy in front of it: as if the server were away,
 * since what a proxy refuses while it is set up anew it takes later. It does not take later what is too large for it.
 */
export function statusOfProxy(status: number): number {
  return status >= 500 || isPassing(status) || tooLarge.includes(status) ? status : 502;
}

/**
 * What a proxy has refused that will pass in a moment, or never: a firewall may dislike the words of a message, which is
 * not to hold up its conversation for a day. So often takes about twenty minutes.
 */
export function failureOfProxy(): Failure {
  return { ...failure(shapeOfStatus(502), true), mostAttempts: 30 };
}

/**
 * A stanza error that came from XMPP, as untrusted strings. Its type decides over retrying, but for the few
 * conditions that are clear by themselves; what is unknown counts as undefined-condition or the usual type.
 */
export function failureOfStanzaError(error: {
  type?: string | undefined;
  condition?: string | undefined;
}): Failure {
  const condition = isCondition(error.condition) ? error.condition : "undefined-condition";
  const row = conditions[condition];
  const type = errorTypes.find((known) => known === error.type) ?? row.type;
  const retry = row.retry === "by-type" ? type === "wait" : row.retry;
  return { type, condition, retry, sentence: sentenceOf({ type, condition }) };
}

/**
 * What the HTTP status of `POST /rest` itself means, from 300 on, or `undefined` for no answer. Refusals that
 * are about the set-up, not about the stanza, are retried: mending the configuration delivers what waits.
 * @param isProxys it is a page that is not Prosody's.
 */
export function failureOfRest(status: number | undefined, isProxys = false): Failure {
  const operator = status === undefined ? undefined : restSetup(status);
  if (operator !== undefined)
    return {
      ...shapeOfStatus(503),
      retry: true,
      sentence: "The bridge is not set up correctly; its operator has been told.",
      operator,
    };
  if (status === undefined) return failure(unanswered, true);
  if (isProxys && statusOfProxy(status) !== status) return failureOfProxy();
  return failure(shapeOfStatus(status), isPassing(status));
}

/** What Prosody tells the sender of a stanza when our callback answers with `status` (300 to 599). */
export function shapeOfStatus(status: number): StanzaErrorShape {
  const known = Object.hasOwn(statuses, status) ? statuses[status] : undefined;
  return known ?? { type: "cancel", condition: "undefined-condition" };
}

/** The HTTP status that makes Prosody produce the condition; the nearest where no status does. */
export function callbackStatusOf(condition: Condition): number {
  return conditions[condition].callbackStatus;
}

export function errcodeOf(condition: Condition): string {
  return conditions[condition].errcode;
}

/** Whether Prosody's MUC takes this, answered to a message of the room, as a sign that the occupant is gone. */
export function kicksFromMuc(condition: Condition): boolean {
  return conditions[condition].kicks;
}

/** The failure as a ghost may answer it to a room without being removed from there. */
export function mucSafe<F extends StanzaErrorShape>(failed: F): F {
  return kicksFromMuc(failed.condition)
    ? { ...failed, type: "wait", condition: "resource-constraint" }
    : failed;
}

export function isCondition(text: string | undefined): text is Condition {
  return text !== undefined && Object.hasOwn(conditions, text);
}

const unanswered: StanzaErrorShape = { type: "wait", condition: "remote-server-timeout" };

function failure(shape: StanzaErrorShape, retry: boolean): Failure {
  return { ...shape, retry, sentence: sentenceOf(shape) };
}

function sentenceOf({ type, condition }: StanzaErrorShape): string {
  // One condition with two meanings: busy, or too big.
  if (condition === "resource-constraint" && type === "modify")
    return "This is too large for the other side.";
  return conditions[condition].sentence;
}

function isPassing(status: number): boolean {
  return passing.includes(status) || (status >= 500 && !lastingServerErrors.includes(status));
}

function restSetup(status: number): string | undefined {
  if (status === 401 || status === 403)
    return "Prosody refuses xmpp.restAuth, or lets it send from another domain than xmpp.component.";
  if (status === 404 || (status >= 300 && status < 400))
    return "There is no mod_rest at xmpp.restUrl; is the module loaded for the component?";
  if (status === 415) return "mod_rest refuses application/xmpp+xml; is xmpp.restUrl Prosody's?";
  return undefined;
}
