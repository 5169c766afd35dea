import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, numbered, setScene } from "./scene.ts";

type Scene = Awaited<ReturnType<typeof setScene>>;

/** Juliet and Romeo write on until told to stop; each message that the bridge took is remembered. */
function talk({ juliet, romeo }: Scene, roomId: string) {
  let going = true;
  const said = { juliet: [] as string[], romeo: [] as string[] };
  const both = Promise.all([
    (async () => {
      while (going) {
        const body = `juliet ${said.juliet.length}`;
        juliet.sendText(roomId, body);
        said.juliet.push(body);
        await delay(4);
        // What piles up while no bridge runs has to be delivered before the test can end.
        const isHeard = (): boolean => !going || said.juliet.length < romeo.bodies().length + 200;
        await waitFor(isHeard, "Romeo to hear", 60_000);
      }
    })(),
    (async () => {
      for (let count = 0; going; count++) {
        const before = romeo.errors().length;
        await romeo.sendText(julietJid, `romeo ${count}`);
        // Prosody told him at once where the bridge was down; only the rest counts as accepted.
        if (romeo.errors().length === before) said.romeo.push(`romeo ${count}`);
        await delay(4);
      }
    })(),
  ]);
  return {
    said,
    async stop() {
      going = false;
      await both;
      return said;
    },
  };
}

async function begin(scene: Scene): Promise<string> {
  const roomId = await scene.openChat();
  await scene.romeo.sendText(julietJid, "first");
  await scene.julietHas(roomId, 1);
  return roomId;
}

test("SIGTERM in the midst of messages ends the bridge well within ten seconds, and nothing is lost", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.startProcess();
  const roomId = await begin(scene);
  const talking = talk(scene, roomId);
  await waitFor(() => talking.said.romeo.length > 50 && talking.said.juliet.length > 50, "a conversation");
  const askedAt = Date.now();
  assert.equal(await bridge.terminate(), 0, bridge.output());
  assert.ok(Date.now() - askedAt < 10_000);
  const said = await talking.stop();
  await scene.startProcess();
  assert.deepEqual((await scene.julietHas(roomId, said.romeo.length + 1)).slice(1), said.romeo);
  assert.deepEqual(await scene.romeoHas(said.juliet.length), said.juliet);
});

test("a bridge that has to wait for a server stops in time too, and delivers after its return", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.startProcess();
  const roomId = await begin(scene);
  scene.homeserver.respond(({ path }) => (path.includes("/send/") ? { status: 503 } : undefined));
  scene.prosody.respond(({ body }) => (body.includes("<body>") ? { delayMs: 60_000 } : undefined));
  for (const body of numbered("romeo", 3)) await scene.romeo.sendText(julietJid, body);
  for (const body of numbered("juliet", 3)) scene.juliet.sendText(roomId, body);
  await waitFor(() => scene.romeo.bodies().length > 0, "the stanza that gets no answer");
  assert.equal(await bridge.terminate(), 0, bridge.output());
  scene.homeserver.respond(() => undefined);
  scene.prosody.respond(() => undefined);
  await scene.startProcess();
  assert.deepEqual((await scene.julietHas(roomId, 4)).slice(1), numbered("romeo", 3));
  await waitFor(() => scene.romeo.bodies().includes("juliet 2"), "the last message");
  assert.deepEqual([...new Set(scene.romeo.bodies())], numbered("juliet", 3));
});

test("ten deaths at any moment lose nothing, keep the order and show nothing twice on Matrix", async (t) => {
  const scene = await setScene(t);
  const { homeserver, juliet, romeo, startProcess } = scene;
  let bridge = await startProcess();
  const roomId = await begin(scene);
  const talking = talk(scene, roomId);
  const kills = 10;
  for (let round = 0; round < kills; round++) {
    const before = talking.said.romeo.length;
    await waitFor(() => talking.said.romeo.length > before + 10, "messages to flow");
    // The moment is to differ from round to round, so this is no wait for anything.
    await delay(Math.random() * 60);
    await bridge.kill();
    homeserver.forgetTransactions();
    bridge = await startProcess();
  }
  const said = await talking.stop();
  const [hers = "", his = ""] = [said.juliet.at(-1), said.romeo.at(-1)];
  await waitFor(() => juliet.received(roomId).includes(his), "Romeo's last message", 60_000);
  await waitFor(() => romeo.bodies().includes(hers), "Juliet's last message", 60_000);
  assert.equal(await bridge.terminate(), 0);

  const received = juliet.received(roomId).slice(1);
  const accepted = new Set(said.romeo);
  assert.equal(new Set(received).size, received.length, "nothing twice on Matrix");
  // A callback cut off in its answer may be stored and yet be reported to Romeo, so there may be a few more.
  assert.deepEqual(
    received.filter((body) => accepted.has(body)),
    said.romeo,
  );
  assert.ok(received.length <= said.romeo.length + kills);

  const ids = romeo.messages().map(({ attrs }) => String(attrs.id));
  const bodies = romeo.bodies();
  const isRepeat = (_: string, index: number): boolean => index > 0 && ids[index] === ids[index - 1];
  assert.deepEqual(
    bodies.filter((body, index) => !isRepeat(body, index)),
    said.juliet,
  );
  assert.ok(bodies.filter(isRepeat).length <= kills, "only what was in flight came twice");
});
