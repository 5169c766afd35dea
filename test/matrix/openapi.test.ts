import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { registrationOf } from "../../src/config/registration.ts";
import { sampleConfig } from "../config/sample.ts";
import { ghostOf, setScene } from "../flow/scene.ts";
import { problemsOf } from "../support/json-schema.ts";
import { type Operation, readOperations, readSpec } from "../support/openapi.ts";

interface Question {
  path: string;
  token?: string | undefined;
  body?: unknown;
}
/** For each declared status a request that gets it. */
type Row = Record<string, Question>;

const token = "hs-token-0123456789";

/** Of the four statuses of every GET. */
const lookUp = (hit: string, miss: string): Row => ({
  200: { path: hit, token },
  401: { path: hit },
  403: { path: hit, token: "wrong" },
  404: { path: miss, token },
});

const exampleOf = (path: string): unknown => readOperations(path)[0]?.request?.example;
const transactionsFile = "api/application-service/transactions.yaml";
const pushFile = "api/push-gateway/push_notifier.yaml";

const table: Record<string, Record<string, Row>> = {
  [transactionsFile]: {
    "PUT /transactions/{txnId}": {
      200: { path: "/transactions/35", token, body: exampleOf(transactionsFile) },
    },
  },
  "api/application-service/ping.yaml": {
    "POST /ping": { 200: { path: "/ping", token, body: { transaction_id: "p1" } } },
  },
  "api/application-service/query_user.yaml": {
    "GET /users/{userId}": lookUp(`/users/${ghostOf("romeo")}`, "/users/@mercutio:hs.test"),
  },
  "api/application-service/query_room.yaml": {
    "GET /rooms/{roomAlias}": lookUp(
      "/rooms/%23_xmpp_orchard=40conference.xmpp.test:hs.test",
      "/rooms/%23_xmpp_nowhere=40conference.xmpp.test:hs.test",
    ),
  },
  "api/application-service/protocols.yaml": {
    "GET /thirdparty/protocol/{protocol}": lookUp("/thirdparty/protocol/xmpp", "/thirdparty/protocol/irc"),
    "GET /thirdparty/user/{protocol}": lookUp(
      "/thirdparty/user/xmpp?jid=romeo@xmpp.test",
      "/thirdparty/user/irc?nick=romeo",
    ),
    "GET /thirdparty/location/{protocol}": lookUp(
      "/thirdparty/location/xmpp?jid=orchard@conference.xmpp.test",
      "/thirdparty/location/xmpp?jid=nothing",
    ),
    "GET /thirdparty/location": lookUp(
      "/thirdparty/location?alias=%23_xmpp_orchard=40conference.xmpp.test:hs.test",
      "/thirdparty/location?alias=nothing",
    ),
    "GET /thirdparty/user": lookUp(
      `/thirdparty/user?userid=${ghostOf("romeo")}`,
      "/thirdparty/user?userid=nothing",
    ),
  },
  [pushFile]: {
    "POST /notify": { 200: { path: "/notify", body: exampleOf(pushFile) } },
  },
};

const errcodes: Record<string, string> = { 401: "M_MISSING_TOKEN", 403: "M_FORBIDDEN", 404: "M_NOT_FOUND" };

async function check(url: string, operation: Operation, status: string, question: Question): Promise<void> {
  const { method, base, request, responses } = operation;
  const body = question.body === undefined ? {} : { body: JSON.stringify(question.body) };
  if (request) assert.deepEqual(problemsOf(request, question.body ?? {}, "the request"), []);
  const headers = { ...(question.token !== undefined && { authorization: `Bearer ${question.token}` }) };
  const response = await fetch(`${url}${base}${question.path}`, { method, headers, ...body });
  assert.equal(String(response.status), status, `${method} ${question.path}`);
  assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
  const answer = (await response.json()) as { errcode?: string };
  const schema = responses.get(status);
  assert.ok(schema, `${operation.name} ${status} declares no body`);
  assert.deepEqual(problemsOf(schema, answer), []);
  assert.equal(answer.errcode, errcodes[status]);
}

test("every file with operations of the two APIs is in the table", () => {
  const files = ["api/application-service/", "api/push-gateway/"].flatMap((folder) =>
    readdirSync(new URL(`../spec/data/${folder}`, import.meta.url))
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => folder + name),
  );
  assert.deepEqual(Object.keys(table).sort(), files.sort());
});

for (const [file, rows] of Object.entries(table)) {
  for (const operation of readOperations(file)) {
    test(`${operation.name} answers with every declared status and in the declared shape`, async (t) => {
      const scene = await setScene(t);
      scene.prosody.muc("orchard");
      const { url } = await scene.start();
      const row = rows[operation.name] ?? {};
      assert.deepEqual(Object.keys(row), [...operation.responses.keys()]);
      for (const [status, question] of Object.entries(row)) await check(url, operation, status, question);
    });
  }
}

test("the registration has the declared shape", () => {
  const schema = readSpec("api/application-service/definitions/registration.yaml");
  assert.deepEqual(problemsOf(schema, registrationOf(sampleConfig()), "the registration"), []);
});

test("the schema check finds what is wrong, and refuses rules that it does not know", () => {
  const schema = {
    type: "object",
    required: ["a", "b"],
    properties: { a: { type: ["integer", "null"] }, list: { type: "array", items: { enum: ["x"] } } },
    additionalProperties: { type: ["integer", "array"] },
    allOf: [{ required: ["c"] }],
  };
  assert.deepEqual(problemsOf(schema, { a: 1, b: 2, c: 3, list: ["x"] }), []);
  assert.deepEqual(problemsOf(schema, { a: "1", list: ["y"] }), [
    "body.b is missing",
    "body.a is string, not integer,null",
    "body.list[0] is none of x",
    "body.a is string, not integer,array",
    "body.c is missing",
  ]);
  assert.throws(() => problemsOf({ minimum: 1 }, 0), /knows no "minimum"/);
});
