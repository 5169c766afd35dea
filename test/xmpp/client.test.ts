import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import test, { type TestContext } from "node:test";
import { createHttp, NoAnswerError } from "../../src/http/client.ts";
import { createXmppClient, type RestAuth, RestError, StanzaRefusedError } from "../../src/xmpp/client.ts";
import { serialize, xml } from "../../src/xmpp/stanza.ts";
import { handedOver2019, page, streamError } from "../support/recorded-answers.ts";

const hello = xml("message", { to: "romeo@xmpp.example" }, xml("body", {}, "é<"));

/** A mod_rest whose answers the test gives, and a client of it that tells of each contact. */
async function setUp(t: TestContext, listener: RequestListener, auth?: RestAuth) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const http = createHttp({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rest`,
    headers: {},
    maxInFlight: 2,
    timeoutMs: 2000,
    repeatAfterReset: true,
  });
  t.after(() => {
    http.close();
    server.close();
    server.closeAllConnections();
  });
  const contacts: (string | undefined)[] = [];
  const client = createXmppClient({ http, auth, onContact: (problem) => contacts.push(problem) });
  return { client, contacts, server };
}

const credentials: RestAuth = { username: "bridge.xmpp.example", password: "secret" };

const answering =
  (status: number, body = "", seen: IncomingMessage[] = []): RequestListener =>
  (req, res) => {
    seen.push(req);
    req.resume().on("end", () => res.writeHead(status).end(body));
  };

test("a stanza goes to mod_rest whole, with its length and not in chunks", async (t) => {
  const seen: unknown[] = [];
  const { client, contacts } = await setUp(t, async (req, res) => {
    const { method, url, headers } = req;
    const { "content-type": type, "content-length": length, "transfer-encoding": encoding } = headers;
    seen.push({ method, url, type, length, encoding, body: await text(req) });
    res.writeHead(202).end();
  });
  assert.equal(await client.send(hello), undefined);
  const body = serialize(hello);
  const length = String(Buffer.byteLength(body));
  assert.deepEqual(seen, [
    { method: "POST", url: "/rest", type: "application/xmpp+xml", length, encoding: undefined, body },
  ]);
  assert.deepEqual(contacts, [undefined]);
});

test("credentials go as Basic, as Bearer or not at all", async (t) => {
  const told: (string | undefined)[] = [];
  const logins: (RestAuth | undefined)[] = [
    { username: "bridge.example", password: "pä:ss" },
    { bearer: "t0k" },
    undefined,
  ];
  for (const auth of logins) {
    const seen: IncomingMessage[] = [];
    const { client } = await setUp(t, answering(202, "", seen), auth);
    await client.send(hello);
    told.push(seen[0]?.headers.authorization);
  }
  const basic = Buffer.from("bridge.example:pä:ss").toString("base64");
  assert.deepEqual(told, [`Basic ${basic}`, "Bearer t0k", undefined]);
});

test("a result that comes at once is returned", async (t) => {
  const { client } = await setUp(t, answering(200, '<iq type="result" id="1"/>'));
  assert.equal(String(await client.send(hello)), '<iq type="result" id="1"/>');
});

test("a 200 without a stanza counts as accepted", async (t) => {
  for (const body of ["", "  ", "OK"]) {
    const { client } = await setUp(t, answering(200, body));
    assert.equal(await client.send(hello), undefined);
  }
});

test("a proxy's page in place of Prosody's answer is no acceptance", async (t) => {
  const { client } = await setUp(t, answering(200, "<html><title>Down for maintenance</title></html>"));
  await assert.rejects(client.send(hello), {
    name: "RestError",
    isProxys: true,
    message: "mod_rest answered 200: Down for maintenance",
  });
});

const ping = xml(
  "iq",
  { type: "get", to: "xmpp.example", id: "p1" },
  xml("ping", { xmlns: "urn:xmpp:ping" }),
);

test("an IQ is asked with a time limit, and its answer comes with what came along", async (t) => {
  const seen: IncomingMessage[] = [];
  const archived = "<message><result xmlns='urn:xmpp:mam:2' id='a'/></message>";
  const { client } = await setUp(
    t,
    answering(200, `<xmpp>${archived}<iq type='result' id='p1'/></xmpp>`, seen),
  );
  const { result, messages } = await client.ask(ping, 7);
  assert.equal(serialize(result), '<iq type="result" id="p1"/>');
  assert.deepEqual(messages.map(serialize), ['<message><result xmlns="urn:xmpp:mam:2" id="a"/></message>']);
  assert.equal(seen[0]?.headers["prosody-rest-timeout"], "7");
});

test("an IQ whose answer is late, refused, missing or unreadable fails as what it is", async (t) => {
  const item = '<error type="cancel"><item-not-found xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>';
  const rows: [number, string, string, string, string | undefined][] = [
    [
      500,
      streamError("remote-server-timeout", "IQ stanza timed out"),
      "IqTimeoutError",
      "the IQ was not answered in time",
      undefined,
    ],
    [
      500,
      streamError("conflict", "IQ stanza id attribute already used"),
      "RestError",
      "mod_rest answered 500: IQ stanza id attribute already used",
      undefined,
    ],
    [
      500,
      streamError("resource-constraint", "evicted from iq tracking cache"),
      "RestError",
      "mod_rest answered 500: evicted from iq tracking cache",
      undefined,
    ],
    [
      500,
      page("500 Internal Server Error", "It broke."),
      "RestError",
      "mod_rest answered 500: Internal Server Error",
      "answered with status 500",
    ],
    [
      200,
      `<iq type="error">${item}</iq>`,
      "StanzaRefusedError",
      "refused with cancel/item-not-found",
      undefined,
    ],
    [202, "", "IqUnansweredError", "mod_rest took an IQ and answered it with nothing", undefined],
    [200, "", "IqUnansweredError", "mod_rest took an IQ and answered it with nothing", undefined],
    [200, "OK", "IqUnansweredError", "mod_rest took an IQ and answered it with no stanza", undefined],
    [
      200,
      "<message/>",
      "IqUnansweredError",
      "mod_rest took an IQ and answered it with another stanza",
      undefined,
    ],
  ];
  for (const [status, body, name, message, contact] of rows) {
    for (const auth of [credentials, undefined]) {
      const { client, contacts } = await setUp(t, answering(status, body), auth);
      await assert.rejects(client.ask(ping, 1), { name, message });
      assert.deepEqual(contacts, [contact]);
    }
  }
});

test("the 500 of the module without credentials is a message handed over; its refusals are refusals", async (t) => {
  const { client, contacts } = await setUp(t, answering(500, handedOver2019));
  assert.equal(await client.send(hello), undefined);
  assert.equal(await client.send(xml("presence", { to: "romeo@xmpp.example" })), undefined);
  assert.deepEqual(contacts, [undefined, undefined]);

  const refusing = await setUp(
    t,
    answering(400, page("400 Bad Request", "What?", "Invalid destination JID")),
  );
  await assert.rejects(refusing.client.send(hello), {
    message: "mod_rest answered 400: Invalid destination JID",
  });
  const failing = await setUp(t, answering(500, streamError("internal-server-error")));
  await assert.rejects(failing.client.send(hello), {
    message: "mod_rest answered 500: internal-server-error",
  });
  const withCredentials = await setUp(t, answering(500, handedOver2019), credentials);
  await assert.rejects(withCredentials.client.send(hello), { name: "RestError" });
});

test("an error stanza that comes at once is thrown, and Prosody counts as reached", async (t) => {
  const body =
    "<message type='error'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Moved.</text></error></message>";
  const { client, contacts } = await setUp(t, answering(200, body));
  await assert.rejects(client.send(hello), (error) => {
    assert.ok(error instanceof StanzaRefusedError);
    assert.deepEqual(error.error, { type: "cancel", condition: "gone", text: "Moved." });
    assert.equal(error.message, "refused with cancel/gone: Moved.");
    return true;
  });
  assert.deepEqual(contacts, [undefined]);
});

for (const [status, problem] of [
  [400, undefined],
  [401, "Prosody refuses xmpp.restAuth, or lets it send from another domain than xmpp.component."],
  [403, "Prosody refuses xmpp.restAuth, or lets it send from another domain than xmpp.component."],
  [404, "There is no mod_rest at xmpp.restUrl; is the module loaded for the component?"],
  [500, "answered with status 500"],
] as const) {
  test(`status ${status} is thrown, and ${problem ? "counts as a problem of the set-up" : "is none of the set-up"}`, async (t) => {
    const { client, contacts } = await setUp(t, answering(status, "no"), credentials);
    await assert.rejects(client.send(hello), (error) => {
      assert.ok(error instanceof RestError);
      assert.deepEqual([error.status, error.message], [status, `mod_rest answered ${status}: no`]);
      return true;
    });
    assert.deepEqual(contacts, [problem]);
  });
}

test("a stanza that met a connection reset while idle is sent once more", async (t) => {
  let requests = 0;
  const { client, contacts } = await setUp(t, (req, res) => {
    requests += 1;
    if (requests === 2) return void req.socket.resetAndDestroy();
    answering(202)(req, res);
  });
  await client.send(hello);
  await client.send(hello);
  assert.equal(requests, 3);
  assert.deepEqual(contacts, [undefined, undefined]);
});

test("a stanza whose fresh connection is reset is not sent again, since it may have arrived", async (t) => {
  let requests = 0;
  const { client, contacts } = await setUp(t, (req) => {
    requests += 1;
    req.socket.resetAndDestroy();
  });
  await assert.rejects(client.send(hello), (error) => {
    assert.ok(error instanceof NoAnswerError);
    assert.deepEqual([error.code, error.sent], ["ECONNRESET", true]);
    return true;
  });
  assert.equal(requests, 1);
  assert.deepEqual(contacts, ["no answer (ECONNRESET)"]);
});
