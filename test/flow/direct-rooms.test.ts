import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, numbered, romeoGhost, setScene } from "./scene.ts";

test("ten first messages in one instant make one room and stand in it in order", async (t) => {
  const { homeserver, juliet, romeo, start, julietHas } = await setScene(t);
  await start();
  const stanzas = numbered("message", 10).map((body) => romeo.chat(julietJid, body));
  await romeo.sendInDisorder(stanzas, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  const [roomId = ""] = await waitFor(() => juliet.invites().length > 0 && juliet.invites(), "an invitation");
  assert.deepEqual(await julietHas(roomId, 10), numbered("message", 10));
  assert.deepEqual(juliet.invites(), [roomId]);
  assert.equal(homeserver.rooms.all().length, 1);
});

test("where both write first and their invitations cross, one room goes on, Juliet is told which, and what she wrote arrives", async (t) => {
  const { homeserver, juliet, romeo, start, memberships, julietHas, romeoHas } = await setScene(t);
  await start();
  homeserver.pause();
  const hers = juliet.createRoom({ invite: [romeoGhost], is_direct: true });
  juliet.sendText(hers, "Ay me!");
  await romeo.sendText(julietJid, "She speaks");
  const his = await waitFor(() => juliet.invites()[0], "Romeo's invitation");
  homeserver.resume();
  await waitFor(() => memberships(hers).get(romeoGhost) === "leave", "the ghost to leave her room");
  assert.deepEqual(juliet.received(hers), [
    `You already have a conversation with romeo@xmpp.test: https://matrix.to/#/${his}`,
  ]);
  juliet.join(his);
  // Two rooms have no order among them, so what comes from the first is waited for.
  assert.deepEqual(await romeoHas(1), ["Ay me!"]);
  juliet.sendText(his, "Wherefore art thou Romeo?");
  await romeo.sendText(julietJid, "Shall I hear more?");
  assert.deepEqual(await romeoHas(2), ["Ay me!", "Wherefore art thou Romeo?"]);
  assert.deepEqual(await julietHas(his, 2), ["She speaks", "Shall I hear more?"]);
});

test("a room that Juliet opened is the one that Romeo's first message comes to", async (t) => {
  const { homeserver, juliet, romeo, start, openChat, julietHas } = await setScene(t);
  const bridge = await start();
  const roomId = await openChat();
  await bridge.settled(roomId);
  await romeo.sendText(julietJid, "She speaks");
  assert.deepEqual(await julietHas(roomId, 1), ["She speaks"]);
  assert.deepEqual([juliet.invites(), homeserver.rooms.all().length], [[], 1]);
});

test("Juliet, who left the room, is invited back to it by the next message", async (t) => {
  const { homeserver, juliet, romeo, start, acceptChat, julietHas } = await setScene(t);
  const bridge = await start();
  const roomId = await acceptChat();
  juliet.leave(roomId);
  await bridge.settled(roomId);
  await romeo.sendText(julietJid, "Art thou there?");
  assert.deepEqual(await julietHas(roomId, 2), ["O, speak again", "Art thou there?"]);
  assert.deepEqual([juliet.invites(), homeserver.rooms.all().length], [[roomId], 1]);
});

test("a ghost that was kicked makes a new room for the next message", async (t) => {
  const { juliet, romeo, start, acceptChat, julietHas } = await setScene(t);
  const bridge = await start();
  const roomId = await acceptChat();
  juliet.kick(roomId, romeoGhost);
  await bridge.settled(roomId);
  await romeo.sendText(julietJid, "Art thou there?");
  const [next = ""] = await waitFor(() => juliet.invites().length > 0 && juliet.invites(), "an invitation");
  assert.notEqual(next, roomId);
  assert.deepEqual(await julietHas(next, 1), ["Art thou there?"]);
  assert.deepEqual(juliet.received(roomId), ["O, speak again"]);
});

test("a ghost that was kicked while the bridge knew nothing of it makes a new room too", async (t) => {
  const { homeserver, juliet, romeo, start, acceptChat, julietHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  homeserver.pause();
  juliet.kick(roomId, romeoGhost);
  await romeo.sendText(julietJid, "Art thou there?");
  const [next = ""] = await waitFor(() => juliet.invites().length > 0 && juliet.invites(), "an invitation");
  assert.deepEqual(await julietHas(next, 1), ["Art thou there?"]);
  // The old news must not undo the new room.
  homeserver.resume();
  juliet.join(next);
  await homeserver.drained();
  await romeo.sendText(julietJid, "And now?");
  assert.deepEqual(await julietHas(next, 2), ["Art thou there?", "And now?"]);
  assert.deepEqual(juliet.invites(), []);
});

test("after Juliet banned the ghost, Romeo is told that he may not write", async (t) => {
  const { homeserver, juliet, romeo, start, acceptChat } = await setScene(t);
  const bridge = await start();
  const roomId = await acceptChat();
  juliet.ban(roomId, romeoGhost);
  await bridge.settled(roomId);
  await romeo.sendText(julietJid, "Art thou there?", "m2");
  const [error] = await waitFor(() => romeo.errors().length > 0 && romeo.errors(), "an error");
  assert.deepEqual([error?.attrs.id, error?.attrs.from, error?.attrs.to], ["m2", julietJid, romeo.fullJid]);
  assert.equal(error?.getChild("error")?.getChild("forbidden") !== undefined, true);
  assert.equal(
    error?.getChild("error")?.getChildText("text"),
    "@juliet:hs.test does not take messages from you.",
  );
  assert.equal(homeserver.rooms.all().length, 1);
});

test("a room whose making was cut short by the bridge's death is found again, not made twice", async (t) => {
  const { homeserver, juliet, romeo, startProcess, julietHas } = await setScene(t);
  const bridge = await startProcess();
  homeserver.respond(({ path }) => (path.endsWith("/createRoom") ? { delayMs: 60_000 } : undefined));
  await romeo.sendText(julietJid, "She speaks");
  const [roomId = ""] = await waitFor(() => juliet.invites().length > 0 && juliet.invites(), "an invitation");
  await bridge.kill();
  homeserver.respond(() => undefined);
  await startProcess();
  assert.deepEqual(await julietHas(roomId, 1), ["She speaks"]);
  assert.deepEqual([juliet.invites(), homeserver.rooms.all().length], [[roomId], 1]);
});

test("Romeo's message that comes while the ghost enters Juliet's room comes to that room", async (t) => {
  const { homeserver, juliet, romeo, start, julietHas } = await setScene(t);
  await start();
  homeserver.respond(({ method, path }) =>
    method === "GET" && path.endsWith("/members") ? { delayMs: 300 } : undefined,
  );
  const roomId = juliet.createRoom({ invite: [romeoGhost], is_direct: true });
  await waitFor(
    () => homeserver.requests.some(({ path }) => path.endsWith("/members")),
    "the ghost to look round the room",
  );
  await romeo.sendText(julietJid, "But soft!");
  assert.deepEqual(await julietHas(roomId, 1), ["But soft!"]);
  assert.deepEqual([juliet.invites(), homeserver.rooms.all().length], [[], 1]);
});
