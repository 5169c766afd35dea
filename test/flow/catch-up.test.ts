import assert from "node:assert/strict";
import { test } from "node:test";
import { setScene } from "./scene.ts";

test("events that a homeserver lost in a restart are delivered ahead of its next event", async (t) => {
  const { homeserver, juliet, start, openChat, romeoHas } = await setScene(t);
  const bridge = await start();
  const roomId = await openChat();
  juliet.sendText(roomId, "one");
  await romeoHas(1);
  homeserver.pause();
  juliet.sendText(roomId, "two");
  juliet.sendText(roomId, "three");
  homeserver.loseQueue();
  await bridge.stop();
  juliet.sendText(roomId, "four");
  homeserver.resume();
  await start();
  assert.deepEqual(await romeoHas(4), ["one", "two", "three", "four"]);
});

test("events that a homeserver lost are delivered although no other event follows", async (t) => {
  const { homeserver, juliet, start, openChat, romeoHas } = await setScene(t);
  const bridge = await start();
  const roomId = await openChat();
  juliet.sendText(roomId, "one");
  await romeoHas(1);
  homeserver.pause();
  juliet.sendText(roomId, "two");
  homeserver.loseQueue();
  await bridge.stop();
  await start();
  assert.deepEqual(await romeoHas(2), ["one", "two"]);
});
