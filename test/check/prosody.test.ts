/** What can be wrong between bridge and Prosody, and in what is between all three, each provoked. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { NS } from "../../src/xmpp/namespaces.ts";
import { xml } from "../../src/xmpp/stanza.ts";
import { freePort } from "../servers/free-port.ts";
import { findings, setUp, skipped } from "./set-up.ts";

const install =
  "install the component that `causeway prosody-config` prints (docs/operators.md says where), and restart Prosody";

test("a Prosody that is down is told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  await setup.prosody.stop();
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    `FAIL  Prosody: Prosody does not answer at ${setup.prosody.restUrl} (nothing listens there, ECONNREFUSED). ` +
      "To mend: start it, or correct xmpp.restUrl; Prosody's HTTP listens on port 5280 of its own machine by default",
  ]);
  assert.deepEqual(skipped(results), [
    "mod_rest",
    "credentials",
    "ghost on XMPP",
    "Prosody to bridge",
    "Prosody's clock",
  ]);
});

test("no mod_rest, another's mod_rest, and something else in its place are told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const { restUrl } = setup.prosody;
  setup.prosody.respond(() => ({ status: 404 }));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  mod_rest: there is no mod_rest at ${restUrl} (status 404). To mend: Prosody serves it once the component is loaded with the module mod_rest ` +
      `(its log says if it is not), and only to the host that http_host of the component names: ${install}`,
  ]);
  const realm = 'bearer realm="chat.example/rest", basic realm="chat.example/rest"';
  setup.prosody.respond(() => ({ status: 401, headers: { "www-authenticate": realm } }));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  mod_rest: at ${restUrl} answers chat.example, not the component bridge.xmpp.test. ` +
      "To mend: http_host of the two must differ, and the host in xmpp.restUrl be that of bridge.xmpp.test",
  ]);
  setup.prosody.respond(() => ({ status: 200, body: "It works!" }));
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  mod_rest: what answers at ${restUrl} is no mod_rest (status 200). ` +
      "To mend: set xmpp.restUrl to Prosody's mod_rest, such as http://127.0.0.1:5280/rest",
  ]);
});

test("wrong credentials, and none where some are asked for, are told", async (t) => {
  const setup = await setUp(t);
  const { xmpp } = setup.sound;
  setup.configure({
    xmpp: { ...xmpp, restAuth: { username: "bridge.xmpp.test", password: "Rosaline, my love" } },
  });
  const results = await setup.check();
  assert.deepEqual(findings(results), [
    "FAIL  credentials: mod_rest refuses xmpp.restAuth. To mend: its username must be bridge.xmpp.test and its password " +
      `what component_secret is in the component that Prosody has loaded: ${install}`,
  ]);
  assert.ok(!JSON.stringify(results).includes("Rosaline"));
  const { restAuth: _, ...without } = xmpp;
  setup.configure({ xmpp: without });
  assert.deepEqual(findings(await setup.check()), [
    'FAIL  credentials: mod_rest asks for credentials. To mend: set xmpp.restAuth to { "username": "bridge.xmpp.test", ' +
      `"password": the component's component_secret }, and ${install}`,
  ]);
  setup.configure({ xmpp: { ...xmpp, restAuth: { bearer: "bearer-token-0123" } } });
  setup.prosody.respond(() => ({ status: 401 }));
  assert.match(
    findings(await setup.check())[0] ?? "",
    /^FAIL {2}credentials: mod_rest does not take xmpp\.restAuth\. /,
  );
});

test("the mod_rest of 2025-04 is recognised by how it breaks", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.prosody.respond(({ headers }) => (headers.authorization ? { status: 500 } : undefined));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  credentials: mod_rest breaks over the credentials (status 500). To mend: mod_rest of 2025-04 (Debian trixie and bookworm-backports) " +
      "does so with those of any component: install one of 2026 (docs/operators.md says how). Else the component has no component_secret; Prosody's log says which",
  ]);
});

test("a component that is not the bridge's to send from is told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  setup.prosody.respond(({ body }) => (body.includes("causeway-check@") ? { status: 403 } : undefined));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  ghost on XMPP: mod_rest does not let the bridge send from addresses on bridge.xmpp.test (status 403). " +
      "To mend: xmpp.component must be the component whose secret xmpp.restAuth holds",
  ]);
  setup.prosody.respond(({ body }) => (body.includes("causeway-check@") ? { status: 500 } : undefined));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  ghost on XMPP: mod_rest answers 500 to a stanza. To mend: see Prosody's log",
  ]);
});

test("a callback that goes nowhere, to something else, or has another secret, is told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const advice = `To mend: rest_callback_url must lead to ${setup.url}/xmpp/callback?from={from} and be reachable from Prosody's machine (else set xmpp.callbackUrl): ${install}`;
  setup.prosody.connect(undefined);
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  Prosody to bridge: Prosody does not reach the bridge (recipient-unavailable). ${advice}`,
  ]);
  const isPing = (body: string): boolean => body.includes("urn:xmpp:ping");
  setup.prosody.respond(({ body }) =>
    isPing(body) ? { status: 200, body: "<iq type='result' id='x'/>" } : undefined,
  );
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  Prosody to bridge: the callback was answered by something that is not this bridge. ${advice}`,
  ]);
  setup.prosody.respond(({ body }) => (isPing(body) ? { status: 202 } : undefined));
  assert.deepEqual(findings(await setup.check()), [
    "FAIL  Prosody to bridge: Prosody took a ping to the component and did not answer it (status 202). " +
      `To mend: the component must be served by mod_rest alone, with its rest_callback_url: ${install}`,
  ]);
  setup.prosody.respond(({ body }) => (isPing(body) ? { delayMs: 10_000 } : undefined));
  assert.deepEqual(findings(await setup.check({ timeoutMs: 1000 })), [
    `FAIL  Prosody to bridge: Prosody tried to reach the bridge and got nowhere. ${advice}`,
  ]);
  setup.prosody.respond(() => undefined);
  setup.prosody.connect(setup.url);
  setup.configure({ xmpp: { ...setup.sound.xmpp, callbackSecret: "another0123456789" } });
  const otherSecret = [
    `FAIL  Prosody to bridge: Prosody shows the bridge another secret than xmpp.callbackSecret. To mend: rest_callback_url must hold it: ${install}`,
  ];
  assert.deepEqual(findings(await setup.check()), otherSecret);

  setup.configure();
  await setup.run();
  const refusal = xml("error", { type: "auth" }, xml("not-authorized", { xmlns: NS.stanzaErrors }));
  const body = xml("iq", { type: "error", id: "x" }, refusal).toString();
  setup.prosody.respond((request) => (isPing(request.body) ? { status: 200, body } : undefined));
  assert.deepEqual(findings(await setup.check()), otherSecret);
});

test("a mod_rest of 2019 is tried with a message, as its answers to IQs never end", async (t) => {
  const setup = await setUp(t);
  const { restAuth: _, ...xmpp } = setup.sound.xmpp;
  setup.configure({ xmpp });
  const callback = setup.prosody.open;
  setup.prosody.respond(({ body, headers }) => {
    assert.equal(headers.authorization, undefined);
    if (!body.startsWith("<")) return { status: 400 };
    assert.match(body, /^<message /);
    void callback().send(body);
    return { status: 500 };
  });
  assert.deepEqual(findings(await setup.check()), [
    "skip  ghost on XMPP: a mod_rest without authentication takes every sender",
  ]);
});

test("stanzas that come meanwhile are put off: their senders are told to wait", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const romeo = setup.prosody.user("romeo");
  let done: Promise<void> | undefined;
  setup.prosody.respond(({ body }) => {
    if (body.includes("urn:xmpp:ping"))
      done ??= romeo.sendText("juliet%hs.test@bridge.xmpp.test", "Wherefore");
    return undefined;
  });
  assert.deepEqual(findings(await setup.check()), []);
  await done;
  const error = romeo.errors()[0]?.getChild("error");
  assert.equal(error?.attrs.type, "wait");
  assert.ok(error?.getChild("resource-constraint"));
});

test("clocks that are more than half a minute apart are told", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  // Between the two readings of the clock a second may pass.
  const late = findings(await setup.check({ now: () => Date.now() + 90_400 }));
  const line = (whose: string, name: string): RegExp =>
    new RegExp(
      `^FAIL {2}${whose} clock: ${name} clock is 9[01] seconds behind this machine's\\. To mend: set both by NTP`,
    );
  assert.equal(late.length, 2);
  assert.match(late[0] ?? "", line("homeserver's", "the homeserver's"));
  assert.match(late[1] ?? "", line("Prosody's", "Prosody's"));
  const early = findings(await setup.check({ now: () => Date.now() - 90_400 }));
  assert.match(early[0] ?? "", /clock is (89|9\d) seconds ahead of this machine's/);
  assert.deepEqual(findings(await setup.check({ now: () => Date.now() + 20_000 })), []);
});

test("a public URL that leads nowhere or elsewhere is told", async (t) => {
  const setup = await setUp(t);
  const advice = `To mend: publicUrl must lead to listen (127.0.0.1:${setup.port}), through a reverse proxy where it is https: docs/operators.md has its lines`;
  const publicUrl = `http://127.0.0.1:${await freePort()}`;
  setup.configure({ publicUrl });
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  public URL: nothing answers at publicUrl ${publicUrl} (nothing listens there, ECONNREFUSED). ${advice}`,
  ]);
  setup.configure({ publicUrl: setup.homeserver.url });
  assert.deepEqual(findings(await setup.check()), [
    `FAIL  public URL: what answers at ${setup.homeserver.url} is not this bridge (status 404). ${advice}`,
  ]);
});

test("a reverse proxy that hands on notifications and no files is told, whether the bridge runs or not", async (t) => {
  const setup = await setUp(t);
  const proxy = createServer((request, response) => {
    if (!request.url?.startsWith("/_matrix/push/")) return void response.writeHead(404).end();
    void fetch(`${setup.url}${request.url}`).then(async (answer) =>
      response.writeHead(answer.status).end(await answer.text()),
    );
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => void proxy.close().closeAllConnections());
  const publicUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  setup.configure({ publicUrl });
  const expected = [
    `FAIL  public URL: notifications come through at ${publicUrl}, but links to files do not (status 404). ` +
      "To mend: the reverse proxy must hand /media/ on as well: docs/operators.md has its lines",
  ];
  assert.deepEqual(findings(await setup.check()), expected);
  await setup.run();
  assert.deepEqual(findings(await setup.check()), expected);
});

test("a public URL with a path is a warning, as no homeserver sets a pusher there", async (t) => {
  const setup = await setUp(t);
  const proxy = createServer((request, response) => {
    void fetch(`${setup.url}${request.url?.replace("/bridge", "")}`).then(async (answer) =>
      response.writeHead(answer.status).end(await answer.text()),
    );
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => void proxy.close().closeAllConnections());
  setup.configure({ publicUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/bridge` });
  assert.deepEqual(findings(await setup.check()), [
    "warn  public URL: publicUrl has a path, and homeservers set no pusher below one. " +
      "To mend: for notifications, set publicUrl to an address without a path",
  ]);
});

test("a reverse proxy that the bridge does not trust is a warning, and one that it trusts is well", async (t) => {
  const setup = await setUp(t);
  const proxy = createServer((request, response) => {
    void fetch(`${setup.url}${request.url}`, { headers: { "x-forwarded-for": "192.0.2.7" } }).then(
      async (answer) => response.writeHead(answer.status).end(await answer.text()),
    );
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => void proxy.close().closeAllConnections());
  const publicUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  setup.configure({ publicUrl });
  assert.deepEqual(findings(await setup.check()), [
    "warn  public URL: requests come through a proxy whose word for where they come from is not taken, so limits count them all as one. " +
      'To mend: set listen.trustedProxies to ["127.0.0.1"]',
  ]);
  setup.configure({ publicUrl, listen: { ...setup.sound.listen, trustedProxies: ["127.0.0.1"] } });
  assert.deepEqual(findings(await setup.check()), []);
});
