import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, ghostOf, setScene } from "./scene.ts";

const hsToken = "hs-token-0123456789";
const authorization = `Bearer ${hsToken}`;
const transaction = "/_matrix/app/v1/transactions/1";

async function ask(url: string, method: string, headers: Record<string, string> = {}, body?: string) {
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) });
  const answer = (await response.json()) as { errcode?: string; error?: string };
  // Every error has both fields of the standard error response.
  assert.equal(typeof answer.error, response.ok ? "undefined" : "string");
  return [response.status, answer.errcode];
}

test("a request without the homeserver's token, or with a wrong one, is refused and stores nothing", async (t) => {
  const { start, openChat, romeo, juliet, romeoHas } = await setScene(t);
  const { url } = await start();
  const roomId = await openChat();
  const body = JSON.stringify({ events: [eventIn(roomId, "forged")] });
  const put = (headers: Record<string, string>, query = "") =>
    ask(`${url}${transaction}${query}`, "PUT", headers, body);
  assert.deepEqual(await put({}), [401, "M_MISSING_TOKEN"]);
  assert.deepEqual(await put({}, `?access_token=${hsToken}`), [401, "M_MISSING_TOKEN"]);
  assert.deepEqual(await put({ authorization: "Bearer wrong" }), [403, "M_FORBIDDEN"]);
  assert.deepEqual(await put({ authorization: `Bearer ${hsToken}x` }), [403, "M_FORBIDDEN"]);
  assert.deepEqual(await put({ authorization: "Basic wrong" }), [401, "M_MISSING_TOKEN"]);
  assert.deepEqual(await put({ authorization }, "?access_token=wrong"), [403, "M_FORBIDDEN"]);
  for (const path of ["users/@a:hs.test", "rooms/%23a:hs.test"]) {
    assert.deepEqual(await ask(`${url}/_matrix/app/v1/${path}`, "GET"), [401, "M_MISSING_TOKEN"]);
  }
  juliet.sendText(roomId, "genuine");
  assert.deepEqual(await romeoHas(1), ["genuine"]);
  assert.deepEqual(romeo.errors(), []);
});

test("a body that is no transaction is refused by the error that says why", async (t) => {
  const { url } = await (await setScene(t)).start();
  const put = (body: string) => ask(url + transaction, "PUT", { authorization }, body);
  assert.deepEqual(await put('{"events":['), [400, "M_NOT_JSON"]);
  assert.deepEqual(await put("[]"), [400, "M_BAD_JSON"]);
  assert.deepEqual(await put('"events"'), [400, "M_BAD_JSON"]);
  assert.deepEqual(await put('{"events":{}}'), [400, "M_BAD_JSON"]);
  assert.deepEqual(await put('{"events":null}'), [400, "M_BAD_JSON"]);
  assert.deepEqual(await put(`{"events":[],"pad":"${"x".repeat(65 * 1024 * 1024)}"}`), [413, "M_TOO_LARGE"]);
  assert.deepEqual(await put('{"events":[]}'), [200, undefined]);
});

test("malformed events are left out, and the good ones between them are delivered", async (t) => {
  const { homeserver, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  const good = [eventIn(roomId, "one"), eventIn(roomId, "two")];
  const { content: _, ...withoutContent } = eventIn(roomId, "no content");
  const wrong = [null, 7, "event", [], {}, withoutContent, { ...eventIn(roomId, "x"), event_id: 5 }];
  const events = [wrong[0], good[0], ...wrong.slice(1), good[1], { ...eventIn(roomId, "x"), content: [] }];
  assert.deepEqual(await homeserver.pushTransaction("mixed", events), { status: 200, body: "{}" });
  assert.deepEqual(await romeoHas(2), ["one", "two"]);
});

test("an unknown endpoint is 404 and a wrong method 405, both M_UNRECOGNIZED", async (t) => {
  const { url } = await (await setScene(t)).start();
  const at = (method: string, path: string) => ask(`${url}${path}`, method, { authorization });
  assert.deepEqual(await at("GET", "/_matrix/app/v1/nowhere"), [404, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("GET", "/_matrix/app/v2/ping"), [404, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("GET", "/"), [404, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("GET", transaction), [405, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("PUT", "/_matrix/app/v1/ping"), [405, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("POST", "/_matrix/app/v1/users/@a:hs.test"), [405, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("DELETE", "/_matrix/app/v1/rooms/a"), [405, "M_UNRECOGNIZED"]);
});

test("a ghost that the homeserver asks for is made, and what stands for nobody is not found", async (t) => {
  const { homeserver, start } = await setScene(t);
  const { url } = await start();
  const at = (userId: string) =>
    ask(`${url}/_matrix/app/v1/users/${encodeURIComponent(userId)}`, "GET", { authorization });
  assert.deepEqual(await at(ghostOf("mercutio")), [200, undefined]);
  assert.ok(homeserver.requests.some(({ body }) => body.includes('"_xmpp_mercutio=40xmpp.test"')));
  assert.deepEqual(await at("@juliet:hs.test"), [404, "M_NOT_FOUND"]);
  assert.deepEqual(await at("@_xmpp_=zz:hs.test"), [404, "M_NOT_FOUND"]);
  assert.deepEqual(await at("nonsense"), [404, "M_NOT_FOUND"]);
  assert.deepEqual(await ask(`${url}/_matrix/app/v1/users/%ff`, "GET", { authorization }), [
    400,
    "M_INVALID_PARAM",
  ]);
});

test("readiness names the side that cannot be reached until it can, and liveness stays", async (t) => {
  const { homeserver, prosody, start, romeo } = await setScene(t);
  const { adminUrl } = await start();
  const health = async (path: string) => {
    const response = await fetch(`${adminUrl}/health/${path}`);
    const body = (await response.json()) as { status: string; problems?: Record<string, string> };
    return [response.status, body] as const;
  };
  assert.deepEqual(await health("ready"), [200, { status: "ready" }]);
  await Promise.all([homeserver.stop(), prosody.stop()]);
  await romeo.sendText("bridge.xmpp.test", "hello");
  await romeo.sendText("juliet%hs.test@bridge.xmpp.test", "hello");
  const problems = await waitFor(async () => {
    const { problems: named = {} } = (await health("ready"))[1];
    return Object.keys(named).length === 2 && named;
  }, "both problems to be named");
  assert.deepEqual(Object.keys(problems).sort(), ["homeserver", "prosody"]);
  assert.match(problems.homeserver ?? "", /ECONNREFUSED|does not answer/);
  assert.match(problems.prosody ?? "", /ECONNREFUSED|does not answer/);
  assert.deepEqual(await health("live"), [200, { status: "live" }]);
  await Promise.all([homeserver.start(), prosody.start()]);
  await waitFor(async () => (await health("ready"))[0] === 200, "both to be reached again");
});
