import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import type { Conversation } from "../../src/bridge/conversation.ts";
import { createMessageParts } from "../../src/bridge/message-parts.ts";
import { txnId } from "../../src/bridge/txn-id.ts";
import { createHttp } from "../../src/http/client.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import { createMatrixClient } from "../../src/matrix/client.ts";
import { type Content, type MatrixEvent, parseEvent } from "../../src/matrix/event.ts";
import { type EventId, localpartOf, type RoomId, type UserId } from "../../src/matrix/ids.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { type Element, xml } from "../../src/xmpp/stanza.ts";
import { startFakeHomeserver } from "../support/fake-homeserver.ts";
import { createLogLines } from "../support/log-lines.ts";

const cafe = "#cafe%hs.test@bridge.xmpp.test" as BareJid;
const romeo = "romeo@xmpp.test" as BareJid;

/** A Matrix room with Juliet in it and Romeo as a guest from XMPP, of which the bridge remembers nothing yet. */
async function setUp(t: TestContext) {
  const homeserver = await startFakeHomeserver();
  const http = createHttp({ baseUrl: homeserver.url, headers: {}, maxInFlight: 4, timeoutMs: 5000 });
  const store = openSqliteStore({ path: ":memory:", now: Date.now });
  t.after(async () => {
    http.close();
    await Promise.all([homeserver.close(), store.close()]);
  });
  const { asToken, appserviceId } = homeserver;
  const matrix = createMatrixClient({ http, asToken, appserviceId, now: Date.now });
  const addresses = createAddresses({
    homeserverDomain: "hs.test",
    component: "bridge.xmpp.test",
    userPrefix: "_xmpp_",
    digest: (text) => text,
  });
  const juliet = homeserver.user("juliet");
  const roomId = juliet.createRoom() as RoomId;
  const ghost = addresses.ghostOf(romeo);
  await matrix.register(localpartOf(ghost));
  juliet.invite(roomId, ghost);
  await matrix.join(ghost, roomId);
  const nicks = new Map<UserId, string>([
    [juliet.userId as UserId, "Juliet"],
    [ghost, "Romeo"],
  ]);
  const conversation: Conversation = {
    roomId,
    reader: ghost,
    room: {
      jid: cafe,
      isHosted: true,
      nickOf: async (userId) => nicks.get(userId),
      userOfNick: async (nick) => [...nicks].find(([, candidate]) => candidate === nick)?.[0],
    },
  };
  const { toXmpp, toMatrix, changes } = createMessageParts({
    addresses,
    store,
    matrix,
    media: { linkOf: () => "", maxBytes: 1, importFile: async () => ({}) },
    xhtmlIm: false,
    profileOf: matrix.profile,
    txnId,
    now: Date.now,
    log: createLogLines().log,
  });
  const eventOf = (id: string) =>
    parseEvent(juliet.timeline(roomId).find(({ event_id }) => event_id === id)) as MatrixEvent;
  const speaker = { ghost, jid: romeo, nick: "Romeo" };
  return {
    juliet,
    roomId,
    ghost,
    conversation,
    speaker,
    changes,
    newest: () => eventOf(juliet.timeline(roomId).at(-1)?.event_id ?? ""),
    /** Romeo says it. @returns the event, of which nothing is noted yet. */
    async hear(children: Element[], id: string): Promise<MatrixEvent> {
      const message = xml("message", { type: "groupchat", from: `${romeo}/x`, to: cafe, id }, ...children);
      const [part] = (await toMatrix(message, conversation, speaker)).parts;
      const content = typeof part === "function" ? await part() : part;
      return eventOf(await matrix.send(ghost, roomId, "m.room.message", content as Content, `txn ${id}`));
    },
    /** What guests are sent for an event. */
    async shown(id: string, nick: string): Promise<Element[]> {
      const way = { from: `${cafe}/${nick}` as FullJid, to: cafe };
      const crossing = await toXmpp(eventOf(id), conversation, way);
      assert.ok(crossing.kind === "stanzas");
      return crossing.stanzas;
    },
  };
}

const body = (words: string) => xml("body", {}, words);

test("in a hosted room guests refer to events by their IDs, remembered or not", async (t) => {
  const { juliet, roomId, hear } = await setUp(t);
  const hers = juliet.sendText(roomId, "Art thou not Romeo?");
  const answer = await hear([body("Neither"), xml("reply", { xmlns: NS.reply, id: hers })], "r1");
  assert.deepEqual(answer.content["m.relates_to"], { "m.in_reply_to": { event_id: hers } });
  const ofPart = await hear([body("Indeed"), xml("reply", { xmlns: NS.reply, id: `${hers}#1` })], "r2");
  assert.deepEqual(ofPart.content["m.relates_to"], { "m.in_reply_to": { event_id: hers } });
});

test("what a guest has said is shown under the guest's own ID, and answered by the event's", async (t) => {
  const { juliet, roomId, hear, shown } = await setUp(t);
  const his = await hear([body("Neither, fair saint")], "r1");
  const [reflection] = await shown(his.event_id, "Romeo");
  assert.deepEqual(
    [reflection?.attrs.id, reflection?.attrs.type, reflection?.getChild("origin-id")?.attrs.id],
    ["r1", "groupchat", "r1"],
  );
  const reply = juliet.send(roomId, "m.room.message", {
    msgtype: "m.text",
    body: "How camest thou hither?",
    "m.relates_to": { "m.in_reply_to": { event_id: his.event_id } },
  });
  const [stanza] = await shown(reply, "Juliet");
  assert.deepEqual(stanza?.getChild("reply")?.attrs, {
    xmlns: NS.reply,
    to: `${cafe}/Romeo`,
    id: his.event_id,
  });
});

test("a guest takes back what they said, and nothing of anybody else", async (t) => {
  const { juliet, roomId, hear, changes, conversation, speaker, newest, ghost } = await setUp(t);
  const hers = juliet.sendText(roomId, "Good night");
  const his = await hear([body("Good morrow")], "r1");
  assert.equal(await changes.retract(conversation, speaker, hers, "c1"), false);
  assert.equal(await changes.retract(conversation, speaker, his.event_id, "c2"), true);
  assert.deepEqual([newest().sender, newest().content.redacts], [ghost, his.event_id]);
});

test("a moderator's redaction is told by the room itself, and one's own by oneself", async (t) => {
  const { juliet, roomId, hear, shown } = await setUp(t);
  const his = await hear([body("Thou fool")], "r1");
  const [moderated] = await shown(juliet.redact(roomId, his.event_id), "Juliet");
  assert.deepEqual(
    [moderated?.attrs.from, moderated?.getChild("retract")?.attrs.id],
    [cafe, his.event_id as EventId],
  );
  assert.equal(moderated?.getChild("retract")?.getChild("moderated")?.attrs.by, `${cafe}/Juliet`);
  const hers = juliet.sendText(roomId, "Good night");
  const [own] = await shown(juliet.redact(roomId, hers), "Juliet");
  assert.deepEqual([own?.attrs.from, own?.getChild("retract")?.attrs.id], [`${cafe}/Juliet`, hers]);
  assert.equal(own?.getChild("retract")?.getChild("moderated"), undefined);
});
