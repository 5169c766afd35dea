import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, romeoGhost, setScene } from "./scene.ts";

type Scene = Awaited<ReturnType<typeof setScene>>;

const bot = "@_xmpp_bot:hs.test";

/** Starts the bridge and waits for its one line about what it has compared. @returns what the line counts. */
async function startAndCompare(scene: Scene) {
  const bridge = await scene.start();
  const summary = (line: string): boolean => line.includes("compared the rooms that are remembered");
  await waitFor(() => bridge.log.some(summary), "the rooms to be compared");
  const [line = "", ...more] = bridge.log.filter(summary);
  assert.deepEqual(more, []);
  const counts = [...line.matchAll(/(\w+)=(\d+)/g)].flatMap(([, name = "", count]) =>
    Number(count) > 0 ? [[name, Number(count)]] : [],
  );
  return { bridge, counts: Object.fromEntries(counts) as Record<string, number> };
}

/** What happens meanwhile is never told to the bridge. */
async function unseen({ homeserver }: Scene, happens: () => void): Promise<void> {
  homeserver.pause();
  happens();
  homeserver.loseQueue();
  homeserver.resume();
}

test("where nothing has changed nothing is done, and one line says so", async (t) => {
  const scene = await setScene(t);
  assert.deepEqual((await startAndCompare(scene)).counts, {});
});

test("a chat with the bot that the bridge has forgotten goes on", async (t) => {
  const scene = await setScene(t);
  const { juliet, homeserver } = scene;
  const roomId = juliet.createRoom({ invite: [bot], is_direct: true });
  homeserver.rooms.join(bot, roomId);
  homeserver.loseQueue();
  assert.deepEqual((await startAndCompare(scene)).counts, { botRoomsFound: 1 });
  juliet.sendText(roomId, "what light");
  await waitFor(() => juliet.received(roomId).length === 1, "the answer");
});

test("a room where the bot was left alone, and one that it is no longer in, are given up", async (t) => {
  const scene = await setScene(t);
  const { juliet } = scene;
  const nurse = scene.homeserver.user("nurse");
  const first = await startAndCompare(scene);
  const rooms = [juliet, nurse].map((person) => person.createRoom({ invite: [bot], is_direct: true }));
  const [hers = "", nurses = ""] = rooms;
  await waitFor(() => juliet.received(hers).length === 1 && nurse.received(nurses).length === 1, "greetings");
  await first.bridge.stop();
  await unseen(scene, () => {
    juliet.kick(hers, bot);
    nurse.leave(nurses);
  });
  await startAndCompare(scene);
  // The bridge catches up on both rooms meanwhile, and whichever comes first has the same effect.
  await waitFor(() => scene.memberships(nurses).get(bot) === "leave", "the bot to leave");
  juliet.invite(hers, bot);
  await waitFor(() => juliet.received(hers).length === 2, "another greeting");
});

test("a conversation whose room the ghost has lost meanwhile gets a new one", async (t) => {
  const scene = await setScene(t);
  const { juliet, romeo } = scene;
  const first = await startAndCompare(scene);
  const roomId = await scene.acceptChat();
  await first.bridge.settled(roomId);
  await first.bridge.stop();
  await unseen(scene, () => juliet.kick(roomId, romeoGhost));
  assert.deepEqual((await startAndCompare(scene)).counts, { roomsForgotten: 1 });
  await romeo.sendText(julietJid, "Art thou there?");
  const [next = ""] = await waitFor(() => juliet.invites().length > 0 && juliet.invites(), "an invitation");
  assert.deepEqual(await scene.julietHas(next, 1), ["Art thou there?"]);
});

test("a conversation that the bridge has forgotten goes on in the room that was made for it", async (t) => {
  const scene = await setScene(t);
  const { juliet, romeo, homeserver } = scene;
  const nurse = homeserver.user("nurse");
  const first = await startAndCompare(scene);
  const hers = nurse.createRoom({ invite: [romeoGhost], is_direct: true });
  await waitFor(
    () => first.bridge.log.some((line) => line.includes("conversation begins")),
    "a conversation",
  );
  await first.bridge.stop();
  const make = (user_id: string, jid: string): string =>
    homeserver.rooms.create(romeoGhost, {
      invite: [juliet.userId],
      initial_state: [{ type: "causeway.direct", content: { user_id, jid } }],
    });
  let roomId = "";
  await unseen(scene, () => {
    roomId = make(juliet.userId, romeo.jid);
    // Not theirs: of another pair, of one that has a room, and of nobody.
    make(juliet.userId, "mercutio@xmpp.test");
    make(nurse.userId, romeo.jid);
    make("nobody", romeo.jid);
  });
  assert.deepEqual((await startAndCompare(scene)).counts, { roomsTakenBack: 1 });
  await romeo.sendText(julietJid, "Art thou there?");
  assert.deepEqual(await scene.julietHas(roomId, 1), ["Art thou there?"]);
  nurse.sendText(hers, "Anon!");
  assert.deepEqual(await scene.romeoHas(1), ["Anon!"]);
});

test("rooms that stand in the bridge's part of the room directory are taken off, others stay", async (t) => {
  const scene = await setScene(t);
  const { directory } = scene.homeserver;
  directory.set("!left:hs.test", "xmpp");
  directory.set("!over:hs.test", "xmpp");
  directory.set("!other:hs.test", "irc");
  assert.deepEqual((await startAndCompare(scene)).counts, { unpublished: 2 });
  assert.deepEqual([...directory], [["!other:hs.test", "irc"]]);
});

test("a homeserver without such a directory is left alone", async (t) => {
  const scene = await setScene(t);
  scene.homeserver.respond(({ path }) =>
    path.endsWith("/publicRooms") ? { status: 404, body: '{"errcode":"M_UNRECOGNIZED"}' } : undefined,
  );
  assert.deepEqual((await startAndCompare(scene)).counts, {});
});

test("a bridge that is stopped while it compares ends in peace", async (t) => {
  const scene = await setScene(t);
  scene.homeserver.respond(({ path }) => (path.endsWith("/joined_rooms") ? { delayMs: 300 } : undefined));
  const bridge = await scene.startProcess();
  const asks = () => scene.homeserver.requests.some(({ path }) => path.endsWith("/joined_rooms"));
  await waitFor(asks, "the comparison to begin");
  assert.equal(await bridge.terminate(), 0);
  assert.equal(bridge.output().includes("could not be compared"), false);
});
