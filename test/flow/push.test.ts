import assert from "node:assert/strict";
import { test } from "node:test";
import { serialize, xml } from "../../src/xmpp/stanza.ts";
import type { SeenRequest } from "../support/fake-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { begin, bridgeJid, device, heard, keyFor, notify, post, say } from "./push-scene.ts";

const day = 24 * 60 * 60 * 1000;

test("a notification arrives as one message of the bridge, and a repeat of it does not", async (t) => {
  const { url, key, romeo, start, bridge } = await begin(t);
  assert.match(key, /^[\w-]{43}$/);
  assert.deepEqual(await notify(url, [key]), [200, { rejected: [] }]);
  const [stanza] = romeo.messages().slice(-1);
  const { id } = stanza?.attrs ?? {};
  assert.equal(
    stanza && serialize(stanza),
    `<message type="chat" from="${bridgeJid}" to="romeo@xmpp.test" id="${id}">` +
      `<body>Juliet in Garden: Art thou there?</body><origin-id xmlns="urn:xmpp:sid:0" id="${id}"/>` +
      '<store xmlns="urn:xmpp:hints"/></message>',
  );
  assert.deepEqual(await notify(url, [key, key]), [200, { rejected: [] }]);
  const other = { event_id: "$another", content: { msgtype: "m.text", body: "Say, art thou?" } };
  const twice = await Promise.all([notify(url, [key], other), notify(url, [key], other)]);
  assert.deepEqual(
    twice.map(([status]) => status),
    [200, 200],
  );
  await bridge.stop();
  const again = await start();
  assert.deepEqual(await notify(again.url, [key]), [200, { rejected: [] }]);
  assert.deepEqual(heard(romeo), ["Juliet in Garden: Art thou there?", "Juliet in Garden: Say, art thou?"]);
});

test("a highlight, a mere ID and several devices are each shown as what they are", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  const mercutio = prosody.user("mercutio");
  const keyOfMercutio = await keyFor(mercutio);
  const devices = [device(key, { tweaks: { highlight: true } }), device(keyOfMercutio, { tweaks: null })];
  assert.deepEqual(await notify(url, [], { devices }), [200, { rejected: [] }]);
  const onlyId = { event_id: "$2", room_id: "!r:hs.test", prio: "high", counts: { unread: 3 }, devices };
  assert.deepEqual(await post(url, { notification: onlyId }), [200, { rejected: [] }]);
  assert.deepEqual(heard(romeo), [
    "Juliet mentioned you in Garden: Art thou there?",
    "New message (3 unread)",
  ]);
  assert.deepEqual(heard(mercutio), ["Juliet in Garden: Art thou there?", "New message (3 unread)"]);
});

test("counts show as the bridge's status to those who have it in their roster, on change only", async (t) => {
  const { url, key, romeo, bridge, start } = await begin(t);
  const badge = (unread: number, to = url) =>
    post(to, {
      notification: {
        id: "",
        type: null,
        sender: "",
        counts: { unread },
        devices: [device(key, { data: null })],
      },
    });
  const shown = () =>
    romeo.inbox
      .filter((stanza) => stanza.name === "presence" && stanza.attrs.type === undefined)
      .map((stanza) => [stanza.attrs.from, stanza.getChildText("status")]);
  const from = `${bridgeJid}/matrix`;
  assert.deepEqual(await badge(2), [200, { rejected: [] }]);
  await romeo.send(xml("presence", { type: "subscribe", to: bridgeJid }));
  await waitFor(() => shown().length === 1, "the first presence");
  assert.deepEqual(await badge(2), [200, { rejected: [] }]);
  assert.deepEqual(await badge(3), [200, { rejected: [] }]);
  await waitFor(() => shown().length === 2, "the change");
  await badge(0);
  await waitFor(() => shown().length === 3, "the end of it");
  await badge(1);
  await waitFor(() => shown().length === 4, "another");
  await bridge.stop();
  const again = await start();
  await badge(1, again.url);
  await romeo.send(xml("presence", { type: "probe", to: bridgeJid }));
  await waitFor(() => shown().length >= 5, "the answer to a probe");
  const status = (unread: number) => `${unread} unread message${unread === 1 ? "" : "s"} on Matrix`;
  assert.deepEqual(shown().slice(0, 4), [
    [from, status(2)],
    [from, status(3)],
    [from, null],
    [from, status(1)],
  ]);
  assert.deepEqual(
    shown()
      .slice(4)
      .map(([, text]) => text)[0],
    status(1),
  );
  assert.deepEqual(heard(romeo), []);
});

test("exactly the push keys that are unknown, malformed or turned off are rejected", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  const mercutio = prosody.user("mercutio");
  const off = await keyFor(mercutio);
  assert.equal(
    await say(mercutio, "notify off"),
    "Notifications to mercutio@xmpp.test are off. Your homeserver learns of it when it next has something to send.",
  );
  const wrong = [off, "romeo@xmpp.test", "", "x".repeat(2000), key.toUpperCase()];
  assert.deepEqual(await notify(url, [...wrong, key]), [200, { rejected: wrong }]);
  assert.deepEqual(await notify(url, wrong), [200, { rejected: wrong }]);
  assert.deepEqual(await notify(url, [off], { event_id: null }), [200, { rejected: [off] }]);
  assert.deepEqual(heard(romeo), ["Juliet in Garden: Art thou there?"]);
  assert.equal(await say(mercutio, "notify list"), "No notifications are set up.");
});

test("while Prosody is down the homeserver is told to repeat, and the repeat serves who was not", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  const mercutio = prosody.user("mercutio");
  const keyOfMercutio = await keyFor(mercutio);
  const toMercutio = ({ body }: SeenRequest) => body.includes('to="mercutio');
  prosody.respond((request) => (toMercutio(request) ? { status: 500, body: "" } : undefined));
  const both = [key, keyOfMercutio];
  assert.deepEqual(await notify(url, both), [
    502,
    { errcode: "M_UNKNOWN", error: "The XMPP side cannot be reached now." },
  ]);
  await prosody.stop();
  assert.equal((await notify(url, both))[0], 502);
  prosody.respond(() => undefined);
  await prosody.start();
  assert.deepEqual(await notify(url, both), [200, { rejected: [] }]);
  assert.deepEqual([heard(romeo).length, heard(mercutio).length], [1, 1]);
});

const refusing =
  (condition: string, type = "cancel") =>
  ({ body }: SeenRequest) =>
    body.includes("<body>Juliet")
      ? {
          status: 200,
          headers: { "content-type": "application/xmpp+xml" },
          body:
            `<message type="error" from="romeo@xmpp.test" to="${bridgeJid}"><error type="${type}">` +
            `<${condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></message>`,
        }
      : undefined;

test("an address that is gone is rejected at once and from then on", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  prosody.respond(refusing("item-not-found"));
  assert.deepEqual(await notify(url, [key]), [200, { rejected: [key] }]);
  prosody.respond(() => undefined);
  assert.deepEqual(await notify(url, [key], { event_id: "$2" }), [200, { rejected: [key] }]);
  assert.deepEqual(heard(romeo), []);
  assert.match(await say(romeo, "notify list"), /romeo@xmpp\.test \(ended: There is no such user/);
  // Whoever sets it up again gets another key.
  assert.notEqual(await keyFor(romeo), key);
});

test("an error that comes later ends the key, if it comes from the address itself", async (t) => {
  const { url, key, romeo, prosody } = await begin(t);
  assert.deepEqual(await notify(url, [key]), [200, { rejected: [] }]);
  const id = romeo.messages().at(-1)?.attrs.id;
  const error = (from: string) =>
    prosody.deliver(
      xml(
        "message",
        { type: "error", from, to: bridgeJid, id },
        xml("error", { type: "cancel" }, xml("gone", { xmlns: "urn:ietf:params:xml:ns:xmpp-stanzas" })),
      ),
    );
  const next = (event_id: string) => notify(url, [key], { event_id });
  await error("mercutio@xmpp.test");
  await say(romeo, "notify list");
  assert.deepEqual(await next("$2"), [200, { rejected: [] }]);
  await error("romeo@xmpp.test");
  await waitFor(async () => ((await next("$3"))[1].rejected as string[]).length === 1, "the key to end");
  assert.deepEqual(await next("$4"), [200, { rejected: [key] }]);
});

test("a server that cannot reach the account is given a week before the key is rejected", async (t) => {
  let now = Date.now();
  const { url, key, romeo, prosody } = await begin(t, { clock: () => now });
  const next = async (event_id: string) => {
    const [status, { rejected }] = await notify(url, [key], { event_id });
    return rejected ?? status;
  };
  prosody.respond(refusing("service-unavailable"));
  assert.equal(await next("$1"), 502);
  now += 6 * day;
  assert.equal(await next("$2"), 502);
  prosody.respond(() => undefined);
  assert.deepEqual(await next("$2"), []);
  prosody.respond(refusing("service-unavailable"));
  now += 2 * day;
  assert.equal(await next("$3"), 502);
  now += 6 * day;
  assert.equal(await next("$3"), 502);
  now += 2 * day;
  assert.deepEqual(await next("$4"), [key]);
  assert.equal(heard(romeo).length, 1);
  prosody.respond(refusing("resource-constraint", "wait"));
  const another = await keyFor(romeo);
  assert.equal((await notify(url, [another]))[0], 502);
});
