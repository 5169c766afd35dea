/** What can be wrong between bridge and homeserver, each provoked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault, SeenRequest } from "../support/fake-server.ts";
import { findings, setUp, skipped } from "./set-up.ts";

const install =
  "install the registration that `causeway registration` prints (docs/operators.md says where for each homeserver), and restart the homeserver";
const Install = `To mend: ${install}`;

const json = (status: number, body: object): Fault => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
const at =
  (path: string, fault: Fault) =>
  (request: SeenRequest): Fault =>
    request.path.includes(path) ? fault : undefined;

test("a homeserver that is down, or something else in its place, is told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const { url } = setup.homeserver;
  setup.homeserver.respond(() => ({ status: 200, body: "<html>It works!</html>" }));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  homeserver: what answers at ${url} is no homeserver (status 200 to /_matrix/client/versions). ` +
      "To mend: set homeserver.url to the address of its client-server API",
  ]);
  await setup.homeserver.stop();
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    `FAIL  homeserver: the homeserver does not answer at ${url} (nothing listens there, ECONNREFUSED). ` +
      "To mend: start it, or correct homeserver.url",
  ]);
  assert.deepEqual(skipped(results), [
    "registration",
    "server name",
    "homeserver to bridge",
    "ghost on Matrix",
    "homeserver's clock",
  ]);
});

test("a token that the homeserver does not know is a registration that it has not loaded", async (t) => {
  const setup = await setUp(t);
  setup.configure({ appservice: { ...setup.sound.appservice, asToken: "another-token-0123" } });
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    "FAIL  registration: the homeserver does not know appservice.asToken (401 M_UNKNOWN_TOKEN unknown token): " +
      `it has not loaded the registration, or one with another as_token. ${Install}`,
  ]);
  assert.deepEqual(skipped(results), ["server name", "homeserver to bridge", "ghost on Matrix"]);
});

test("no secret that a homeserver repeats is printed", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const { asToken } = setup.homeserver;
  setup.homeserver.respond(at("/whoami", json(403, { errcode: "M_FORBIDDEN", error: `not ${asToken}` })));
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    `FAIL  registration: the homeserver does not say whose appservice.asToken is (403 M_FORBIDDEN not [secret]). ${Install}`,
  ]);
  assert.ok(!JSON.stringify(results).includes(asToken));
});

test("another name of the homeserver, or of the bot, is told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.homeserver.respond(at("/whoami", json(200, { user_id: "@_xmpp_bot:capulet.example" })));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  server name: the homeserver's name is capulet.example, not hs.test. To mend: set homeserver.domain to capulet.example; then ${install}`,
  ]);
  setup.homeserver.respond(at("/whoami", json(200, { user_id: "@nurse:hs.test" })));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  server name: the bot is called @nurse:hs.test there, and @_xmpp_bot:hs.test here. ${Install}`,
  ]);
});

test("a registration without address, to nowhere, or to somewhere else, is told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.homeserver.connect(undefined);
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  homeserver to bridge: M_URL_NOT_SET: the homeserver's registration has no `url`. To mend: set it to appservice.url and restart the homeserver",
  ]);
  setup.homeserver.connect("http://127.0.0.1:9");
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  homeserver to bridge: M_CONNECTION_FAILED: the homeserver cannot connect to the bridge. " +
      "To mend: check `url` in the registration, and that it is reachable from the homeserver's machine or container",
  ]);
  setup.homeserver.respond(at("/ping", json(200, { duration_ms: 1 })));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  homeserver to bridge: the homeserver's ping was answered by something that is not this bridge. " +
      `To mend: \`url\` in the registration must lead to listen: correct appservice.url, and ${install}`,
  ]);
});

test("another homeserver token is told, whether the bridge runs or not", async (t) => {
  const setup = await setUp(t);
  const hsToken = "another-token-0123";
  setup.configure({ appservice: { ...setup.sound.appservice, hsToken } });
  const expected = [
    `FAIL  homeserver to bridge: the homeserver shows the bridge another token than appservice.hsToken. ${Install}`,
  ];
  assert.deepEqual(findings(await setup.check()), expected);
  setup.configure();
  await setup.run();
  setup.homeserver.respond(at("/ping", json(502, { errcode: "M_BAD_STATUS", error: "x", status: 403 })));
  assert.deepEqual(findings(await setup.check()), expected);
});

test("a ping that came through counts, whatever the homeserver makes of its answer", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  // Synapse 1.160 says so of a ping that meets a retry under way.
  setup.homeserver.respond((request) => {
    if (!request.path.endsWith("/ping")) return undefined;
    void setup.homeserver.call("POST", "/_matrix/app/v1/ping", JSON.parse(request.body));
    return {
      ...(json(502, { errcode: "M_CONNECTION_FAILED", error: "AlreadyCalled" }) as object),
      delayMs: 200,
    };
  });
  assert.deepEqual(findings(await setup.check()), []);
});

test("a homeserver without ping cannot be tried in this direction, and that is no failure", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.homeserver.respond(at("/ping", json(404, { errcode: "M_UNRECOGNIZED", error: "x" })));
  assert.deepEqual(findings(await setup.check()), [
    "skip  homeserver to bridge: this homeserver has no ping: whether it reaches the bridge shows with the first message",
  ]);
});

test("a namespace that is another's, and ghosts that may not act, are told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.homeserver.respond(at("/register", json(400, { errcode: "M_EXCLUSIVE", error: "taken" })));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  ghost on Matrix: the homeserver does not let the bridge have users that begin with _xmpp_ (400 M_EXCLUSIVE taken). " +
      `To mend: another registration claims them, or the loaded one is for another appservice.userPrefix or homeserver.domain: ${install}`,
  ]);
  setup.homeserver.respond(at("/register", json(500, { errcode: "M_UNKNOWN", error: "Oh no" })));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  ghost on Matrix: the homeserver refuses to register a ghost (500 M_UNKNOWN Oh no). To mend: see its log",
  ]);
  setup.homeserver.respond(({ query }) =>
    query.has("user_id") ? json(403, { errcode: "M_FORBIDDEN", error: "cannot masquerade" }) : undefined,
  );
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  ghost on Matrix: the homeserver does not let the bridge act as its ghost @_xmpp_bridge.xmpp.test:hs.test (403 M_FORBIDDEN cannot masquerade). " +
      Install,
  ]);
});

test("transactions that come meanwhile are put off, not taken", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const answers: number[] = [];
  setup.homeserver.respond(({ path }) => {
    // At this moment the check listens.
    if (path.endsWith("/ping"))
      void setup.homeserver.pushTransaction("1", []).then(({ status }) => answers.push(status));
    return undefined;
  });
  assert.deepEqual(findings(await setup.check()), []);
  assert.deepEqual(answers, [503]);
});

test("a ping that gets nowhere in time is told as such", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.homeserver.connect("http://127.0.0.1:9");
  setup.homeserver.respond(at("/ping", { delayMs: 10_000 }));
  assert.deepEqual(findings(await setup.check({ timeoutMs: 1000 })), [
    "FAIL  homeserver to bridge: the homeserver tried to reach the bridge and got nowhere. " +
      `To mend: a firewall stands between it and ${setup.url}, or it runs where that address leads nowhere, such as in a container: correct appservice.url, and ${install}`,
  ]);
});
