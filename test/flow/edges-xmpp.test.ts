import assert from "node:assert/strict";
import { test } from "node:test";
import { xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, setScene } from "./scene.ts";

const message = (attrs: string, body = "hello") =>
  `<message type="chat" ${attrs}><body>${body}</body></message>`;
const whole = `from="romeo@xmpp.test/balcony" to="${julietJid}"`;

test("a callback that is no stanza of Prosody is refused with an empty body, and nothing comes of it", async (t) => {
  const { homeserver, prosody, start } = await setScene(t);
  await start();
  const post = async (body: string, headers: Record<string, string> = {}, method = "POST") => {
    const answer = await prosody.open().send(body, headers, method);
    assert.equal(answer.body, "");
    return answer.status;
  };
  const basic = (credentials: string) => ({
    authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
  });
  assert.equal(await post(message(whole), basic("prosody:wrong0123456789ab")), 401);
  assert.equal(await post(message(whole), basic("romeo:callback0123456789")), 401);
  assert.equal(await post(message(whole), { authorization: "Bearer callback0123456789" }), 401);
  assert.equal(await post(""), 400);
  assert.equal(await post("<message"), 400);
  assert.equal(await post("<stream/>"), 400);
  assert.equal(await post(`${message(whole)}${message(whole)}`), 400);
  assert.equal(await post(`<!DOCTYPE message [<!ENTITY a "b">]>${message(whole, "&a;")}`), 400);
  assert.equal(await post(`<!-- -->${message(whole)}`), 400);
  assert.equal(await post(message(`to="${julietJid}"`)), 400);
  assert.equal(await post(message(`from="@@@" to="${julietJid}"`)), 400);
  assert.equal(await post(message(`from="romeo@xmpp.test"`)), 400);
  assert.equal(await post(message(whole, "x".repeat(1024 * 1024))), 413);
  assert.equal(await post(message(whole, "<a>".repeat(64) + "</a>".repeat(64))), 400);
  assert.equal(
    await post(message(`${whole} ${Array.from({ length: 65 }, (_, n) => `a${n}=""`).join(" ")}`)),
    400,
  );
  assert.equal(await post(message(whole, "<a/>".repeat(10_000))), 400);
  assert.equal(await post(`${message(whole)}</message>`), 400);
  assert.equal(await post(message(whole, "<p:a/>")), 400);
  assert.equal(await post(message(whole).replace("<message", "<message xmlns='urn:x'")), 400);
  assert.equal(await post(message(whole), { "content-encoding": "gzip" }), 415);
  // A sender may choose it by xml:lang, so it must not get a body either.
  assert.equal(await post(message(whole), { "content-language": "x".repeat(20_000) }), 431);
  assert.equal(await post("", {}, "GET"), 405);
  assert.equal(await post(message(whole), {}, "PUT"), 405);
  assert.deepEqual(homeserver.rooms.all(), []);
  assert.equal(await post(message(whole)), 202);
  await waitFor(() => homeserver.rooms.all().length === 1, "the good one to be delivered");
});

const queries = {
  disco: xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }),
  items: xml("query", { xmlns: "http://jabber.org/protocol/disco#items" }),
  ping: xml("ping", { xmlns: "urn:xmpp:ping" }),
  version: xml("query", { xmlns: "jabber:iq:version" }),
  last: xml("query", { xmlns: "jabber:iq:last" }),
  time: xml("time", { xmlns: "urn:xmpp:time" }),
  vcard: xml("vCard", { xmlns: "vcard-temp" }),
};

test("every question that the bridge knows is answered for itself and for a Matrix user", async (t) => {
  const { romeo, start } = await setScene(t);
  await start();
  for (const to of ["bridge.xmpp.test", julietJid, `${julietJid}/matrix`]) {
    for (const [name, query] of Object.entries(queries)) {
      const reply = await romeo.request(to, query);
      const payload = reply.getChildElements()[0];
      assert.deepEqual(
        [reply.attrs.type, reply.attrs.from, payload?.name, payload?.getNS()],
        ["result", to, query.name, query.attrs.xmlns],
        `${name} to ${to}`,
      );
    }
  }
  const identityOf = async (to: string) =>
    (await romeo.request(to, queries.disco)).getChild("query")?.getChild("identity")?.attrs;
  assert.deepEqual(await identityOf("bridge.xmpp.test"), {
    category: "gateway",
    type: "matrix",
    name: "Causeway",
  });
  assert.deepEqual(await identityOf(julietJid), { category: "account", type: "registered", name: "juliet" });
  assert.deepEqual(await identityOf(`${julietJid}/matrix`), {
    category: "client",
    type: "web",
    name: "Causeway",
  });
  const card = (await romeo.request(julietJid, queries.vcard)).getChild("vCard");
  assert.deepEqual(
    [card?.getChildText("FN"), card?.getChildText("URL")],
    ["juliet", "https://matrix.to/#/@juliet:hs.test"],
  );
});

test("an IQ that the bridge cannot answer gets an error, never an empty result", async (t) => {
  const { romeo, start } = await setScene(t);
  await start();
  const conditionOf = async (...question: Parameters<typeof romeo.request>) => {
    const reply = await romeo.request(...question);
    return [reply.attrs.type, reply.getChild("error")?.getChildElements()[0]?.name];
  };
  const unavailable = ["error", "service-unavailable"];
  assert.deepEqual(await conditionOf(julietJid, xml("query", { xmlns: "jabber:iq:roster" })), unavailable);
  assert.deepEqual(await conditionOf(julietJid, xml("constructor", { xmlns: "x" })), unavailable);
  assert.deepEqual(await conditionOf(julietJid, queries.vcard, "set"), ["error", "not-allowed"]);
  assert.deepEqual(await conditionOf("rosaline%hs.test@bridge.xmpp.test", queries.ping), unavailable);
  const node = xml("query", { xmlns: queries.disco.attrs.xmlns, node: "nowhere" });
  assert.deepEqual(await conditionOf(julietJid, node), ["error", "item-not-found"]);
});

test("a subscription is granted for a Matrix user that exists, remembered, probed and ended", async (t) => {
  const { romeo, start } = await setScene(t);
  const bridge = await start();
  const seen = () => romeo.inbox.map(({ attrs }) => [attrs.type ?? "available", attrs.from, attrs.to]);
  const presence = (type: string, to = julietJid) => romeo.send(xml("presence", { type, to }));
  const next = async (count: number) => {
    await waitFor(() => romeo.inbox.length >= count, `${count} presences`);
    return seen().slice(-2);
  };
  const online = `${julietJid}/matrix`;
  await presence("subscribe");
  await next(3);
  assert.deepEqual(seen(), [
    ["subscribed", julietJid, romeo.jid],
    ["available", online, romeo.jid],
    // Who has somebody in the roster is asked to be had, too.
    ["subscribe", julietJid, romeo.jid],
  ]);
  await bridge.stop();
  await start();
  assert.deepEqual((await next(4))[1], ["available", online, romeo.jid]);
  await presence("probe");
  assert.deepEqual((await next(5))[1], ["available", online, romeo.fullJid]);
  await presence("unsubscribe");
  assert.deepEqual(await next(7), [
    ["unavailable", online, romeo.jid],
    ["unsubscribed", julietJid, romeo.jid],
  ]);
  await presence("probe");
  assert.deepEqual((await next(8))[1], ["unsubscribed", julietJid, romeo.jid]);
  const nobody = "rosaline%hs.test@bridge.xmpp.test";
  await presence("subscribe", nobody);
  assert.deepEqual((await next(9))[1], ["unsubscribed", nobody, romeo.jid]);
  assert.equal(romeo.inbox.length, 9);
});
