import assert from "node:assert/strict";
import { test } from "node:test";
import { errorReply, readError, xml } from "../../src/xmpp/stanza.ts";
import { sample } from "../config/sample.ts";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, ghostOf, isSend, julietJid, romeoGhost, setScene } from "./scene.ts";

type Scene = Awaited<ReturnType<typeof setScene>>;

/** The notices in the room, each with the event that it answers. */
const noticesIn = ({ juliet }: Scene, roomId: string): unknown[] =>
  juliet
    .timeline(roomId)
    .filter(({ content }) => content.msgtype === "m.notice")
    .map(({ content, sender }) => ({ sender, body: content.body, about: content["m.relates_to"] }));

const oneNotice = (scene: Scene, roomId: string): Promise<unknown[]> =>
  waitFor(() => noticesIn(scene, roomId).length > 0 && noticesIn(scene, roomId), "a notice");

const replyTo = (event_id: string) => ({ "m.in_reply_to": { event_id } });

const oneError = async ({ romeo }: Scene) => {
  const [stanza] = await waitFor(() => romeo.errors().length > 0 && romeo.errors(), "an error");
  const error = stanza?.getChild("error");
  const [condition, text] = error?.getChildElements() ?? [];
  return {
    id: stanza?.attrs.id,
    from: stanza?.attrs.from,
    type: error?.attrs.type,
    condition: condition?.name,
    text: text?.getText(),
  };
};

test("a message to an XMPP user that does not exist is answered with a notice that names it", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const ghost = ghostOf("tybalt");
  const roomId = await scene.openChat(ghost);
  const eventId = scene.juliet.sendText(roomId, "Cousin?");
  assert.deepEqual(await oneNotice(scene, roomId), [
    {
      sender: ghost,
      body: "Your message was not delivered to tybalt@xmpp.test. The recipient cannot be reached.",
      about: replyTo(eventId),
    },
  ]);
});

test("a message to a Matrix user that does not exist comes back to Romeo as item-not-found", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const to = "rosaline%hs.test@bridge.xmpp.test";
  await scene.romeo.sendText(to, "Fair Rosaline", "m1");
  assert.deepEqual(await oneError(scene), {
    id: "m1",
    from: to,
    type: "cancel",
    condition: "item-not-found",
    text: "There is no Matrix user @rosaline:hs.test.",
  });
  assert.deepEqual(scene.homeserver.rooms.all(), []);
});

test("an address that cannot be a Matrix user's comes back as item-not-found", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  await scene.romeo.sendText("#cafe%hs.test@bridge.xmpp.test", "Anybody?", "m1");
  const { id, type, condition } = await oneError(scene);
  assert.deepEqual({ id, type, condition }, { id: "m1", type: "cancel", condition: "item-not-found" });
});

test("encrypted messages are answered with one notice, and the next plain one goes through", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await scene.openChat();
  const encrypted = () =>
    scene.juliet.send(roomId, "m.room.encrypted", { algorithm: "m.megolm.v1.aes-sha2" });
  const eventId = encrypted();
  const notices = await oneNotice(scene, roomId);
  scene.homeserver.forgetTransactions();
  encrypted();
  scene.juliet.sendText(roomId, "In plain words");
  assert.deepEqual(await scene.romeoHas(1), ["In plain words"]);
  assert.deepEqual(notices, [
    {
      sender: romeoGhost,
      body: "Your message was not delivered to romeo@xmpp.test. The bridge cannot read encrypted messages; use a room without encryption.",
      about: replyTo(eventId),
    },
  ]);
  const isSeen = (line: string): boolean => line.includes("found that an earlier attempt had arrived");
  await waitFor(() => bridge.log.some(isSeen), "the second notice to be left out");
  assert.equal(noticesIn(scene, roomId).length, 1);
});

test("who turns on encryption is told at once that nobody reads along any more", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  scene.juliet.send(roomId, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, "");
  assert.deepEqual(await scene.julietHas(roomId, 1), [
    "This room is encrypted from now on, and the bridge cannot read encrypted messages. To write to romeo@xmpp.test, use a room without encryption.",
  ]);
});

test("who begins to share a live location is told that it stays here, and no step of it crosses", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  const [info, step] = ["org.matrix.msc3672.beacon_info", "org.matrix.msc3672.beacon"];
  scene.juliet.send(roomId, info, { live: true, timeout: 900_000 }, "@juliet:hs.test");
  for (const uri of ["geo:45.44,10.99", "geo:45.44,10.98"]) {
    scene.juliet.send(roomId, step, { "org.matrix.msc3488.location": { uri } });
  }
  scene.juliet.send(roomId, info, { live: false, timeout: 900_000 }, "@juliet:hs.test");
  scene.juliet.sendText(roomId, "Follow me");
  assert.deepEqual(await scene.romeoHas(1), ["Follow me"]);
  assert.deepEqual(await scene.julietHas(roomId, 1), [
    "Live locations cannot cross the bridge. Send where you are now, and romeo@xmpp.test will see that.",
  ]);
});

test("events of a type that nobody knows are told about once, and not as a line of their own", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await scene.openChat();
  const eventId = scene.juliet.send(roomId, "org.example.thing", { x: 1 });
  const notices = await oneNotice(scene, roomId);
  scene.homeserver.forgetTransactions();
  scene.juliet.send(roomId, "org.example.thing", { x: 2 });
  scene.juliet.sendText(roomId, "In plain words");
  assert.deepEqual(await scene.romeoHas(1), ["In plain words"]);
  const body =
    "Your message was not delivered to romeo@xmpp.test. There are no words in it that could be shown (it is of the type org.example.thing).";
  assert.deepEqual(notices, [{ sender: romeoGhost, body, about: replyTo(eventId) }]);
  const isSeen = (line: string): boolean => line.includes("found that an earlier attempt had arrived");
  await waitFor(() => bridge.log.some(isSeen), "the second notice to be left out");
  assert.equal(noticesIn(scene, roomId).length, 1);
});

const omemo = (id: string) =>
  xml(
    "message",
    { type: "chat", to: julietJid, id },
    xml("encrypted", { xmlns: "eu.siacs.conversations.axolotl" }, xml("payload", {}, "aGk=")),
    xml("body", {}, "I sent you an OMEMO encrypted message but your client doesn’t seem to support that."),
  );

test("what Romeo has encrypted comes back to him, and Juliet is told once", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.acceptChat();
  await scene.romeo.send(omemo("e1"));
  await scene.romeo.send(omemo("e2"));
  await waitFor(() => scene.romeo.errors().length === 2, "both to come back");
  assert.deepEqual(
    scene.romeo.errors().map((stanza) => [stanza.attrs.id, readError(stanza)]),
    ["e1", "e2"].map((id) => [
      id,
      {
        type: "modify",
        condition: "not-acceptable",
        text: "The bridge cannot read encrypted messages; turn encryption off for this conversation.",
      },
    ]),
  );
  await scene.romeo.sendText(julietJid, "In plain words");
  assert.deepEqual((await scene.julietHas(roomId, 3)).slice(1), [
    "romeo@xmpp.test wrote an encrypted message, which the bridge cannot read; they have been told.",
    "In plain words",
  ]);
});

test("a call of Romeo's comes back to him, and Juliet is told of each", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.acceptChat();
  const propose = xml("propose", { xmlns: "urn:xmpp:jingle-message:0", id: "ca3cf894" });
  await scene.romeo.send(xml("message", { type: "chat", to: julietJid, id: "jm-propose-1" }, propose));
  await waitFor(() => scene.romeo.errors().length === 1, "the call to come back");
  const [error] = scene.romeo.errors();
  assert.deepEqual(error && [error.attrs.id, readError(error)], [
    "jm-propose-1",
    { type: "cancel", condition: "feature-not-implemented", text: "Calls cannot cross the bridge." },
  ]);
  assert.deepEqual((await scene.julietHas(roomId, 2)).slice(1), [
    "romeo@xmpp.test tried to call you; calls cannot cross the bridge.",
  ]);
});

test("who is blocked on Matrix can open no chat", async (t) => {
  const scene = await setScene(t);
  await scene.start({ config: { permissions: { "*": "user", "@juliet:hs.test": "block" } } });
  const roomId = scene.juliet.createRoom({ invite: [romeoGhost], is_direct: true });
  await waitFor(() => scene.memberships(roomId).get(romeoGhost) === "leave", "the ghost to decline");
  const left = scene.juliet.timeline(roomId).at(-1)?.content;
  assert.deepEqual(left, { membership: "leave", reason: "You may not use this bridge." });
});

test("who is blocked on Matrix later is told so in the room", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await scene.openChat();
  await bridge.settled(roomId);
  await bridge.stop();
  await scene.start({ config: { permissions: { "*": "user", "@juliet:hs.test": "block" } } });
  const eventId = scene.juliet.sendText(roomId, "Romeo!");
  assert.deepEqual(await oneNotice(scene, roomId), [
    {
      sender: romeoGhost,
      body: "Your message was not delivered to romeo@xmpp.test. You may not use this bridge.",
      about: replyTo(eventId),
    },
  ]);
  assert.deepEqual(scene.romeo.bodies(), []);
});

test("who is blocked on XMPP is told so by an error, and makes no room", async (t) => {
  const scene = await setScene(t);
  await scene.start({ config: { permissions: { "*": "user", "xmpp.test": "block" } } });
  await scene.romeo.sendText(julietJid, "She speaks", "m1");
  assert.deepEqual(await oneError(scene), {
    id: "m1",
    from: julietJid,
    type: "auth",
    condition: "forbidden",
    text: "You may not use this bridge.",
  });
  assert.deepEqual(scene.homeserver.rooms.all(), []);
});

test("a third person in a direct room is told that only the two are heard", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await scene.openChat();
  await bridge.settled(roomId);
  const mercutio = scene.homeserver.user("mercutio");
  scene.juliet.invite(roomId, mercutio.userId);
  mercutio.join(roomId);
  const eventId = mercutio.sendText(roomId, "A plague on both your houses");
  scene.juliet.sendText(roomId, "Heed him not");
  assert.deepEqual(await scene.romeoHas(1), ["Heed him not"]);
  assert.deepEqual(await oneNotice(scene, roomId), [
    {
      sender: romeoGhost,
      body: "Your message was not delivered to romeo@xmpp.test. This is the conversation of @juliet:hs.test with romeo@xmpp.test; only their messages cross.",
      about: replyTo(eventId),
    },
  ]);
});

test("an error that comes later for a message becomes a notice about that message", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  const eventId = scene.juliet.sendText(roomId, "Romeo!");
  const [message] = await waitFor(() => scene.romeo.messages().length > 0 && scene.romeo.messages(), "it");
  if (!message) throw new Error("no message");
  const refusal = { type: "wait", condition: "resource-constraint", text: "Your contact’s queue is full" };
  await scene.romeo.send(errorReply(message, refusal));
  const notices = (await oneNotice(scene, roomId)) as { body: string; about: unknown }[];
  assert.equal(notices.length, 1);
  assert.deepEqual(notices[0]?.about, replyTo(eventId));
  assert.match(
    notices[0]?.body ?? "",
    /^Your message was not delivered to romeo@xmpp\.test\. .*queue is full/,
  );
});

test("a message too large for XMPP comes back, one too large for Matrix comes in parts, and the next one goes through", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.acceptChat();
  const eventId = scene.juliet.sendText(roomId, "x".repeat(200 * 1024));
  scene.juliet.sendText(roomId, "Shorter");
  assert.deepEqual(await scene.romeoHas(1), ["Shorter"]);
  const [notice] = (await oneNotice(scene, roomId)) as { body: string; about: unknown }[];
  assert.deepEqual(notice?.about, replyTo(eventId));
  assert.match(notice?.body ?? "", /too large for the other side/);

  scene.homeserver.respond((request) =>
    isSend(request) && request.body.length > 65_536
      ? { status: 413, body: '{"errcode":"M_TOO_LARGE","error":"event too large"}' }
      : undefined,
  );
  await scene.romeo.sendText(julietJid, "x".repeat(70_000), "m1");
  await scene.romeo.sendText(julietJid, "Shorter");
  await waitFor(() => scene.juliet.received(roomId).includes("Shorter"), "the next message");
  const parts = scene.juliet.received(roomId).filter((text) => text.startsWith("x"));
  assert.equal(parts.length, 5);
  assert.equal(parts.join(""), "x".repeat(70_000));
});

test("what could not be delivered within the configured time is given up, told, and holds up nothing more", async (t) => {
  const scene = await setScene(t);
  const delivery = { giveUpAfterHours: 1 / 3600 };
  await scene.start({ config: { delivery } });
  const roomId = await scene.acceptChat();
  scene.homeserver.respond((request) =>
    isSend(request) && request.body.includes("stuck") ? { status: 500, body: "{}" } : undefined,
  );
  scene.prosody.respond(({ body }) =>
    body.includes("stuck") && !body.includes("<error") ? { status: 500 } : undefined,
  );
  const eventId = scene.juliet.sendText(roomId, "stuck");
  scene.juliet.sendText(roomId, "free");
  await scene.romeo.sendText(julietJid, "stuck", "m1");
  await scene.romeo.sendText(julietJid, "free");
  assert.deepEqual(await scene.romeoHas(1), ["free"]);
  await waitFor(() => scene.juliet.received(roomId).includes("free"), "the next message");
  assert.equal((await oneError(scene)).id, "m1");
  const [notice] = (await oneNotice(scene, roomId)) as { about: unknown }[];
  assert.deepEqual(notice?.about, replyTo(eventId));
});

test("what is said in a room without the bridge's doing is left alone", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = scene.juliet.createRoom();
  await scene.homeserver.pushTransaction("1", [eventIn(roomId, "To myself")]);
  await waitFor(() => bridge.log.some((line) => line.includes("not bridged")), "the event to be handled");
  assert.deepEqual([scene.juliet.received(roomId), scene.romeo.inbox], [[], []]);
  assert.equal(bridge.log.join("\n").includes(sample.appservice.asToken), false);
});
