import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, setScene } from "./scene.ts";

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

test("events that a homeserver lost are found although what it sends first has come before", async (t) => {
  const { homeserver, juliet, start, openChat, romeoHas } = await setScene(t);
  const { url } = await start();
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const roomId = await openChat();
  juliet.sendText(roomId, "one");
  await romeoHas(1);
  await homeserver.drained();
  const eventOf = (body: string) => juliet.timeline(roomId).find(({ content }) => content.body === body);
  const push = async (by: Agent | false, id: string, ...events: unknown[]): Promise<void> => {
    const asked = request(`${url}/_matrix/app/v1/transactions/${id}`, {
      method: "PUT",
      agent: by,
      headers: { authorization: `Bearer ${homeserver.hsToken}`, "content-type": "application/json" },
    }).end(JSON.stringify({ events }));
    const [answer] = await once(asked, "response");
    assert.equal(answer.statusCode, 200);
    await once(answer.resume(), "end");
  };
  // So many connections that not each of them has all rooms compared.
  for (let n = 0; n < 8; n += 1) await push(false, "again", eventOf("one"));
  homeserver.pause();
  juliet.sendText(roomId, "two");
  juliet.sendText(roomId, "three");
  homeserver.loseQueue();
  // As a homeserver that was restarted.
  await push(agent, "again", eventOf("one"));
  await push(agent, "new", eventOf("one"), eventOf("three"));
  assert.deepEqual(await romeoHas(3), ["one", "two", "three"]);
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

test("events that a homeserver lost of a room that is new are delivered as well", async (t) => {
  const { homeserver, juliet, romeo, start, romeoHas } = await setScene(t);
  const bridge = await start();
  homeserver.pause();
  await romeo.sendText(julietJid, "come");
  const roomId = await waitFor(() => juliet.invites()[0], "an invitation");
  await waitFor(() => juliet.received(roomId).length > 0, "the message");
  juliet.join(roomId);
  juliet.sendText(roomId, "one");
  juliet.sendText(roomId, "two");
  homeserver.loseQueue();
  await bridge.stop();
  juliet.sendText(roomId, "three");
  homeserver.resume();
  await start();
  assert.deepEqual(await romeoHas(3), ["one", "two", "three"]);
});

test("what is written in a new room before the homeserver has told the bridge of it is delivered", async (t) => {
  const { homeserver, juliet, romeo, start, romeoHas } = await setScene(t);
  await start();
  homeserver.respond(({ path }) => (path.endsWith("/createRoom") ? { delayMs: 500 } : undefined));
  await romeo.sendText(julietJid, "come");
  const roomId = await waitFor(() => juliet.invites()[0], "an invitation");
  juliet.join(roomId);
  juliet.sendText(roomId, "one");
  await homeserver.drained();
  assert.deepEqual(await romeoHas(1), ["one"]);
});

test("what was written in a new room after the bridge was killed while it was made is delivered", async (t) => {
  const { homeserver, juliet, romeo, start, romeoHas } = await setScene(t);
  const bridge = await start();
  homeserver.respond(({ path }) => (path.endsWith("/createRoom") ? "process-then-reset" : undefined));
  await romeo.sendText(julietJid, "come");
  const roomId = await waitFor(() => juliet.invites()[0], "an invitation");
  homeserver.pause();
  juliet.join(roomId);
  juliet.sendText(roomId, "one");
  await bridge.stop();
  homeserver.respond(() => undefined);
  homeserver.resume();
  await start();
  assert.deepEqual(await romeoHas(1), ["one"]);
});
