/** What each HTTP status, Matrix errcode and stanza error condition means: data only, read by `errors.ts`. */

export type ErrorType = "cancel" | "modify" | "auth" | "wait" | "continue";

export type StanzaErrorShape = { type: ErrorType; condition: Condition };

type ConditionRow = {
  /** The type RFC 6120 §8.3.3 recommends. */
  type: ErrorType;
  /** Whether sending again may help: always, never, or as the type that came with it says. */
  retry: "by-type" | boolean;
  /** The HTTP status that makes mod_rest produce it, or the nearest condition that it can. */
  callbackStatus: number;
  errcode: string;
  /** Whether Prosody's MUC removes an occupant who answers a message with it. */
  kicks: boolean;
  sentence: string;
};

export type Condition =
  | "bad-request"
  | "conflict"
  | "feature-not-implemented"
  | "forbidden"
  | "gone"
  | "internal-server-error"
  | "item-not-found"
  | "jid-malformed"
  | "not-acceptable"
  | "not-allowed"
  | "not-authorized"
  | "payment-required"
  | "policy-violation"
  | "recipient-unavailable"
  | "redirect"
  | "registration-required"
  | "remote-server-not-found"
  | "remote-server-timeout"
  | "resource-constraint"
  | "service-unavailable"
  | "subscription-required"
  | "undefined-condition"
  | "unexpected-request";

function row(
  type: ErrorType,
  callbackStatus: number,
  errcode: string,
  sentence: string,
  more: Partial<Pick<ConditionRow, "retry" | "kicks">> = {},
): ConditionRow {
  return { type, callbackStatus, errcode, sentence, retry: "by-type", kicks: false, ...more };
}

const kicks = { kicks: true };

/** Every condition of RFC 6120 §8.3.3, with payment-required of RFC 3920, which Prosody still makes of 402. */
export const conditions: Record<Condition, ConditionRow> = {
  "bad-request": row("modify", 400, "M_BAD_JSON", "The other side did not understand this."),
  conflict: row("cancel", 409, "M_ROOM_IN_USE", "That name is already in use there."),
  "feature-not-implemented": row("cancel", 501, "M_UNRECOGNIZED", "The other side does not support this."),
  forbidden: row("auth", 403, "M_FORBIDDEN", "You are not permitted to do this there."),
  gone: row("cancel", 410, "M_NOT_FOUND", "This address has moved or no longer exists.", kicks),
  "internal-server-error": row("wait", 500, "M_UNKNOWN", "The other side's server has a fault.", kicks),
  "item-not-found": row("cancel", 404, "M_NOT_FOUND", "There is no such user, room or message.", kicks),
  "jid-malformed": row("modify", 400, "M_INVALID_PARAM", "That address is not valid.", kicks),
  "not-acceptable": row("modify", 406, "M_FORBIDDEN", "The other side did not accept this."),
  "not-allowed": row("cancel", 405, "M_FORBIDDEN", "Nobody is allowed to do this there."),
  "not-authorized": row("auth", 401, "M_UNAUTHORIZED", "A password is needed there."),
  "payment-required": row("auth", 402, "M_FORBIDDEN", "The other side asks for payment."),
  "policy-violation": row("modify", 406, "M_FORBIDDEN", "This is against the other server's rules."),
  "recipient-unavailable": row("wait", 504, "M_UNKNOWN", "The recipient is not available right now.", {
    retry: true,
    kicks: true,
  }),
  redirect: row("modify", 410, "M_NOT_FOUND", "Messages for this address go elsewhere now.", kicks),
  "registration-required": row("auth", 407, "M_FORBIDDEN", "Only members may enter there."),
  "remote-server-not-found": row("cancel", 404, "M_NOT_FOUND", "That server does not exist.", kicks),
  "remote-server-timeout": row("wait", 504, "M_CONNECTION_TIMEOUT", "The other server does not answer.", {
    retry: true,
    kicks: true,
  }),
  "resource-constraint": row("wait", 429, "M_LIMIT_EXCEEDED", "The other side is too busy at the moment."),
  "service-unavailable": row("cancel", 503, "M_UNKNOWN", "The recipient cannot be reached.", kicks),
  "subscription-required": row("auth", 407, "M_FORBIDDEN", "The contact has to approve you first."),
  "undefined-condition": row(
    "cancel",
    418,
    "M_UNKNOWN",
    "The other side refused this without a clear reason.",
  ),
  // Whatever its type says: the same request in the same state is unexpected again.
  "unexpected-request": row("wait", 400, "M_BAD_STATE", "The other side did not expect this now.", {
    retry: false,
  }),
};

function shape(type: ErrorType, condition: Condition): StanzaErrorShape {
  return { type, condition };
}

/** What Prosody 13 makes of a callback's HTTP status; any other from 300 on is undefined-condition (cancel). */
export const statuses: Record<number, StanzaErrorShape> = {
  400: shape("modify", "bad-request"),
  401: shape("auth", "not-authorized"),
  402: shape("auth", "payment-required"),
  403: shape("auth", "forbidden"),
  404: shape("cancel", "item-not-found"),
  405: shape("cancel", "not-allowed"),
  406: shape("modify", "not-acceptable"),
  407: shape("auth", "registration-required"),
  408: shape("wait", "remote-server-timeout"),
  409: shape("cancel", "conflict"),
  410: shape("cancel", "gone"),
  411: shape("modify", "bad-request"),
  412: shape("cancel", "conflict"),
  413: shape("modify", "resource-constraint"),
  414: shape("modify", "resource-constraint"),
  415: shape("cancel", "feature-not-implemented"),
  416: shape("modify", "bad-request"),
  422: shape("modify", "bad-request"),
  423: shape("wait", "resource-constraint"),
  429: shape("wait", "resource-constraint"),
  431: shape("modify", "resource-constraint"),
  451: shape("auth", "forbidden"),
  500: shape("wait", "internal-server-error"),
  501: shape("cancel", "feature-not-implemented"),
  502: shape("wait", "remote-server-timeout"),
  503: shape("cancel", "service-unavailable"),
  504: shape("wait", "remote-server-timeout"),
  507: shape("wait", "resource-constraint"),
  511: shape("auth", "not-authorized"),
};
