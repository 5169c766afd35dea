import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { readPing } from "../../src/matrix/ping.ts";

const url = "http://hs.example:8008";
const read = (status: number, body: unknown) =>
  readPing({ status, headers: {}, body: typeof body === "string" ? body : JSON.stringify(body) }, url);

test("a ping that came through is well", () => {
  assert.deepEqual(read(200, { duration_ms: 3 }), { ok: true });
});

/** What an operator must find in the line, to know where to look. */
const failures: [errcode: string, status: number, names: RegExp][] = [
  ["M_URL_NOT_SET", 400, /registration.*`url`.*appservice\.url/],
  ["M_FORBIDDEN", 403, /appservice\.id and appservice\.asToken/],
  ["M_UNKNOWN_TOKEN", 401, /registration\.yaml.*app_service_config_files.*restart/],
  ["M_MISSING_TOKEN", 401, /Authorization header/],
  ["M_BAD_STATUS", 502, /`url`.*hs_token.*appservice\.hsToken/],
  ["M_CONNECTION_FAILED", 502, /cannot connect to the bridge.*`url`/],
  ["M_CONNECTION_TIMEOUT", 504, /firewall or proxy/],
];
for (const [errcode, status, names] of failures) {
  test(`${errcode} is one line that says what to mend`, () => {
    const outcome = read(status, { errcode, error: "x" });
    assert.ok(!outcome.ok);
    assert.match(outcome.problem, names);
    assert.ok(outcome.problem.startsWith(`${errcode}: `) && !outcome.problem.includes("\n"));
  });
}

test("the status that the homeserver met is told", () => {
  const outcome = read(502, { errcode: "M_BAD_STATUS", status: 403, body: "secret?" });
  assert.ok(!outcome.ok && outcome.problem.includes("did not answer 200 (but 403): check"));
});

test("no answer names the address that was tried", () => {
  assert.deepEqual(readPing(undefined, url), {
    ok: false,
    problem: `the homeserver does not answer at ${url}: check homeserver.url, and that it runs`,
  });
});

test("a homeserver without ping is well, with a note", () => {
  for (const body of [{ errcode: "M_UNRECOGNIZED" }, "404 page not found"]) {
    const outcome = read(404, body);
    assert.ok(outcome.ok && outcome.note?.includes("has no ping"));
  }
});

test("anything else is told as it came", () => {
  const problem = "the homeserver answered the ping with 500 M_UNKNOWN: Oh no: see its log";
  assert.deepEqual(read(500, { errcode: "M_UNKNOWN", error: "Oh no" }), { ok: false, problem });
});

test("an inherited property name is not an errcode", () => {
  const problem = "the homeserver answered the ping with 400 constructor: x: see its log";
  assert.deepEqual(read(400, { errcode: "constructor", error: "x" }), { ok: false, problem });
});

test("whatever is answered, the outcome is told and nothing throws", () => {
  const bodies = fc.oneof(fc.string(), fc.json());
  fc.assert(
    fc.property(fc.integer({ min: 201, max: 599 }), bodies, (status, body) => {
      const outcome = read(status, body);
      assert.ok(outcome.ok ? status === 404 : outcome.problem !== "");
    }),
  );
});
