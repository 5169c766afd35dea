/** Every status, errcode and condition has a meaning, and the tables agree with one another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errcodes } from "../../src/mapping/errcode-table.ts";
import { type Condition, conditions, statuses } from "../../src/mapping/error-table.ts";
import {
  callbackStatusOf,
  errcodeOf,
  failureOfMatrix,
  failureOfRest,
  failureOfStanzaError,
  isCondition,
  kicksFromMuc,
  mucSafe,
  shapeOfStatus,
  statusOfProxy,
} from "../../src/mapping/errors.ts";

// RFC 6120 §8.3.3.1 to §8.3.3.22, and payment-required of RFC 3920 §9.3.3.
const standard =
  `bad-request conflict feature-not-implemented forbidden gone internal-server-error item-not-found
  jid-malformed not-acceptable not-allowed not-authorized payment-required policy-violation recipient-unavailable
  redirect registration-required remote-server-not-found remote-server-timeout resource-constraint
  service-unavailable subscription-required undefined-condition unexpected-request`.split(/\s+/);

// Every errcode that a page or an API file of the Matrix specification names, as of July 2026.
const specification = `APPSERVICE_LOGIN_UNSUPPORTED BAD_ALIAS BAD_JSON BAD_STATE BAD_STATUS
  CANNOT_LEAVE_SERVER_NOTICE_ROOM CANNOT_OVERWRITE_MEDIA CAPTCHA_INVALID CAPTCHA_NEEDED CONNECTION_FAILED
  CONNECTION_TIMEOUT DESTINATION_REJECTED DUPLICATE_ANNOTATION EMAIL_SEND_ERROR EXCLUSIVE FORBIDDEN
  GUEST_ACCESS_FORBIDDEN INCOMPATIBLE_ROOM_VERSION INVALID_ADDRESS INVALID_EMAIL INVALID_PARAM INVALID_PEPPER
  INVALID_ROOM_STATE INVALID_SIGNATURE INVALID_USERNAME INVITE_BLOCKED KEY_TOO_LARGE LIMIT_EXCEEDED MISSING_PARAM
  MISSING_PARAMS MISSING_TOKEN NOT_FOUND NOT_JSON NOT_YET_UPLOADED NO_VALID_SESSION PROFILE_TOO_LARGE
  RESOURCE_LIMIT_EXCEEDED ROOM_IN_USE SEND_ERROR SERVER_NOT_TRUSTED SESSION_EXPIRED SESSION_NOT_VALIDATED
  TERMS_NOT_SIGNED THREEPID_AUTH_FAILED THREEPID_DENIED THREEPID_IN_USE THREEPID_MEDIUM_NOT_SUPPORTED
  THREEPID_NOT_FOUND TOKEN_INCORRECT TOO_LARGE UNABLE_TO_AUTHORISE_JOIN UNABLE_TO_GRANT_JOIN UNAUTHORIZED
  UNKNOWN_DEVICE UNKNOWN_TOKEN UNRECOGNIZED UNSUPPORTED_ROOM_VERSION URL_NOT_SET USER_DEACTIVATED USER_IN_USE
  USER_LIMIT_EXCEEDED USER_LOCKED USER_SUSPENDED WEAK_PASSWORD WRONG_ROOM_KEYS_VERSION`
  .split(/\s+/)
  .map((name) => `M_${name}`);

// What Prosody 13.0.7 was seen to make of each status.
const measured: Record<string, number[]> = {
  "modify bad-request": [400, 411, 416, 422],
  "auth not-authorized": [401, 511],
  "auth payment-required": [402],
  "auth forbidden": [403, 451],
  "cancel item-not-found": [404],
  "cancel not-allowed": [405],
  "modify not-acceptable": [406],
  "auth registration-required": [407],
  "cancel conflict": [409, 412],
  "modify resource-constraint": [413, 414, 431],
  "wait resource-constraint": [423, 429, 507],
  "wait internal-server-error": [500],
  "cancel feature-not-implemented": [501, 415],
  "wait remote-server-timeout": [502, 504, 408],
  "cancel service-unavailable": [503],
  "cancel gone": [410],
  "cancel undefined-condition": [301, 302, 418, 425, 499, 505, 508, 599],
};

const all = Object.keys(conditions) as Condition[];
const inherited = ["constructor", "toString", "__proto__", "hasOwnProperty"];

test("every condition of RFC 6120 and RFC 3920 has a row and there are no others", () => {
  assert.deepEqual(all.toSorted(), standard.toSorted());
});

test("every errcode of the specification has a row and there are no others", () => {
  assert.deepEqual(Object.keys(errcodes).toSorted(), specification.toSorted());
});

test("every status means what Prosody was seen to make of it", () => {
  for (const [expected, codes] of Object.entries(measured))
    for (const status of codes) {
      const { type, condition } = shapeOfStatus(status);
      assert.equal(`${type} ${condition}`, expected, String(status));
    }
  const listed = Object.values(measured).flat();
  assert.deepEqual(
    Object.keys(statuses).filter((status) => !listed.includes(Number(status))),
    [],
  );
});

test("a condition that some status produces is produced by the status we answer", () => {
  const producible = new Set(Object.keys(measured).map((text) => text.split(" ")[1]));
  for (const condition of all.filter((name) => producible.has(name)))
    assert.equal(shapeOfStatus(callbackStatusOf(condition)).condition, condition);
});

test("a condition that no status produces is answered with the nearest that one does", () => {
  const nearest = Object.fromEntries(
    all.map((name) => [name, shapeOfStatus(callbackStatusOf(name)).condition]).filter(([a, b]) => a !== b),
  );
  assert.deepEqual(nearest, {
    "jid-malformed": "bad-request",
    "policy-violation": "not-acceptable",
    "recipient-unavailable": "remote-server-timeout",
    redirect: "gone",
    "remote-server-not-found": "item-not-found",
    "subscription-required": "registration-required",
    "unexpected-request": "bad-request",
  });
});

test("every condition has an errcode that the specification knows", () => {
  for (const condition of all)
    assert.ok([...specification, "M_UNKNOWN"].includes(errcodeOf(condition)), condition);
});

test("every meaning comes with a plain sentence that names no code", () => {
  const failures = [
    ...all.map((condition) => failureOfStanzaError({ condition })),
    ...specification.map((errcode) => failureOfMatrix(400, errcode)),
    ...Object.keys(statuses).flatMap((status) => [failureOfMatrix(+status), failureOfRest(+status)]),
  ];
  for (const { sentence } of failures) assert.match(sentence, /^[A-Z][a-z' ;,]+\.$/i);
});

test("a rate limit asks the sender to wait, whatever the status", () => {
  for (const status of [400, 429, 500, undefined])
    assert.deepEqual(failureOfMatrix(status, "M_LIMIT_EXCEEDED"), {
      type: "wait",
      condition: "resource-constraint",
      retry: true,
      sentence: "The other side is too busy at the moment.",
    });
});

test("an errcode wins over the status", () => {
  assert.deepEqual(failureOfMatrix(500, "M_FORBIDDEN"), {
    type: "auth",
    condition: "forbidden",
    retry: false,
    sentence: "You are not permitted to do this there.",
  });
});

test("a wrong token keeps the message and tells the operator", () => {
  const failed = failureOfMatrix(401, "M_UNKNOWN_TOKEN");
  assert.equal(failed.retry, true);
  assert.equal(failed.condition, "service-unavailable");
  assert.match(failed.operator ?? "", /asToken/);
});

test("an unknown errcode and M_UNKNOWN leave the word to the status", () => {
  for (const errcode of ["M_UNKNOWN", "ORG_EXAMPLE_NEW", ""]) {
    assert.deepEqual(failureOfMatrix(404, errcode), failureOfMatrix(404));
    assert.equal(failureOfMatrix(400, errcode).retry, false);
    assert.equal(failureOfMatrix(502, errcode).retry, true);
  }
});

test("an inherited property name is neither an errcode nor a condition", () => {
  for (const name of inherited) {
    assert.deepEqual(failureOfMatrix(418, name), {
      type: "cancel",
      condition: "undefined-condition",
      retry: false,
      sentence: "The other side refused this without a clear reason.",
    });
    assert.equal(isCondition(name), false);
    assert.equal(failureOfStanzaError({ type: name, condition: name }).condition, "undefined-condition");
  }
});

test("no answer at all is tried again on both sides", () => {
  const expected = {
    type: "wait",
    condition: "remote-server-timeout",
    retry: true,
    sentence: "The other server does not answer.",
  };
  assert.deepEqual(failureOfMatrix(undefined), expected);
  assert.deepEqual(failureOfRest(undefined), expected);
});

test("a homeserver that is down, behind whatever proxy, is tried again", () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504, 507, 520, 526])
    assert.equal(failureOfMatrix(status).retry, true, String(status));
  for (const status of [301, 400, 401, 403, 404, 409, 413, 418, 501, 505])
    assert.equal(failureOfMatrix(status).retry, false, String(status));
});

test("the type of a stanza error decides whether to try again", () => {
  assert.equal(failureOfStanzaError({ type: "wait", condition: "policy-violation" }).retry, true);
  assert.equal(failureOfStanzaError({ type: "modify", condition: "policy-violation" }).retry, false);
  assert.equal(failureOfStanzaError({ type: "cancel", condition: "internal-server-error" }).retry, false);
  assert.equal(failureOfStanzaError({ type: "wait", condition: "urn:example" }).retry, true);
});

test("an absent recipient is tried again and an unexpected request never, whatever the type", () => {
  for (const type of ["cancel", "wait"]) {
    assert.equal(failureOfStanzaError({ type, condition: "recipient-unavailable" }).retry, true);
    assert.equal(failureOfStanzaError({ type, condition: "remote-server-timeout" }).retry, true);
    assert.equal(failureOfStanzaError({ type, condition: "unexpected-request" }).retry, false);
  }
});

test("a stanza error without a type gets the usual one of its condition", () => {
  assert.deepEqual(failureOfStanzaError({ condition: "forbidden" }), {
    type: "auth",
    condition: "forbidden",
    retry: false,
    sentence: "You are not permitted to do this there.",
  });
});

test("too large and too busy are told apart in words", () => {
  assert.equal(failureOfRest(413).sentence, "This is too large for the other side.");
  assert.equal(failureOfRest(429).sentence, "The other side is too busy at the moment.");
});

test("mod_rest refusing the set-up keeps the message and tells the operator", () => {
  for (const status of [301, 401, 403, 404, 415]) {
    const failed = failureOfRest(status);
    assert.equal(failed.retry, true, String(status));
    assert.notEqual(failed.operator, undefined, String(status));
  }
});

test("mod_rest refusing the stanza is final and mod_rest in trouble is not", () => {
  for (const status of [400, 413, 422]) assert.equal(failureOfRest(status).retry, false, String(status));
  for (const status of [429, 500, 502, 503, 504])
    assert.equal(failureOfRest(status).retry, true, String(status));
  for (const status of [400, 413, 422, 429, 500]) assert.equal("operator" in failureOfRest(status), false);
});

test("a proxy that answers in place of a server says no more than that the server is away", () => {
  for (const status of [200, 301, 302, 400, 401, 403, 404, 405, 409, 421])
    assert.equal(statusOfProxy(status), 502, String(status));
  // These pass by themselves, or what was sent is too large and will not.
  for (const status of [408, 413, 414, 429, 431, 500, 502, 503, 504, 520])
    assert.equal(statusOfProxy(status), status, String(status));
  for (const status of [200, 400, 405])
    assert.deepEqual(failureOfRest(status, true), { ...failureOfRest(502), mostAttempts: 30 });
  assert.deepEqual(failureOfRest(413, true), failureOfRest(413));
  assert.deepEqual(failureOfRest(404, true), failureOfRest(404));
});

test("the conditions for which Prosody removes an occupant are known", () => {
  assert.deepEqual(all.filter(kicksFromMuc), [
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "recipient-unavailable",
    "redirect",
    "remote-server-not-found",
    "remote-server-timeout",
    "service-unavailable",
  ]);
});

test("no failure, once made safe for a room, removes a ghost from it", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...all),
      fc.constantFrom("cancel", "modify", "auth", "wait", "continue"),
      (condition, type) => {
        const failed = failureOfStanzaError({ type, condition });
        const safe = mucSafe(failed);
        assert.equal(kicksFromMuc(safe.condition), false);
        assert.equal(kicksFromMuc(shapeOfStatus(callbackStatusOf(safe.condition)).condition), false);
        assert.deepEqual(
          safe,
          kicksFromMuc(condition) ? { ...failed, type: "wait", condition: "resource-constraint" } : failed,
        );
      },
    ),
  );
});

test("any status and any words at all have a meaning", () => {
  fc.assert(
    fc.property(fc.option(fc.nat(999), { nil: undefined }), fc.string(), fc.string(), (status, one, two) => {
      for (const failed of [
        failureOfMatrix(status, one),
        failureOfRest(status),
        failureOfStanzaError({ type: one, condition: two }),
      ])
        assert.ok(isCondition(failed.condition));
    }),
  );
});
