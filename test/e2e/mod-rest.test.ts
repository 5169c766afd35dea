/** What the real mod_rest answers to what the bridge sends, each as the bridge understands it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { createHttp, type Http } from "../../src/http/client.ts";
import { createXmppClient, type RestAuth, type XmppClient } from "../../src/xmpp/client.ts";
import type { Jid } from "../../src/xmpp/jid.ts";
import { createIqRequests } from "../../src/xmpp/requests.ts";
import { type Element, errorReply, parseStanza, readError, serialize, xml } from "../../src/xmpp/stanza.ts";
import { createInbox } from "../servers/inbox.ts";
import { serversMissing } from "../servers/location.ts";
import { type Prosody, startProsody } from "../servers/prosody.ts";
import { connectXmpp, type XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const component = "bridge.xmpp.test";
const juliet = `juliet%hs.test@${component}` as Jid;
const auth: RestAuth = { username: component, password: "secret" };
const silence = "urn:example:silence";

let prosody: Prosody;
let romeo: XmppUser;
let http: Http;
/** Lets Romeo's client answer what it was asked about silence. */
const held: (() => void)[] = [];

const callbacks = createInbox<Element>("the callback", String);
const tooMuch = { type: "wait", condition: "resource-constraint", text: "Send it again later." };
const callbackServer = createServer(async (req, res) => {
  const body = await text(req);
  const stanza = req.method === "POST" ? parseStanza(body) : undefined;
  if (stanza) callbacks.add(stanza);
  if (stanza?.getChildText("body") !== "too much") return void res.writeHead(202).end();
  const refusal = serialize(errorReply(stanza, tooMuch));
  res.writeHead(200, { "content-type": "application/xmpp+xml" }).end(refusal);
});

before(async () => {
  if (skip) return;
  callbackServer.listen(0, "127.0.0.1");
  await once(callbackServer, "listening");
  prosody = await startProsody({
    componentConfig: `
    Component "${component}" "rest"
      component_secret = "secret"
      http_host = "127.0.0.1"
      rest_callback_url = "http://127.0.0.1:${(callbackServer.address() as AddressInfo).port}/callback"`,
  });
  await prosody.addUser("romeo", "montague");
  romeo = await connectXmpp({
    host: prosody.host,
    port: prosody.c2sPort,
    domain: prosody.domain,
    username: "romeo",
    password: "montague",
    onQuery: {
      namespace: silence,
      answer: () =>
        new Promise((resolve) => {
          held.push(() => resolve(xml("query", { xmlns: silence })));
        }),
    },
  });
  http = createHttp({ baseUrl: prosody.restUrl, headers: {}, maxInFlight: 300, timeoutMs: 30_000 });
});

after(async () => {
  callbackServer.close();
  callbackServer.closeAllConnections();
  http?.close();
  await romeo?.stop();
  await prosody?.stop();
});

const client = (credentials: RestAuth | undefined = auth, path = "") =>
  createXmppClient({ http: path === "" ? http : at(path), auth: credentials });
const at = (path: string): Http => ({
  ...http,
  request: (request) => http.request({ ...request, path: `${request.path}${path}` }),
});
const message = (to: string, more: Record<string, string> = {}, body = "Good night"): Element =>
  xml("message", { type: "chat", from: juliet, to, ...more }, xml("body", {}, body));
const ask = (id: string, timeoutSeconds: number, payload = xml("query", { xmlns: silence })) =>
  client().ask(xml("iq", { type: "get", from: juliet, to: romeo.jid, id }, payload), timeoutSeconds);

test("a message to somebody is taken, one to nobody is refused at once", { skip }, async () => {
  assert.equal(await client().send(message(romeo.jid)), undefined);
  await romeo.waitFor((stanza) => stanza.getChildText("body") === "Good night");
  await assert.rejects(client().send(message("nobody@xmpp.test")), {
    name: "StanzaRefusedError",
    message: "refused with cancel/service-unavailable",
  });
});

test("each refusal of the request itself is told with its reason", { skip }, async () => {
  const romeoJid = romeo.jid;
  const plain = (contentType: string): Http => ({
    ...http,
    request: (request) =>
      http.request({ ...request, headers: { ...request.headers, "content-type": contentType } }),
  });
  const rows: [() => Promise<unknown>, string][] = [
    [() => client(auth).send(message("@@")), "mod_rest answered 422: Invalid destination JID"],
    [
      () => client(auth).send(message(romeoJid, { from: "mercutio@xmpp.test" })),
      "mod_rest answered 403: Not authorized to send stanza with requested 'from'",
    ],
    [
      () => client({ ...auth, password: "wrong" }).send(message(romeoJid)),
      "mod_rest answered 403: Credentials malformed",
    ],
    [
      () => client({ bearer: "0123456789abcdef" }).send(message(romeoJid)),
      "mod_rest answered 403: Credentials malformed",
    ],
    [
      () => createXmppClient({ http }).send(message(romeoJid)),
      "mod_rest answered 401: No credentials provided",
    ],
    [() => client(auth, "/../nothing").send(message(romeoJid)), "mod_rest answered 404"],
    [
      () => client().send(message(romeoJid, {}, "x".repeat(200 * 1024))),
      "mod_rest answered 413: Payload too large",
    ],
    [
      () => createXmppClient({ http: plain("text/xml"), auth }).send(message(romeoJid)),
      "mod_rest answered 415: Unsupported media type",
    ],
    [
      () => createXmppClient({ http: plain("application/json"), auth }).send(message(romeoJid)),
      "mod_rest answered 400: Failed to parse payload",
    ],
    [
      () =>
        client().ask(
          xml("iq", { type: "get", from: juliet, to: romeoJid, id: "two" }, xml("a"), xml("b")),
          1,
        ),
      "mod_rest answered 422: 'iq' stanza must have exactly one child tag",
    ],
  ];
  for (const [send, problem] of rows) await assert.rejects(send(), { name: "RestError", message: problem });
});

test("a message that the callback answers with an error comes back with its words", { skip }, async () => {
  for (const [type, to] of [
    ["chat", juliet],
    ["groupchat", `#cafe%hs.test@${component}`],
  ] as const) {
    await romeo.send(xml("message", { type, to, id: `m-${type}` }, xml("body", {}, "too much")));
    const error = await romeo.waitFor((stanza) => stanza.attrs.id === `m-${type}`);
    assert.deepEqual([error.attrs.type, error.attrs.from, readError(error)], ["error", to, tooMuch]);
  }
});

for (const accept of ["application/json", "text/html"]) {
  test(`the reason is read out of ${accept} too`, { skip }, async () => {
    const other: Http = {
      ...http,
      request: (request) => http.request({ ...request, headers: { ...request.headers, accept } }),
    };
    const readable = createXmppClient({ http: other, auth });
    await assert.rejects(readable.send(message("@@")), {
      message: "mod_rest answered 422: Invalid destination JID",
    });
  });
}

test("an IQ is answered, or fails by its time limit, by an ID in use, or by being one too many", {
  skip,
}, async () => {
  const version = xml("query", { xmlns: "jabber:iq:version" });
  const { result } = await client().ask(
    xml("iq", { type: "get", from: juliet, to: "xmpp.test", id: "v1" }, version),
    5,
  );
  assert.equal(result.getChild("query")?.getChildText("name"), "Prosody");

  const startedAt = Date.now();
  const inUse = ask("late1", 1);
  inUse.catch(() => undefined);
  await romeo.waitFor((stanza) => stanza.attrs.id === "late1");
  await assert.rejects(ask("late1", 1), {
    message: "mod_rest answered 500: IQ stanza id attribute already used",
  });
  // The conflict has taken the older one's time limit away, so that it would wait for ever.
  const alone = ask("late2", 1);
  await assert.rejects(alone, { name: "IqTimeoutError" });
  assert.ok(Date.now() - startedAt < 4000);

  const outcomes = await Promise.allSettled(Array.from({ length: 257 }, (_, n) => ask(`many${n}`, 2)));
  const problems = outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.message);
  const evicted = problems.filter((problem) => String(problem).includes("evicted from iq tracking cache"));
  assert.ok(evicted.length >= 1, String([...new Set(problems)]));
  assert.equal(
    evicted.length + problems.filter((problem) => String(problem).includes("in time")).length,
    257,
  );
});

test("a late answer comes through the callback and is the answer", { skip }, async () => {
  held.splice(0);
  let over = false;
  const xmpp: Pick<XmppClient, "ask"> = {
    ask: (iq, timeoutSeconds) =>
      client()
        .ask(iq, timeoutSeconds)
        .finally(() => {
          over = true;
        }),
  };
  const requests = createIqRequests({ xmpp, component, newId: randomUUID });
  const payload = xml("query", { xmlns: silence });
  const answer = requests.request({ from: juliet, to: romeo.jid as Jid, payload, timeoutSeconds: 1 });
  const asked = await romeo.waitFor(({ attrs }) => attrs.from === juliet && /^[0-9a-f-]{36}$/.test(attrs.id));
  await waitFor(() => over, "the HTTP call to end");
  for (const release of held) release();
  requests.settle(await callbacks.waitFor(({ attrs }) => attrs.id === asked.attrs.id));
  const result = await answer;
  assert.deepEqual([result.attrs.type, result.attrs.from], ["result", romeo.jid]);
});

test("a page of an archive comes as its messages and the result", { skip }, async () => {
  const room = `garden@${prosody.mucDomain}` as Jid;
  const muc = "http://jabber.org/protocol/muc";
  const join = xml("presence", { from: `${juliet}/matrix`, to: `${room}/Juliet` }, xml("x", { xmlns: muc }));
  await client().send(join);
  const owner = xml("query", { xmlns: `${muc}#owner` }, xml("x", { xmlns: "jabber:x:data", type: "submit" }));
  const requests = createIqRequests({ xmpp: client(), component, newId: randomUUID });
  const from = `${juliet}/matrix` as Jid;
  await requests.request({ from, to: room, type: "set", payload: owner });
  const bodies = ["one", "two", "three"];
  for (const body of bodies) {
    await client().send(
      xml("message", { type: "groupchat", from, to: room, id: body }, xml("body", {}, body)),
    );
    await callbacks.waitFor((stanza) => stanza.getChildText("body") === body);
  }
  const query = (...rest: Element[]) =>
    xml("query", { xmlns: "urn:xmpp:mam:2", queryid: randomUUID() }, ...rest);
  const page = xml("set", { xmlns: "http://jabber.org/protocol/rsm" }, xml("max", {}, "2"));
  const archived = (messages: Element[]) =>
    messages.map((stanza) =>
      stanza.getChild("result")?.getChild("forwarded")?.getChild("message")?.getChildText("body"),
    );
  const whole = await requests.requestAll({ from, to: room, type: "set", payload: query() });
  assert.deepEqual(
    archived(whole.messages).filter((body) => body !== undefined),
    bodies,
  );
  assert.equal(whole.result.getChild("fin")?.attrs.complete, "true");
  const first = await requests.requestAll({ from, to: room, type: "set", payload: query(page) });
  assert.equal(first.messages.length, 2);
  assert.ok(first.result.getChild("fin")?.getChild("set")?.getChildText("last"));
});

test("IQs that are outstanding when Prosody dies fail at once", { skip }, async () => {
  const startedAt = Date.now();
  const outstanding = ask("killed", 60);
  outstanding.catch(() => undefined);
  await romeo.waitFor((stanza) => stanza.attrs.id === "killed");
  await prosody.kill();
  await assert.rejects(outstanding, { name: "NoAnswerError" });
  assert.ok(Date.now() - startedAt < 10_000);
});
