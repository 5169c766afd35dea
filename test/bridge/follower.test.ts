import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { createFollower } from "../../src/bridge/follower.ts";
import { createPlainlyDirect } from "../../src/bridge/plainly-direct.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import type { MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Job } from "../../src/store/store.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { type Element, serialize, xml } from "../../src/xmpp/stanza.ts";
import { createLogLines } from "../support/log-lines.ts";
import { waitFor } from "../support/wait-for.ts";

const [juliet, ghost] = ["@juliet:hs.test", "@_xmpp_romeo=40xmpp.test:hs.test"] as UserId[] as [
  UserId,
  UserId,
];
const [direct, garden, hall, den] = [
  "!direct:hs.test",
  "!garden:hs.test",
  "!hall:hs.test",
  "!den:hs.test",
].map((id) => id as RoomId) as [RoomId, RoomId, RoomId, RoomId];
const romeo = "romeo@xmpp.test" as BareJid;
const muc = "garden@rooms.test" as BareJid;
const julietJid = "juliet%hs.test@bridge.xmpp.test";
const addresses = createAddresses({
  homeserverDomain: "hs.test",
  component: "bridge.xmpp.test" as BareJid,
  userPrefix: "_xmpp_",
  digest: (text) => text,
});

/** A direct conversation, a linked room, one that guests are in and one of the bot's. */
async function setFollower(t: TestContext) {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  t.after(() => store.close());
  for (const roomId of [direct, hall])
    await store.directRooms.save({
      userId: juliet,
      jid: roomId === direct ? romeo : ("paris@xmpp.test" as BareJid),
      roomId,
      membership: "join",
    });
  await store.links.save({
    ...{ roomId: garden, muc, kind: "portal", mode: "puppets", isAnonymous: false },
    ...{ password: undefined, linkedBy: undefined, archiveId: undefined },
  });
  const guest = { address: "!hall%hs.test@bridge.xmpp.test" as BareJid, jid: `${romeo}/balcony` as FullJid };
  await store.guests.save({ ...guest, roomId: hall, nick: "Romeo", ghost });
  await store.botRooms.save({ roomId: den, userId: juliet });
  const plain = createPlainlyDirect({
    addresses,
    homeserverDomain: "hs.test",
    store,
    isForRoom: ({ attrs }) => addresses.roomOfJid(attrs.to) !== undefined,
  });
  const stored: string[] = [];
  const passedOn: [kind: string, payload: unknown][] = [];
  const follower = createFollower({
    cluster: {
      async tell(_to, kind, payload) {
        passedOn.push([kind, payload]);
      },
      async ask(kind, payload) {
        passedOn.push([kind, payload]);
        return [{ refusal: "<message type='error'/>" }];
      },
    },
    store,
    isOurs: addresses.isGhost,
    inbox: {
      async storeTransaction({ events }) {
        stored.push(...events.map(({ event_id }) => event_id));
      },
      async receiveStanza(stanza) {
        stored.push(stanza.attrs.id);
        return undefined;
      },
    },
    plain,
    newId: () => "cause",
    log: createLogLines().log,
  });
  return { store, plain, follower, stored, passedOn };
}

const event = (
  id: string,
  room_id: RoomId,
  sender = juliet,
  more: Partial<MatrixEvent> = {},
): MatrixEvent => ({
  event_id: id as EventId,
  type: "m.room.message",
  room_id,
  sender,
  origin_server_ts: 0,
  content: { msgtype: "m.text", body: "Good night" },
  ...more,
});
const message = (attrs: Record<string, string>, ...children: Element[]): Element =>
  xml(
    "message",
    { from: `${romeo}/orchard`, to: julietJid, type: "chat", id: "1", ...attrs },
    ...(children.length > 0 ? children : [xml("body", {}, "Good night")]),
  );
const jobOf = (work: Job["work"]): Job => ({
  id: 1,
  lane: "a",
  cause: "1",
  work,
  acceptedAt: 0,
  attempts: 0,
});

test("only what one person says to another one is taken without asking", async (t) => {
  const { follower, stored, passedOn } = await setFollower(t);
  const plain = [message({ id: "plain" }), message({ id: "to a client", to: `${julietJid}/phone` })];
  const others = [
    message({ type: "groupchat", from: `${muc}/Romeo`, to: `${julietJid}/matrix` }),
    message({ type: "error" }),
    message({}, xml("x", { xmlns: NS.mucUser })),
    message({ from: `${muc}/Romeo` }),
    message({ to: "bridge.xmpp.test" }),
    message({ to: "!hall%hs.test@bridge.xmpp.test" }),
    xml("presence", { from: romeo, to: julietJid, type: "subscribe" }),
  ];
  for (const stanza of plain) assert.equal(await follower.receiveStanza(stanza), undefined);
  for (const stanza of others) {
    const refusal = await follower.receiveStanza(stanza);
    assert.equal(refusal?.attrs.type, "error");
  }
  assert.deepEqual(stored, ["plain", "to a client"]);
  assert.deepEqual(
    passedOn,
    others.map((stanza) => ["stanzas", [{ xml: serialize(stanza), cause: "cause" }]]),
  );
});

test("what a message says besides its words is passed on without them", async (t) => {
  const { follower, passedOn } = await setFollower(t);
  const [body, active] = [xml("body", {}, "a secret"), xml("active", { xmlns: NS.chatStates })];
  follower.hear(message({}, body, active, xml("request", { xmlns: NS.receipts })));
  follower.hear(message({}, xml("subject", {}, "nothing")));
  const [kind, text] = passedOn[0] ?? [];
  assert.equal(passedOn.length, 1);
  assert.equal(kind, "hear");
  assert.ok(String(text).includes("active") && String(text).includes("request"));
  assert.ok(!String(text).includes("secret"));
});

test("what ghosts have said comes back unheard, but for where guests look on; state is told before anything is stored", async (t) => {
  const { follower, stored, passedOn } = await setFollower(t);
  const topic = event("$topic", garden, juliet, { type: "m.room.topic", state_key: "", content: {} });
  const events = [
    event("$1", direct),
    event("$ghost in direct", direct, ghost),
    event("$2", garden),
    event("$ghost in garden", garden, ghost),
    event("$ghost in hall", hall, ghost),
    event("$ghost elsewhere", den, ghost),
    topic,
  ];
  await follower.acceptTransaction({ id: "1", digest: "", events });
  assert.deepEqual(stored, ["$1", "$2", "$ghost in hall", "$ghost elsewhere", "$topic"]);
  assert.deepEqual(passedOn, [["events", [topic]]]);
});

test("a job is plainly direct in a conversation that is there and nothing else", async (t) => {
  const { plain, store } = await setFollower(t);
  const isEvent = (one: MatrixEvent) => plain.isJob(jobOf({ kind: "event", event: one }));
  const isStanza = (one: Element) => plain.isJob(jobOf({ kind: "stanza", xml: serialize(one) }));
  assert.equal(await isEvent(event("$1", direct)), true);
  assert.equal(await isStanza(message({})), true);
  assert.equal(await plain.isJob(jobOf({ kind: "bounce", xml: "<message/>" })), true);
  assert.equal(await isEvent(event("$1", direct, "@paris:hs.test" as UserId)), false);
  assert.equal(
    await isEvent(event("$1", direct, juliet, { type: "m.room.member", state_key: juliet })),
    false,
  );
  for (const roomId of [garden, hall, den]) assert.equal(await isEvent(event("$1", roomId)), false);
  assert.equal(await isStanza(message({ from: "nurse@xmpp.test/home" })), false);
  // What people of other homeservers are called is known to the process that leads.
  const [away, ofTybalt] = ["!away:hs.test" as RoomId, "@tybalt:other.example" as UserId];
  await store.directRooms.save({ userId: ofTybalt, jid: romeo, roomId: away, membership: "join" });
  assert.equal(await isEvent(event("$1", away, ofTybalt)), false);
  assert.equal(await isStanza(message({ to: "tybalt%other.example@bridge.xmpp.test" })), false);
  assert.equal(await plain.isJob(jobOf({ kind: "catch-up", roomId: direct, after: "$0" as EventId })), false);
  await store.directRooms.save({ userId: juliet, jid: romeo, roomId: direct, membership: "leave" });
  assert.deepEqual([await isEvent(event("$1", direct)), await isStanza(message({}))], [false, false]);
});

test("what a sender says is passed on in order: what comes while the process that leads is silent waits, and goes together", async (t) => {
  const { store, plain } = await setFollower(t);
  const asked: [ids: string[], answer: (taken: object[]) => void][] = [];
  let causes = 0;
  const follower = createFollower({
    cluster: {
      tell: async () => undefined,
      ask: (_kind, payload) =>
        new Promise((resolve) => {
          asked.push([(payload as { cause: string }[]).map(({ cause }) => cause), resolve]);
        }),
    },
    store,
    isOurs: addresses.isGhost,
    inbox: { storeTransaction: async () => undefined, receiveStanza: async () => undefined },
    plain,
    newId: () => String(++causes),
    log: createLogLines().log,
  });
  const say = () => follower.receiveStanza(message({ type: "groupchat", from: `${muc}/Romeo` }));
  const first = say();
  await waitFor(() => asked.length === 1, "the first to be passed on");
  const others = [say(), say(), say()];
  assert.equal(follower.isBehind(message({ from: `${muc}/Juliet` })), true);
  assert.equal(follower.isBehind(message({})), false);
  // Longer than it takes to see what they are.
  for (let turn = 0; turn < 40; turn += 1) await tick();
  assert.equal(asked.length, 1);
  asked[0]?.[1]([{}]);
  assert.equal(await first, undefined);
  await waitFor(() => asked.length === 2, "the others to be passed on");
  asked[1]?.[1]([{ refusal: "<message type='error'/>" }, { error: "the disk is full" }, {}]);
  const [refused, failed, taken] = others;
  assert.equal((await refused)?.attrs.type, "error");
  await assert.rejects(failed as Promise<unknown>, /the disk is full/);
  assert.equal(await taken, undefined);
  assert.deepEqual(
    asked.map(([ids]) => ids),
    [["1"], ["2", "3", "4"]],
  );
  assert.equal(follower.isBehind(message({ from: `${muc}/Juliet` })), false);
});
