import assert from "node:assert/strict";
import { test } from "node:test";
import { serialize } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, romeoGhost, setScene } from "./scene.ts";

const juliet = "@juliet:hs.test";
const early = "de.sorunome.msc2409.ephemeral";
const typing = (room_id: string, ...user_ids: string[]) => ({
  type: "m.typing",
  room_id,
  content: { user_ids },
});
const chatState = (name: string): string =>
  '<message type="chat" from="juliet%hs.test@bridge.xmpp.test" to="romeo@xmpp.test">' +
  `<${name} xmlns="http://jabber.org/protocol/chatstates"/><no-store xmlns="urn:xmpp:hints"/></message>`;

async function setTypingScene(t: Parameters<typeof setScene>[0]) {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  let number = 0;
  return {
    ...scene,
    roomId,
    push: async (body: object, id = `e${++number}`): Promise<void> => {
      const answer = await scene.homeserver.call("PUT", `/_matrix/app/v1/transactions/${id}`, body);
      assert.deepEqual(answer, { status: 200, body: "{}" });
    },
    /** All that Romeo has received, once it is `count` stanzas or more. */
    received: (count: number): Promise<string[]> =>
      waitFor(
        () => scene.romeo.inbox.length >= count && scene.romeo.inbox.map(serialize),
        `${count} stanzas to Romeo`,
      ),
  };
}

test("typing shows as composing once although it is sent under both names, and as paused when it stops", async (t) => {
  const { roomId, push, received } = await setTypingScene(t);
  const both = (...entries: object[]) => ({ events: [], ephemeral: entries, [early]: entries });
  await push(both(typing(roomId, juliet)));
  await received(1);
  // The ghost's own typing and a new list with the same person change nothing.
  await push(both(typing(roomId, romeoGhost, juliet)));
  await push(both(typing(roomId, romeoGhost)));
  assert.deepEqual(await received(2), [chatState("composing"), chatState("paused")]);
  await push({ events: [], [early]: [typing(roomId, juliet)] });
  assert.deepEqual(await received(3), [chatState("composing"), chatState("paused"), chatState("composing")]);
});

test("a repeated transaction shows typing no second time", async (t) => {
  const { roomId, push, received, romeoHas } = await setTypingScene(t);
  const composing = { events: [], ephemeral: [typing(roomId, juliet)] };
  await push(composing, "1");
  await received(1);
  await push({ events: [], ephemeral: [typing(roomId)] }, "2");
  await received(2);
  await push(composing, "1");
  await push({ events: [eventIn(roomId, "marker")] }, "3");
  assert.deepEqual(await romeoHas(1), ["marker"]);
  // A homeserver that counts from 1 again says something else under the ID.
  await push({ events: [], ephemeral: [typing(roomId, juliet, "@nurse:hs.test")] }, "1");
  const [first, second, third = "", ...rest] = await received(4);
  assert.deepEqual(
    [first, second, ...rest],
    [chatState("composing"), chatState("paused"), chatState("composing")],
  );
  assert.match(third, /marker/);
});

test("receipts, presence, and typing of strangers or elsewhere show nothing", async (t) => {
  const { roomId, push, romeoHas, romeo } = await setTypingScene(t);
  const receipt = (kind: string) => ({
    type: "m.receipt",
    room_id: roomId,
    content: { $1: { [kind]: { [juliet]: {} } } },
  });
  await push({
    events: [],
    ephemeral: [
      receipt("m.read.private"),
      receipt("m.read"),
      { type: "m.presence", sender: juliet, content: { presence: "online" } },
      typing(roomId, "@mercutio:hs.test"),
      typing("!elsewhere:hs.test", juliet),
      typing(roomId, romeoGhost),
      { type: "m.typing", room_id: roomId, content: null },
    ],
  });
  await push({ events: [eventIn(roomId, "marker")] });
  assert.deepEqual(await romeoHas(1), ["marker"]);
  assert.equal(romeo.inbox.length, 1);
});

test("typing that Prosody does not take delays and fails nothing, and is shown at the next change", async (t) => {
  const { roomId, push, prosody, received } = await setTypingScene(t);
  prosody.respond(({ body }) => (body.includes("chatstates") ? { status: 500 } : undefined));
  await push({ events: [eventIn(roomId, "marker")], ephemeral: [typing(roomId, juliet)] });
  assert.match((await received(1))[0] ?? "", /marker/);
  const refused = (): number => prosody.requests.filter(({ body }) => body.includes("chatstates")).length;
  await waitFor(() => refused() === 1, "the chat state to be refused");
  prosody.respond(() => undefined);
  await push({ events: [], ephemeral: [typing(roomId)] });
  await push({ events: [], ephemeral: [typing(roomId, juliet)] });
  assert.equal((await received(2))[1], chatState("composing"));
});

test("while one chat state is under way, what has changed back meanwhile is not sent", async (t) => {
  const { roomId, push, prosody, received } = await setTypingScene(t);
  let held = false;
  prosody.respond(({ body }) => {
    if (held || !body.includes("composing")) return undefined;
    held = true;
    return { delayMs: 1000 };
  });
  await push({ events: [], ephemeral: [typing(roomId, juliet)] });
  for (const typists of [[], [juliet], [], [juliet], []]) {
    await push({ events: [], ephemeral: [typing(roomId, ...typists)] });
  }
  assert.deepEqual(await received(2), [chatState("composing"), chatState("paused")]);
});

test("who is blocked shows no typing", async (t) => {
  const { homeserver, start, juliet: user, romeoHas, romeo, ...scene } = await setScene(t);
  const first = await start();
  const roomId = await scene.openChat();
  user.sendText(roomId, "one");
  await romeoHas(1);
  await first.stop();
  const { log } = await start({ config: { permissions: { "*": "block" } } });
  const body = { events: [eventIn(roomId, "two")], ephemeral: [typing(roomId, juliet)] };
  await homeserver.call("PUT", "/_matrix/app/v1/transactions/b", body);
  await waitFor(() => user.received(roomId).length > 0, "the notice about the refusal");
  assert.ok(!log.some((line) => line.includes("typing was not shown")));
  assert.deepEqual(
    romeo.inbox.map(serialize).filter((xml) => xml.includes("chatstates")),
    [],
  );
});
