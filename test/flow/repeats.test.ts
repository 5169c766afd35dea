import assert from "node:assert/strict";
import { test } from "node:test";
import { eventIn, setScene } from "./scene.ts";

const taken = { status: 200, body: "{}" };

test("a transaction that the homeserver repeats is delivered once, also after the bridge was restarted", async (t) => {
  const { homeserver, romeo, start, openChat, romeoHas } = await setScene(t);
  const bridge = await start();
  const roomId = await openChat();
  const transaction = [eventIn(roomId, "one"), eventIn(roomId, "two")];
  assert.deepEqual(await homeserver.pushTransaction("again", transaction), taken);
  assert.deepEqual(await homeserver.pushTransaction("again", transaction), taken);
  await romeoHas(2);
  await bridge.stop();
  await start();
  assert.deepEqual(await homeserver.pushTransaction("again", transaction), taken);
  // What comes later shows that nothing is still on its way.
  await homeserver.pushTransaction("later", [eventIn(roomId, "three")]);
  assert.deepEqual(await romeoHas(3), ["one", "two", "three"]);
  assert.deepEqual(
    romeo.messages().map(({ attrs }) => attrs.id),
    [...transaction.map(({ event_id }) => event_id), romeo.messages()[2]?.attrs.id],
  );
});

test("twins of one transaction at the same instant are both taken and delivered once", async (t) => {
  const { homeserver, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  const transaction = [eventIn(roomId, "one"), eventIn(roomId, "two")];
  const twins = Array.from({ length: 8 }, () => homeserver.pushTransaction("twin", transaction));
  assert.deepEqual(await Promise.all(twins), Array(8).fill(taken));
  await homeserver.pushTransaction("later", [eventIn(roomId, "three")]);
  assert.deepEqual(await romeoHas(3), ["one", "two", "three"]);
});

test("an event that comes again under another transaction ID is delivered once", async (t) => {
  const { homeserver, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  const [first, second] = [eventIn(roomId, "one"), eventIn(roomId, "two")];
  await homeserver.pushTransaction("a", [first]);
  assert.deepEqual(await homeserver.pushTransaction("b", [first, second, second]), taken);
  await homeserver.pushTransaction("c", [eventIn(roomId, "three")]);
  assert.deepEqual(await romeoHas(3), ["one", "two", "three"]);
});

test("new events under an old transaction ID are delivered", async (t) => {
  const { homeserver, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  const first = eventIn(roomId, "one");
  await homeserver.pushTransaction("1", [first]);
  // A homeserver whose database was reset counts from the start again; another one repeats with more in it.
  assert.deepEqual(await homeserver.pushTransaction("1", [eventIn(roomId, "two")]), taken);
  assert.deepEqual(await homeserver.pushTransaction("1", [first, eventIn(roomId, "three")]), taken);
  assert.deepEqual(await romeoHas(3), ["one", "two", "three"]);
});
