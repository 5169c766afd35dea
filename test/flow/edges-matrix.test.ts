import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, ghostOf, numbered, setScene } from "./scene.ts";

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
  assert.deepEqual(await put({ authorization: "Bearer wrong" }), [403, "M_FORBIDDEN"]);
  assert.deepEqual(await put({ authorization: `Bearer ${hsToken}x` }), [403, "M_FORBIDDEN"]);
  assert.deepEqual(await put({ authorization: "Basic wrong" }), [401, "M_MISSING_TOKEN"]);
  for (const query of ["?access_token=wrong", "?access_token=", `?access_token=${hsToken}&access_token=x`]) {
    assert.deepEqual(await put({}, query), [403, "M_FORBIDDEN"], query);
    assert.deepEqual(await put({ authorization }, query), [403, "M_FORBIDDEN"], query);
  }
  assert.deepEqual(await put({ authorization: "Bearer x" }, `?access_token=${hsToken}`), [
    403,
    "M_FORBIDDEN",
  ]);
  for (const path of ["users/@a:hs.test", "rooms/%23a:hs.test", "thirdparty/user?userid=@a:hs.test"]) {
    assert.deepEqual(await ask(`${url}/_matrix/app/v1/${path}`, "GET"), [401, "M_MISSING_TOKEN"]);
  }
  juliet.sendText(roomId, "genuine");
  assert.deepEqual(await romeoHas(1), ["genuine"]);
  assert.deepEqual(romeo.errors(), []);
});

test("the token counts in the header, in the query or in both, and is never logged", async (t) => {
  const hsTokenToEscape = "hs+token/0123456789%2F";
  const { homeserver, start } = await setScene(t, { hsToken: hsTokenToEscape });
  const { url, log } = await start();
  const ping = (headers: Record<string, string>, query = "") =>
    ask(`${url}/_matrix/app/v1/ping${query}`, "POST", headers);
  const header = { authorization: `Bearer ${homeserver.hsToken}` };
  const escaped = `?access_token=${encodeURIComponent(hsTokenToEscape)}`;
  assert.deepEqual(await ping(header), [200, undefined]);
  assert.deepEqual(await ping({}, escaped), [200, undefined]);
  assert.deepEqual(await ping(header, escaped), [200, undefined]);
  // As continuwuity and tuwunel send it.
  assert.deepEqual(await ping(header, `?access_token=${hsTokenToEscape}`), [200, undefined]);
  const wrong = "a-wrong-token-of-the-query";
  assert.deepEqual(await ping({}, `?access_token=${wrong}`), [403, "M_FORBIDDEN"]);
  await waitFor(() => log.some((line) => line.includes("wrong homeserver token")), "the warning");
  for (const secret of [wrong, hsTokenToEscape, encodeURIComponent(hsTokenToEscape)]) {
    assert.ok(!log.some((line) => line.includes(secret)), secret);
  }
});

test("older homeservers reach the same without a prefix, and third-party lookups as unstable", async (t) => {
  const { homeserver, start, openChat, romeoHas } = await setScene(t);
  const { url } = await start();
  const roomId = await openChat();
  const at = (method: string, path: string, body?: unknown) =>
    ask(`${url}${path}`, method, { authorization }, body === undefined ? body : JSON.stringify(body));
  assert.deepEqual(await at("PUT", "/transactions/old1", { events: [eventIn(roomId, "one")] }), [
    200,
    undefined,
  ]);
  assert.deepEqual(await romeoHas(1), ["one"]);
  assert.deepEqual(await at("GET", `/users/${ghostOf("mercutio")}`), [200, undefined]);
  assert.ok(homeserver.requests.some(({ body }) => body.includes('"_xmpp_mercutio=40xmpp.test"')));
  assert.deepEqual(await at("GET", "/users/@juliet:hs.test"), [404, "M_NOT_FOUND"]);
  assert.deepEqual(await at("GET", "/rooms/%23_xmpp_a:hs.test"), [404, "M_NOT_FOUND"]);
  assert.deepEqual(await at("GET", "/_matrix/app/unstable/thirdparty/protocol/xmpp"), [200, undefined]);
  assert.deepEqual(await at("GET", "/_matrix/app/unstable/thirdparty/protocol/irc"), [404, "M_NOT_FOUND"]);
  for (const path of ["/transactions/1", "/users/@a:hs.test", "/rooms/%23a:hs.test"]) {
    assert.deepEqual(await ask(url + path, path.includes("trans") ? "PUT" : "GET"), [401, "M_MISSING_TOKEN"]);
    assert.deepEqual(await ask(url + path, "PATCH"), [405, "M_UNRECOGNIZED"]);
  }
});

test("a user ID or an alias is the same with its slashes escaped or as they are", async (t) => {
  const { url } = await (await setScene(t)).start();
  for (const path of [
    "users/@_xmpp_a/b=40xmpp.test:hs.test",
    "users/%40_xmpp_a%2Fb%3D40xmpp.test%3Ahs.test",
    "users/@_xmpp_a//b:hs.test",
    "rooms/%23_xmpp_a/b:hs.test",
    "rooms/%23_xmpp_a%2Fb:hs.test",
  ]) {
    const answer = await ask(`${url}/_matrix/app/v1/${path}`, "GET", { authorization });
    assert.deepEqual(answer, [404, "M_NOT_FOUND"], path);
  }
});

test("HEAD answers as GET does without the body, and OPTIONS says what can be asked", async (t) => {
  const { url } = await (await setScene(t)).start();
  const at = async (method: string, path: string, headers = {}) => {
    const response = await fetch(`${url}/_matrix/app/v1/${path}`, { method, headers });
    return [response.status, response.headers.get("allow"), await response.text()];
  };
  assert.deepEqual(await at("HEAD", "thirdparty/protocol/xmpp", { authorization }), [200, null, ""]);
  assert.deepEqual(await at("HEAD", "thirdparty/protocol/xmpp"), [401, null, ""]);
  assert.deepEqual(await at("HEAD", "ping", { authorization }), [405, "POST, OPTIONS", ""]);
  assert.deepEqual(await at("OPTIONS", "ping"), [200, "POST, OPTIONS", "{}"]);
  assert.deepEqual(await at("OPTIONS", "users/@a:hs.test"), [200, "GET, HEAD, OPTIONS", "{}"]);
  assert.equal((await at("OPTIONS", "nowhere"))[0], 404);
});

test("the largest transaction that a homeserver may send is taken, device data of any shape beside it", async (t) => {
  const { homeserver, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  const pad = "x".repeat(60 * 1024);
  const events = numbered("large", 100).map((body) => {
    const event = eventIn(roomId, body);
    return { ...event, content: { ...event.content, pad }, unsigned: { prev_content: { pad }, age: 1 } };
  });
  const toDevice = Array.from({ length: 100 }, () => ({ type: "m.dummy", content: { pad } }));
  const { status, body } = await homeserver.call("PUT", transaction, {
    events,
    ephemeral: toDevice,
    "de.sorunome.msc2409.ephemeral": "none",
    "de.sorunome.msc2409.to_device": toDevice,
    to_device: 7,
    "org.matrix.msc3202.device_lists": null,
    "org.matrix.msc3202.device_one_time_keys_count": [],
    "org.matrix.msc3202.device_one_time_key_counts": { a: { b: { c: "d" } } },
    "org.matrix.msc3202.device_unused_fallback_key_types": false,
  });
  assert.deepEqual([status, body], [200, "{}"]);
  assert.deepEqual(await romeoHas(100), numbered("large", 100));
});

test("a body that is no transaction is refused by the error that says why", async (t) => {
  const { url } = await (await setScene(t)).start();
  const put = (body: string) => ask(url + transaction, "PUT", { authorization }, body);
  assert.deepEqual(await put('{"events":['), [400, "M_NOT_JSON"]);
  assert.deepEqual(await put(""), [400, "M_NOT_JSON"]);
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
  assert.deepEqual(await at("GET", "/_matrix/app/unstable/users/@a:hs.test"), [404, "M_UNRECOGNIZED"]);
  assert.deepEqual(await at("POST", "/_matrix/app/v1/thirdparty/protocol/xmpp"), [405, "M_UNRECOGNIZED"]);
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
  // They may be there already, made by an earlier bridge.
  homeserver.user("_xmpp_tybalt=40xmpp.test");
  assert.deepEqual(await at(ghostOf("tybalt")), [200, undefined]);
  assert.deepEqual(await at(homeserver.bot), [200, undefined]);
  const made = homeserver.requests.filter(({ path }) => path.endsWith("/register"));
  assert.ok(made.every(({ body }) => JSON.parse(body).inhibit_login === true));
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
