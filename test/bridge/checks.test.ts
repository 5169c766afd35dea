import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { createProsodyCheck } from "../../src/bridge/checks.ts";
import { createHttp } from "../../src/http/client.ts";
import { createXmppClient } from "../../src/xmpp/client.ts";
import { errorReply, parseStanza, serialize } from "../../src/xmpp/stanza.ts";
import { startFakeProsody } from "../support/fake-prosody.ts";
import type { Fault } from "../support/fake-server.ts";
import { page } from "../support/recorded-answers.ts";

interface SceneOptions {
  oldModule?: boolean;
  /** The callback is there. */
  reachable?: boolean;
  fault?: Fault;
}

async function checkWith(t: TestContext, { oldModule = false, reachable = true, fault }: SceneOptions = {}) {
  const prosody = await startFakeProsody({ oldModule });
  const callback = createServer(async (req, res) => {
    const stanza = parseStanza(await text(req));
    if (check.seen(stanza)) return res.writeHead(202).end();
    const { from, to, id, type } = stanza.attrs;
    const reply =
      type === "get"
        ? `<iq type="result" from="${to}" to="${from}" id="${id}"/>`
        : serialize(errorReply(stanza, { type: "cancel", condition: "gone" }));
    return res.writeHead(200, { "content-type": "application/xmpp+xml" }).end(reply);
  });
  await new Promise<void>((resolve) => callback.listen(0, "127.0.0.1", resolve));
  if (reachable) prosody.connect(`http://127.0.0.1:${(callback.address() as AddressInfo).port}`);
  if (fault) prosody.respond(() => fault);
  const http = createHttp({ baseUrl: prosody.restUrl, headers: {}, maxInFlight: 2, timeoutMs: 5000 });
  t.after(async () => {
    http.close();
    callback.close();
    callback.closeAllConnections();
    await prosody.stop();
  });
  const auth = oldModule ? undefined : { username: prosody.component, password: prosody.secret };
  const check = createProsodyCheck({
    xmpp: createXmppClient({ http, auth }),
    component: prosody.component,
    hasCredentials: auth !== undefined,
    newId: randomUUID,
    patienceMs: 200,
  });
  return { problem: await check.run(), requests: prosody.requests };
}

test("a set-up that is right passes, by an IQ to ourselves or with mod_rest of 2019 by one message", async (t) => {
  const { problem, requests } = await checkWith(t);
  assert.equal(problem, undefined);
  assert.match(requests.map(({ body }) => body).join(), /^<iq [^,]*<ping /);
  const old = await checkWith(t, { oldModule: true });
  assert.equal(old.problem, undefined);
  assert.match(old.requests.map(({ body }) => body).join(), /^<message [^,]*$/);
});

test("what is wrong is named with what to do about it", async (t) => {
  const rows: [SceneOptions, RegExp][] = [
    [{ reachable: false }, /cannot reach the bridge \(recipient-unavailable\): rest_callback_url must be/],
    [
      { oldModule: true, reachable: false },
      /message that did not reach the bridge: rest_callback_url must be/,
    ],
    [{ fault: { status: 202 } }, /did not answer it: is mod_rest loaded as the component\?/],
    [{ fault: { status: 404 } }, /no mod_rest at xmpp\.restUrl/],
    [{ fault: { status: 403 } }, /refuses xmpp\.restAuth/],
    [{ fault: "reset" }, /does not answer at xmpp\.restUrl \(ECONNRESET\)/],
    [
      {
        fault: {
          status: 500,
          body: "<error xmlns='http://etherx.jabber.org/streams'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>",
        },
      },
      /got no answer: is rest_callback_url the bridge's\?/,
    ],
    [
      { fault: { status: 500, body: page("500 Internal Server Error", "It broke.") } },
      /^mod_rest answered 500: Internal Server Error$/,
    ],
  ];
  for (const [options, problem] of rows) assert.match((await checkWith(t, options)).problem ?? "", problem);
});
