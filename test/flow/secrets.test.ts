import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { setScene } from "./scene.ts";

type Scene = Awaited<ReturnType<typeof setScene>>;

const bot = "@_xmpp_bot:hs.test";
const component = "bridge.xmpp.test";
const secret = "syt_anVsaWV0_VeryMuchSecret_0a1b2c";
const noAddress = "There is no confirmed address yet. Begin with: notify ADDRESS";

/** A direct chat with the bot, greeting included. */
async function openBotChat({ juliet }: Scene, others: string[] = []): Promise<string> {
  const roomId = juliet.createRoom({ invite: [bot, ...others], is_direct: true });
  await waitFor(() => juliet.received(roomId).length === 1, "the greeting");
  return roomId;
}

const answers = ({ juliet }: Scene, roomId: string): Promise<string[]> =>
  waitFor(() => juliet.received(roomId).length > 1 && juliet.received(roomId).slice(1), "an answer");

const contentOf = ({ juliet }: Scene, roomId: string, eventId: string) =>
  juliet.timeline(roomId).find(({ event_id }) => event_id === eventId)?.content;

async function assertNowhere({ database }: Scene, log: readonly string[]): Promise<void> {
  const contents = await database.contents();
  assert.ok(contents.length > 0);
  assert.equal(contents.includes(secret), false);
  assert.equal(log.join("\n").includes(secret), false);
}

test("a token sent to the bot is removed from the room, and stands in no file and no line of the log", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  const eventId = scene.juliet.send(roomId, "m.room.message", {
    msgtype: "m.text",
    body: `Notify  token ${secret}`,
    format: "org.matrix.custom.html",
    formatted_body: `Notify token <b>${secret}</b>`,
  });
  assert.deepEqual(await answers(scene, roomId), [noAddress]);
  assert.deepEqual(contentOf(scene, roomId, eventId), {});
  await assertNowhere(scene, bridge.log);
});

test("while a token waits for the homeserver it is in no file; after a restart it is asked for again, and removed", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  scene.homeserver.respond(({ path }) =>
    path.includes("/redact/") ? { status: 500, body: "{}" } : undefined,
  );
  const eventId = scene.juliet.sendText(roomId, `notify token ${secret}`);
  await waitFor(() => bridge.log.some((line) => line.includes("will be tried again")), "a failure");
  await assertNowhere(scene, bridge.log);
  await bridge.stop();
  await assertNowhere(scene, bridge.log);
  scene.homeserver.respond(() => undefined);
  const again = await scene.start();
  assert.deepEqual(await answers(scene, roomId), [
    "The bridge was restarted before it got to this, and it keeps no secrets: send it again.",
  ]);
  assert.deepEqual(contentOf(scene, roomId, eventId), {});
  await assertNowhere(scene, again.log);
});

test("where the bot may not remove a token, it asks for that", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await openBotChat(scene);
  scene.homeserver.respond(({ path }) =>
    path.includes("/redact/") ? { status: 403, body: '{"errcode":"M_FORBIDDEN"}' } : undefined,
  );
  scene.juliet.sendText(roomId, `notify token ${secret}`);
  assert.deepEqual(await answers(scene, roomId), [
    `${noAddress}\n\nYour message holds a secret, and I may not remove it here: please delete it.`,
  ]);
});

test("a token in a shared room is removed and not used", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const nurse = scene.homeserver.user("nurse");
  const roomId = await openBotChat(scene, [nurse.userId]);
  const eventId = scene.juliet.sendText(roomId, `!xmpp notify token ${secret}`);
  assert.deepEqual(await answers(scene, roomId), [
    "This holds a secret that others here can read: renew it, and write to me alone.",
  ]);
  assert.deepEqual(contentOf(scene, roomId, eventId), {});
  await assertNowhere(scene, bridge.log);
});

test("a token that comes by an edit gives no command, but is removed", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  const body = `notify token ${secret}`;
  const eventId = scene.juliet.send(roomId, "m.room.message", {
    msgtype: "m.text",
    body: `* ${body}`,
    "m.new_content": { msgtype: "m.text", body },
    "m.relates_to": { rel_type: "m.replace", event_id: "$1" },
  });
  await bridge.settled(roomId);
  assert.deepEqual(contentOf(scene, roomId, eventId), {});
  assert.equal(scene.juliet.received(roomId).length, 1);
  await assertNowhere(scene, bridge.log);
});

test("a token that Romeo sends to the bridge is in no file and no line of the log", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  await scene.romeo.sendText(component, `notify token ${secret}`);
  assert.deepEqual(await scene.romeoHas(1), [noAddress]);
  await assertNowhere(scene, bridge.log);
});

test("what sounds like a command in a conversation with Romeo reaches him as it is", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  scene.juliet.sendText(roomId, "notify token bearers, Romeo");
  assert.deepEqual(await scene.romeoHas(1), ["notify token bearers, Romeo"]);
});

test("a token among too many commands is removed all the same, and the person is told once to wait", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  for (let index = 0; index < 30; index += 1) scene.juliet.sendText(roomId, "what light");
  const eventId = scene.juliet.sendText(roomId, `notify token ${secret}`);
  scene.juliet.sendText(roomId, "help");
  await bridge.settled(roomId);
  assert.deepEqual(contentOf(scene, roomId, eventId), {});
  assert.deepEqual(scene.juliet.received(roomId).slice(31), [
    "These are more commands than I answer in a minute: wait a little, and give this one again.",
  ]);
  await assertNowhere(scene, bridge.log);
});

test("a token of somebody who may not use the bridge is removed too", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  await bridge.stop();
  const again = await scene.start({ config: { permissions: { "*": "block" } } });
  const eventId = scene.juliet.sendText(roomId, `notify token ${secret}`);
  await waitFor(() => scene.juliet.received(roomId)[1], "an answer");
  assert.deepEqual(scene.juliet.received(roomId).slice(1), ["You may not use this bridge."]);
  assert.deepEqual(contentOf(scene, roomId, eventId), {});
  await assertNowhere(scene, again.log);
});
