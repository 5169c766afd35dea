import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { ghostOf, isSend, julietJid, numbered, romeoGhost, setScene } from "./scene.ts";

test("200 callbacks whose requests come out of order are delivered in the order of their connections", async (t) => {
  const { romeo, start, acceptChat, julietHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  const bodies = numbered("message", 200);
  const stanzas = bodies.map((body) => romeo.chat(julietJid, body));
  // Prosody handles what is ready from the last to the first, a dozen or so at a time.
  const batches = Array.from({ length: 20 }, (_, batch) =>
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((n) => batch * 10 + n),
  );
  await romeo.sendInDisorder(stanzas, batches.flat());
  assert.deepEqual((await julietHas(roomId, 201)).slice(1), bodies);
  assert.deepEqual(romeo.errors(), []);
});

test("what Juliet writes while the bridge is down arrives in order once it is up", async (t) => {
  const { homeserver, juliet, romeo, start, openChat, romeoHas } = await setScene(t);
  const bridge = await start();
  const roomId = await openChat();
  await bridge.stop();
  const bodies = numbered("message", 250);
  for (const body of bodies) juliet.sendText(roomId, body);
  await start();
  assert.deepEqual(await romeoHas(250), bodies);
  await homeserver.drained();
  assert.deepEqual(romeo.errors(), []);
});

test("a message that meets 503 holds back its successors, while another conversation goes on", async (t) => {
  const { homeserver, prosody, juliet, romeo, start, acceptChat, julietHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  let down = true;
  homeserver.respond((request) => {
    const isRomeo = request.query.get("user_id") === romeoGhost;
    return down && isSend(request) && isRomeo ? { status: 503, body: "busy" } : undefined;
  });
  for (const body of numbered("romeo", 5)) await romeo.sendText(julietJid, body);
  await waitFor(() => homeserver.requests.some((r) => isSend(r) && r.body.includes("romeo 0")), "a refusal");

  const mercutio = prosody.user("mercutio");
  for (const body of numbered("mercutio", 5)) await mercutio.sendText(julietJid, body);
  const other = await waitFor(
    () => juliet.invites().find((id) => homeserver.rooms.joinedBy(ghostOf("mercutio")).includes(id)),
    "Mercutio's invitation",
  );
  assert.deepEqual(await julietHas(other, 5), numbered("mercutio", 5));
  assert.deepEqual(juliet.received(roomId), ["O, speak again"]);
  down = false;
  assert.deepEqual(await julietHas(roomId, 6), ["O, speak again", ...numbered("romeo", 5)]);
});

test("a stanza that Prosody does not take holds back its successors, and none is left out", async (t) => {
  const { prosody, juliet, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  let refusals = 2;
  prosody.respond(({ body }) =>
    body.includes("message 1<") && refusals-- > 0 ? { status: 502, body: "bad gateway" } : undefined,
  );
  for (const body of numbered("message", 4)) juliet.sendText(roomId, body);
  assert.deepEqual(await romeoHas(4), numbered("message", 4));
});
