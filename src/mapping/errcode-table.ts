/** What each errcode of the Matrix specification (v1.19) means to XMPP: data only, read by `errors.ts`. */
import type { Condition, ErrorType } from "./error-table.ts";

export type ErrcodeRow = {
  type: ErrorType;
  condition: Condition;
  retry: boolean;
  /** Said instead of the condition's own sentence. */
  sentence?: string;
  /** What the operator has to mend; until then retrying keeps the message, not its sender, waiting. */
  operator?: string;
};

function refused(type: ErrorType, condition: Condition, sentence?: string): ErrcodeRow {
  return { type, condition, retry: false, ...(sentence === undefined ? {} : { sentence }) };
}

function later(condition: Condition, sentence?: string): ErrcodeRow {
  return { ...refused("wait", condition, sentence), retry: true };
}

function misconfigured(operator: string): ErrcodeRow {
  const sentence = "The bridge is not set up correctly; its operator has been told.";
  return { ...refused("cancel", "service-unavailable", sentence), retry: true, operator };
}

const tooLarge = "This is too large for the other side.";
const account = "That account is locked, suspended or closed.";
const inviteOnly = "You have to be invited to this room first.";
const token = "The homeserver does not know appservice.asToken; is the registration file loaded?";

/** M_UNKNOWN is left out on purpose: it says nothing, so the status has to. */
export const errcodes: Record<string, ErrcodeRow> = {
  // Common codes of the Client-Server API.
  M_BAD_JSON: refused("modify", "bad-request"),
  M_NOT_JSON: refused("modify", "bad-request"),
  M_MISSING_PARAM: refused("modify", "bad-request"),
  M_MISSING_PARAMS: refused("modify", "bad-request"),
  M_INVALID_PARAM: refused("modify", "bad-request"),
  M_FORBIDDEN: refused("auth", "forbidden"),
  M_UNAUTHORIZED: refused("auth", "not-authorized"),
  M_UNKNOWN_TOKEN: misconfigured(token),
  M_MISSING_TOKEN: misconfigured(token),
  M_NOT_FOUND: refused("cancel", "item-not-found"),
  M_LIMIT_EXCEEDED: later("resource-constraint"),
  M_UNRECOGNIZED: refused("cancel", "feature-not-implemented"),
  M_TOO_LARGE: refused("modify", "resource-constraint", tooLarge),
  M_KEY_TOO_LARGE: refused("modify", "resource-constraint", tooLarge),
  M_PROFILE_TOO_LARGE: refused("modify", "resource-constraint", tooLarge),
  M_RESOURCE_LIMIT_EXCEEDED: later("resource-constraint", "The homeserver has reached a limit set for it."),
  M_USER_LIMIT_EXCEEDED: later("resource-constraint", "That account has reached a limit set for it."),
  M_EXCLUSIVE: {
    ...refused("cancel", "not-allowed", "That name is reserved."),
    operator: "The registration's namespaces do not fit the configuration; write the registration file anew.",
  },

  // Accounts.
  M_USER_DEACTIVATED: refused("cancel", "gone", account),
  M_USER_LOCKED: refused("auth", "forbidden", account),
  M_USER_SUSPENDED: refused("auth", "forbidden", account),
  M_GUEST_ACCESS_FORBIDDEN: refused("auth", "forbidden"),
  M_USER_IN_USE: refused("cancel", "conflict"),
  M_INVALID_USERNAME: refused("modify", "jid-malformed"),
  M_UNKNOWN_DEVICE: refused("cancel", "item-not-found"),
  M_WEAK_PASSWORD: refused("modify", "not-acceptable"),
  M_CAPTCHA_NEEDED: refused("auth", "not-authorized"),
  M_CAPTCHA_INVALID: refused("auth", "not-authorized"),
  M_TERMS_NOT_SIGNED: refused(
    "auth",
    "registration-required",
    "The terms of service have to be accepted first.",
  ),

  // Rooms.
  M_ROOM_IN_USE: refused("cancel", "conflict"),
  M_BAD_ALIAS: refused("modify", "bad-request", "That room address is not valid."),
  M_BAD_STATE: refused("modify", "policy-violation"),
  M_INVALID_ROOM_STATE: refused("modify", "unexpected-request"),
  M_UNSUPPORTED_ROOM_VERSION: refused("cancel", "feature-not-implemented"),
  M_INCOMPATIBLE_ROOM_VERSION: refused("cancel", "feature-not-implemented"),
  M_INVITE_BLOCKED: refused("auth", "forbidden", "They do not accept invitations from you."),
  M_UNABLE_TO_AUTHORISE_JOIN: refused("auth", "registration-required", inviteOnly),
  M_UNABLE_TO_GRANT_JOIN: refused("auth", "registration-required", inviteOnly),
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: refused("cancel", "not-allowed", "This room cannot be left."),
  M_DUPLICATE_ANNOTATION: refused("cancel", "conflict", "That reaction is there already."),

  // Media.
  M_CANNOT_OVERWRITE_MEDIA: refused("cancel", "conflict"),
  M_NOT_YET_UPLOADED: later("remote-server-timeout", "The file has not been uploaded yet."),

  // Application services.
  M_APPSERVICE_LOGIN_UNSUPPORTED: refused("cancel", "feature-not-implemented"),
  M_URL_NOT_SET: misconfigured("The registration file that the homeserver has loaded names no url."),
  M_BAD_STATUS: refused("modify", "bad-request"),
  M_CONNECTION_FAILED: later("remote-server-timeout"),
  M_CONNECTION_TIMEOUT: later("remote-server-timeout"),

  // Federation, key backup, identity servers: a bridge rarely meets these, a sender may still be told.
  M_SERVER_NOT_TRUSTED: refused("auth", "forbidden"),
  M_DESTINATION_REJECTED: refused("auth", "forbidden"),
  M_WRONG_ROOM_KEYS_VERSION: refused("cancel", "conflict"),
  M_INVALID_SIGNATURE: refused("modify", "not-acceptable"),
  M_INVALID_PEPPER: refused("modify", "bad-request"),
  M_INVALID_ADDRESS: refused("modify", "bad-request"),
  M_INVALID_EMAIL: refused("modify", "bad-request"),
  M_EMAIL_SEND_ERROR: later("internal-server-error"),
  M_SEND_ERROR: later("internal-server-error"),
  M_NO_VALID_SESSION: refused("modify", "unexpected-request"),
  M_SESSION_EXPIRED: refused("modify", "unexpected-request"),
  M_SESSION_NOT_VALIDATED: refused("modify", "unexpected-request"),
  M_TOKEN_INCORRECT: refused("auth", "not-authorized"),
  M_THREEPID_AUTH_FAILED: refused("auth", "not-authorized"),
  M_THREEPID_DENIED: refused("auth", "forbidden"),
  M_THREEPID_IN_USE: refused("cancel", "conflict"),
  M_THREEPID_NOT_FOUND: refused("cancel", "item-not-found"),
  M_THREEPID_MEDIUM_NOT_SUPPORTED: refused("cancel", "feature-not-implemented"),
};
