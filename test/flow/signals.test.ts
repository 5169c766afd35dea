import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilities } from "../../src/xmpp/discovery.ts";
import { type Element, serialize, xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, julietJid, romeoGhost, setScene } from "./scene.ts";

const juliet = "@juliet:hs.test";
const states = "http://jabber.org/protocol/chatstates";
const markers = "urn:xmpp:chat-markers:0";
const receipts = "urn:xmpp:receipts";

async function setSignalScene(t: Parameters<typeof setScene>[0], config: Record<string, unknown> = {}) {
  const scene = await setScene(t);
  const { homeserver, romeo } = scene;
  const bridge = await scene.start({ config: config as never });
  let number = 0;
  const chat = (children: Element[], more: Record<string, string> = {}) =>
    romeo.send(xml("message", { type: "chat", to: julietJid, ...more }, ...children));
  return {
    ...scene,
    bridge,
    chat,
    state: (name: string) => chat([xml(name, { xmlns: states })]),
    word: (xmlns: string, name: string, id: string) => chat([xml(name, { xmlns, id })]),
    push: async (...ephemeral: object[]): Promise<void> => {
      const path = `/_matrix/app/v1/transactions/signals${++number}`;
      assert.equal((await homeserver.call("PUT", path, { events: [], ephemeral })).status, 200);
    },
    /** What Romeo has received that is no message with a body, without what surrounds it. */
    shown: (): string[] =>
      romeo.inbox
        .filter((stanza) => !stanza.getChild("body"))
        .map((stanza) => stanza.getChildElements().map(serialize).join("")),
    /** A transaction with an event that is so old. */
    pushKept: async (roomId: string, ageMs: number, ...ephemeral: object[]): Promise<void> => {
      const event = { ...eventIn(roomId, `kept${++number}`), origin_server_ts: Date.now() - ageMs };
      const path = `/_matrix/app/v1/transactions/signals${number}`;
      assert.equal((await homeserver.call("PUT", path, { events: [event], ephemeral })).status, 200);
    },
    eventOf: (roomId: string, body: string): string =>
      homeserver.rooms
        .all()
        .flatMap(({ id, events }) =>
          id === roomId ? events.filter(({ content }) => content.body === body) : [],
        )[0]?.event_id ?? "",
  };
}

const readBy = (room_id: string, event: string, kind = "m.read", reader = juliet) => ({
  type: "m.receipt",
  room_id,
  content: { [event]: { [kind]: { [reader]: { ts: 1, thread_id: "main" } } } },
});

test("an XMPP user who types shows as typing until they pause or write, and nowhere else", async (t) => {
  const { homeserver, state, romeo, acceptChat, julietHas, prosody } = await setSignalScene(t);
  const { typing } = homeserver.signals;
  await state("composing");
  const roomId = await acceptChat();
  await state("composing");
  await waitFor(() => typing.length === 1, "typing");
  await state("composing");
  await state("paused");
  await waitFor(() => typing.length === 2, "no more typing");
  await state("inactive");
  await state("composing");
  await waitFor(() => typing.length === 3, "typing again");
  await romeo.sendText(julietJid, "Wilt thou leave me?");
  await julietHas(roomId, 2);
  await waitFor(() => typing.length === 4, "no more typing");
  const mercutio = prosody.user("mercutio");
  await mercutio.send(xml("message", { type: "chat", to: julietJid }, xml("composing", { xmlns: states })));
  assert.deepEqual(typing, [
    [romeoGhost, roomId, { typing: true, timeout: 30_000 }],
    [romeoGhost, roomId, { typing: false }],
    [romeoGhost, roomId, { typing: true, timeout: 30_000 }],
    [romeoGhost, roomId, { typing: false }],
  ]);
});

test("what a Matrix user has read is shown for the newest message up to there, forward only", async (t) => {
  const {
    homeserver,
    juliet: user,
    romeo,
    push,
    shown,
    eventOf,
    acceptChat,
    julietHas,
    start,
    bridge,
  } = await setSignalScene(t);
  const roomId = await acceptChat();
  for (const id of ["r1", "r2", "r3"]) await romeo.sendText(julietJid, id, id);
  await julietHas(roomId, 4);
  user.sendText(roomId, "I hear some noise within");
  await waitFor(() => romeo.bodies().length === 1, "the answer");
  const displayed = (id: string): string =>
    `<displayed xmlns="${markers}" id="${id}"/><store xmlns="urn:xmpp:hints"/>`;
  const has = (...ids: string[]) =>
    waitFor(() => shown().length >= ids.length, `${ids.length} markers`).then(() =>
      assert.deepEqual(shown(), ids.map(displayed)),
    );
  await push(readBy(roomId, eventOf(roomId, "r2"), "m.read.private"));
  await push(readBy(roomId, eventOf(roomId, "r1")));
  await has("r1");
  // Back, again, unknown, somebody else, elsewhere.
  await push(
    readBy(roomId, eventOf(roomId, "r1")),
    readBy(roomId, "$unknown"),
    readBy(roomId, eventOf(roomId, "r2"), "m.read", "@nurse:hs.test"),
    readBy("!elsewhere:hs.test", eventOf(roomId, "r2")),
  );
  await bridge.stop();
  await start();
  await push(readBy(roomId, eventOf(roomId, "r1")));
  await push(readBy(roomId, eventOf(roomId, "I hear some noise within")));
  await has("r1", "r3");
  await push(readBy(roomId, eventOf(roomId, "r2")), readBy(roomId, eventOf(roomId, "r3")));
  assert.equal(homeserver.signals.receipts.length, 0);
  await has("r1", "r3");
});

test("who typed and who was there yesterday is not shown after a day without the bridge, and what was read is", async (t) => {
  const { romeo, push, pushKept, eventOf, acceptChat, julietHas, romeoHas } = await setSignalScene(t);
  const day = 24 * 60 * 60 * 1000;
  const typing = (...user_ids: string[]) => ({ type: "m.typing", room_id: roomId, content: { user_ids } });
  const seen = (presence: string) => ({ type: "m.presence", sender: juliet, content: { presence } });
  const roomId = await acceptChat();
  await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
  await romeo.sendText(julietJid, "r1", "r1");
  await julietHas(roomId, 2);
  const count = (word: string): number =>
    romeo.inbox.filter((stanza) => String(stanza).includes(word)).length;
  const signals = (): number[] => ["<displayed ", "<composing ", "<show>away<"].map(count);
  await waitFor(() => count('type="subscribe"') === 1, "to be in the roster");
  await pushKept(roomId, day, typing(juliet), seen("unavailable"), readBy(roomId, eventOf(roomId, "r1")));
  // What was kept between two events.
  await push(typing(juliet), seen("unavailable"));
  await romeoHas(1);
  await waitFor(() => count("<displayed ") === 1, "what was read");
  assert.deepEqual(signals(), [1, 0, 0]);
  await pushKept(roomId, 0, typing(juliet), seen("unavailable"));
  await waitFor(() => count("<composing ") + count("<show>") === 2, "what is now");
  assert.deepEqual(signals(), [1, 1, 1]);
});

test("a first message counts as read although its sender's new name came after it", async (t) => {
  const { homeserver, push, shown, acceptChat, julietHas, romeo } = await setSignalScene(t);
  const roomId = await acceptChat();
  await romeo.sendText(julietJid, "r1", "r1");
  await julietHas(roomId, 2);
  const member = { membership: "join", displayname: "Romeo" };
  const renamed = homeserver.rooms.send(romeoGhost, roomId, "m.room.member", member, romeoGhost);
  await push(readBy(roomId, renamed));
  await waitFor(() => shown().length === 1, "a marker");
  assert.deepEqual(shown(), [`<displayed xmlns="${markers}" id="r1"/><store xmlns="urn:xmpp:hints"/>`]);
});

test("who is blocked is let into no roster, and is shown nothing that they were shown before", async (t) => {
  const { romeo, bridge, start, push } = await setSignalScene(t);
  const tell = (presence: string) => push({ type: "m.presence", sender: juliet, content: { presence } });
  await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
  await waitFor(() => romeo.inbox.length === 3, "to be in the roster");
  await bridge.stop();
  const again = await start({ config: { permissions: { "*": "user", "romeo@xmpp.test": "block" } } });
  await waitFor(() => again.log.some((line) => line.includes("told subscribers again")), "the return");
  await tell("unavailable");
  await romeo.send(xml("presence", { type: "probe", to: julietJid }));
  await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
  await waitFor(() => romeo.inbox.length >= 5, "two refusals");
  assert.deepEqual(
    romeo.inbox.map(({ attrs }) => attrs.type ?? ""),
    ["subscribed", "", "subscribe", "unsubscribed", "unsubscribed"],
  );
});

test("what an XMPP user has read is a receipt of their ghost, forward only, and unknown messages are none", async (t) => {
  const { homeserver, juliet: user, romeoHas, word, openChat, prosody, chat } = await setSignalScene(t);
  const roomId = await openChat();
  const [first = "", second = ""] = ["one", "two"].map((body) => user.sendText(roomId, body));
  await romeoHas(2);
  await word(markers, "displayed", "$unknown");
  const mercutio = prosody.user("mercutio");
  const marker = xml("displayed", { xmlns: markers, id: first });
  await mercutio.send(xml("message", { type: "chat", to: julietJid }, marker));
  await word(receipts, "received", second);
  await chat([xml("displayed", { xmlns: markers, id: second })], { type: "error" });
  await word(markers, "displayed", first);
  await word(markers, "displayed", second);
  await word(markers, "displayed", first);
  await waitFor(() => homeserver.signals.receipts.length >= 2, "two receipts");
  assert.deepEqual(homeserver.signals.receipts, [
    [romeoGhost, first],
    [romeoGhost, second],
  ]);
  assert.equal(user.timeline(roomId).filter(({ type }) => type.includes("status")).length, 0);
});

test("messages to XMPP ask for both receipts, and delivery shows as one event where that is switched on", async (t) => {
  const config = { delivery: { statusEvents: true } };
  const { juliet: user, romeo, romeoHas, word, openChat } = await setSignalScene(t, config);
  const roomId = await openChat();
  const sent = user.sendText(roomId, "one");
  await romeoHas(1);
  const asked = romeo.messages()[0]?.getChildElements().map(serialize).join("") ?? "";
  assert.match(asked, /<request xmlns="urn:xmpp:receipts"\/><markable xmlns="urn:xmpp:chat-markers:0"\/>/);
  await word(receipts, "received", sent);
  await word(receipts, "received", sent);
  await word(receipts, "received", "$forged");
  const statuses = () =>
    user.timeline(roomId).filter(({ type }) => type === "com.beeper.message_send_status");
  await waitFor(() => statuses().length > 0, "a status");
  await word(markers, "displayed", sent);
  assert.equal(statuses().length, 1);
  const [status] = statuses();
  const { status: outcome, delivered_to_users: to, "m.relates_to": relation } = status?.content ?? {};
  assert.deepEqual(
    [status?.sender, outcome, to, relation],
    [romeoGhost, "SUCCESS", [romeoGhost], { rel_type: "m.reference", event_id: sent }],
  );
});

test("a message that asks for it is answered once the homeserver has it, and not before", async (t) => {
  const { homeserver, juliet: user, romeo, chat, shown } = await setSignalScene(t);
  homeserver.respond(({ path }) => (path.endsWith("/createRoom") ? { status: 503 } : undefined));
  const request = xml("request", { xmlns: receipts });
  await chat([xml("body", {}, "Art thou there?"), request], { id: "a&1" });
  await waitFor(() => homeserver.requests.some(({ path }) => path.endsWith("/createRoom")), "an attempt");
  assert.deepEqual(shown(), []);
  homeserver.respond(() => undefined);
  await waitFor(() => shown().length === 1, "a receipt");
  assert.equal(user.invites().length, 1);
  assert.equal(
    serialize(romeo.inbox[0] as Element),
    `<message type="chat" from="${julietJid}" to="${romeo.fullJid}">` +
      `<received xmlns="${receipts}" id="a&amp;1"/><store xmlns="urn:xmpp:hints"/></message>`,
  );
});

test("with everything switched off nothing of it crosses", async (t) => {
  const privacy = { typing: false, receipts: false, presence: false };
  const {
    homeserver,
    juliet: user,
    romeo,
    romeoHas,
    chat,
    state,
    push,
    word,
    eventOf,
    acceptChat,
    bridge,
  } = await setSignalScene(t, { privacy });
  const roomId = await acceptChat();
  const sent = user.sendText(roomId, "one");
  await romeoHas(1);
  await state("composing");
  await word(markers, "displayed", sent);
  await romeo.send(xml("presence", { to: julietJid }));
  await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
  await push(
    { type: "m.typing", room_id: roomId, content: { user_ids: [juliet] } },
    readBy(roomId, eventOf(roomId, "O, speak again")),
    { type: "m.presence", sender: juliet, content: { presence: "unavailable" } },
  );
  await chat([xml("body", {}, "two"), xml("request", { xmlns: receipts })], { id: "x" });
  await waitFor(() => user.received(roomId).length === 2, "the second message");
  await bridge.settled(roomId);
  const { typing, presence, receipts: read } = homeserver.signals;
  assert.deepEqual([typing, presence, read], [[], [], []]);
  const seen = romeo.inbox.map(({ name, attrs }) => `${name} ${attrs.type ?? ""}`);
  assert.deepEqual(seen, ["message chat", "presence subscribed", "presence "]);
  assert.ok(!serialize(romeo.inbox[0] as Element).includes("markable"));
});

test("a Matrix user's presence reaches those who have them in the roster, each change once", async (t) => {
  const { romeo, push, homeserver, start, bridge, prosody } = await setSignalScene(t);
  homeserver.user("juliet").setProfile("Juliet Capulet");
  const tell = (content: object) => push({ type: "m.presence", sender: juliet, content });
  const tail = `${serialize(capabilities())}<nick xmlns="http://jabber.org/protocol/nick">Juliet Capulet</nick><x xmlns="vcard-temp:x:update"><photo/></x>`;
  const seen = (): string[] =>
    romeo.inbox
      .filter(({ name, attrs }) => name === "presence" && (!attrs.type || attrs.type === "unavailable"))
      .map((stanza) => `${stanza.attrs.type ?? ""}${stanza.getChildElements().map(serialize).join("")}`);
  const has = async (count: number): Promise<string> => {
    await waitFor(() => seen().length >= count, `${count} presences`);
    assert.equal(seen().length, count);
    return seen().at(-1) ?? "";
  };
  await tell({ presence: "offline" });
  await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
  assert.equal(await has(1), "unavailable");
  await tell({ presence: "online", status_msg: "in the <orchard>" });
  assert.equal(await has(2), `<status>in the &lt;orchard&gt;</status>${tail}`);
  await tell({ presence: "online", status_msg: "in the <orchard>", last_active_ago: 5 });
  await tell({ presence: "unavailable", last_active_ago: 60_000 });
  assert.match(await has(3), /^<show>away<\/show><idle xmlns="urn:xmpp:idle:1" since="20[^"]+Z"\/><c /);
  await tell({ presence: "offline" });
  assert.equal(await has(4), "unavailable");
  await romeo.send(xml("presence", { type: "probe", to: julietJid }));
  assert.equal(await has(5), "unavailable");
  await bridge.stop();
  await start();
  assert.equal(await has(6), "unavailable");
  const mercutio = prosody.user("mercutio");
  assert.deepEqual(mercutio.inbox, []);
});

test("an XMPP user's presence is their ghost's, as the one of the most present resource", async (t) => {
  const { romeo, homeserver, acceptChat, prosody } = await setSignalScene(t);
  const { presence } = homeserver.signals;
  const show = (resource: string, type?: string, ...children: Element[]) =>
    romeo.send(
      xml(
        "presence",
        { from: `${romeo.jid}/${resource}`, to: julietJid, ...(type && { type }) },
        ...children,
      ),
    );
  const has = async (...expected: object[]) => {
    await waitFor(() => presence.length >= expected.length, `${expected.length} presences`);
    assert.deepEqual(
      presence,
      expected.map((content) => [romeoGhost, content]),
    );
  };
  // Nobody on Matrix knows him yet.
  await show("balcony");
  assert.deepEqual(presence, []);
  await acceptChat();
  const away = xml("show", {}, "xa");
  await show("phone", undefined, away, xml("status", {}, "in Mantua"));
  await has({ presence: "online" });
  await show("balcony", "unavailable");
  await has({ presence: "online" }, { presence: "unavailable", status_msg: "in Mantua" });
  await show("phone", "error");
  await show("phone", "unavailable");
  await has(
    { presence: "online" },
    { presence: "unavailable", status_msg: "in Mantua" },
    { presence: "offline" },
  );
  const mercutio = prosody.user("mercutio");
  await mercutio.send(xml("presence", { to: julietJid }));
  assert.equal(presence.length, 3);
});

test("presence is not shown further where the homeserver takes it and keeps none", async (t) => {
  const { romeo, homeserver, bridge, acceptChat } = await setSignalScene(t);
  homeserver.signals.keepsPresence = false;
  await acceptChat();
  await romeo.send(xml("presence", { to: julietJid }));
  await waitFor(() => bridge.log.some((line) => line.includes("keeps no presence")), "presence to be off");
  await romeo.send(xml("presence", { to: julietJid }, xml("show", {}, "away")));
  await romeo.send(xml("presence", { to: julietJid, type: "unavailable" }));
  assert.equal(homeserver.signals.presence.length, 1);
});

test("a contact that grants it is probed after a restart, and no longer once it has taken that back", async (t) => {
  const { romeo, bridge, start } = await setSignalScene(t);
  const types = (): string[] => romeo.inbox.map(({ attrs }) => attrs.type ?? "");
  const reply = (type: string) => romeo.send(xml("presence", { type, to: julietJid }));
  await reply("subscribe");
  await waitFor(() => types().includes("subscribe"), "to be asked");
  await reply("subscribed");
  await waitFor(
    () => bridge.log.filter((line) => line.includes("accepted from XMPP")).length === 2,
    "the answer",
  );
  await bridge.stop();
  const again = await start();
  await waitFor(() => types().includes("probe"), "to be probed");
  await reply("subscribe");
  await reply("unsubscribe");
  await waitFor(() => types().includes("unsubscribe"), "the end of it");
  await again.stop();
  assert.deepEqual(types(), [
    "subscribed",
    "",
    "subscribe",
    "",
    "probe",
    "subscribed",
    "",
    "unavailable",
    "unsubscribed",
    "unsubscribe",
  ]);
});
