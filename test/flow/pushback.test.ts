/** What each side is told while too much waits, with the whole bridge between the fakes. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Element, readError, xml } from "../../src/xmpp/stanza.ts";
import { parseExposition } from "../ops/exposition.ts";
import { waitFor } from "../support/wait-for.ts";
import { isSend, julietJid, numbered, romeoGhost, setScene } from "./scene.ts";

const cafe = "#cafe%hs.test@bridge.xmpp.test";
const tooMuch = {
  type: "wait",
  condition: "resource-constraint",
  text: "The bridge cannot deliver messages as fast as they come, so this one was not taken. Send it again later.",
};

/** Neither side takes messages while `far.isSlow`. */
async function setSlowScene(t: TestContext, queue: { perConversation?: number; perNetwork?: number }) {
  const scene = await setScene(t);
  const far = { isSlow: false };
  scene.homeserver.respond((request) =>
    far.isSlow && (isSend(request) || request.path.includes("/directory/room/"))
      ? { status: 429 }
      : undefined,
  );
  scene.prosody.respond(({ body }) => (far.isSlow && body.includes("<body>") ? { status: 429 } : undefined));
  const bridge = await scene.start({ config: { queue } });
  const linesWith = (words: string): string[] => bridge.log.filter((line) => line.includes(words));
  return {
    ...scene,
    ...bridge,
    far,
    linesWith,
    heard: (words: string) => waitFor(() => linesWith(words).length > 0, words),
    pushedBack: async (side: string): Promise<number | undefined> => {
      const text = await (await fetch(`${bridge.adminUrl}/metrics`)).text();
      const { samples } = parseExposition(text).get("causeway_pushed_back_total") ?? {};
      return samples?.get(`causeway_pushed_back_total{side="${side}"}`);
    },
  };
}

const told = (errors: readonly Element[]): unknown[] =>
  errors.map((stanza) => [stanza.attrs.from, stanza.attrs.id, readError(stanza)]);

test("who writes more than may wait in a conversation is told of each that is too much; the rest arrives in order", async (t) => {
  const scene = await setSlowScene(t, { perConversation: 3 });
  const { far, prosody, juliet, romeo, linesWith } = scene;
  const roomId = await scene.acceptChat();
  far.isSlow = true;
  for (const body of numbered("message", 5)) await romeo.sendText(julietJid, body, body);
  const expected = ["message 3", "message 4"].map((id) => [julietJid, id, tooMuch]);
  assert.deepEqual(told(romeo.errors()), expected);
  const nurse = prosody.user("nurse");
  await nurse.sendText(julietJid, "Madam!");
  assert.deepEqual(nurse.errors(), []);
  assert.equal(linesWith("refused for now: too much waits already").length, 1);
  assert.equal(await scene.pushedBack("prosody"), 2);
  far.isSlow = false;
  await scene.julietHas(roomId, 4);
  await romeo.sendText(julietJid, "message 5");
  assert.deepEqual((await scene.julietHas(roomId, 5)).slice(1), [...numbered("message", 3), "message 5"]);
  const fromNurse = await waitFor(() => juliet.invites()[0], "the nurse's room");
  juliet.join(fromNurse);
  assert.deepEqual(await scene.julietHas(fromNurse, 1), ["Madam!"]);
  assert.deepEqual(told(romeo.errors()), expected);
});

test("who gives more commands than may wait is told so too, and the others are done", async (t) => {
  const { far, romeo, ...scene } = await setSlowScene(t, { perConversation: 1 });
  far.isSlow = true;
  await romeo.sendText("bridge.xmpp.test", "help", "c1");
  await romeo.sendText("bridge.xmpp.test", "help", "c2");
  assert.deepEqual(told(romeo.errors()), [["bridge.xmpp.test", "c2", tooMuch]]);
  far.isSlow = false;
  assert.match((await scene.romeoHas(1))[0] ?? "", /help/);
});

test("of what waits for a Matrix room, messages are refused and presence is not", async (t) => {
  const { far, romeo } = await setSlowScene(t, { perConversation: 1 });
  far.isSlow = true;
  const join = () =>
    xml("presence", { to: `${cafe}/Romeo` }, xml("x", { xmlns: "http://jabber.org/protocol/muc" }));
  await romeo.send(join());
  await romeo.send(join());
  assert.deepEqual(romeo.inbox, []);
  await romeo.send(
    xml("message", { type: "groupchat", to: cafe, id: "g1" }, xml("body", {}, "Is all well?")),
  );
  await romeo.send(xml("message", { type: "chat", to: `${cafe}/nurse`, id: "p1" }, xml("body", {}, "Hark")));
  assert.deepEqual(told(romeo.errors()), [
    [cafe, "g1", tooMuch],
    [`${cafe}/nurse`, "p1", tooMuch],
  ]);
});

test("what an XMPP room says is taken however much waits, and no occupant is put out", async (t) => {
  const { far, prosody, juliet, romeo, linesWith, ...scene } = await setSlowScene(t, {
    perConversation: 1,
    perNetwork: 20,
  });
  const orchard = prosody.muc("orchard");
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  const roomId = await juliet.joinAlias("#_xmpp_orchard=40conference.xmpp.test:hs.test");
  await waitFor(() => orchard.occupants.has("juliet"), "Juliet to be in");
  far.isSlow = true;
  for (const body of numbered("message", 20)) orchard.say("Romeo", body);
  await scene.heard("too much waits, so what comes is refused for now");
  assert.match(linesWith("so what comes is refused for now")[0] ?? "", /from=xmpp jobs=20$/);
  orchard.say("Romeo", "message 20");
  orchard.say("Romeo", "message 21");
  await romeo.sendText(julietJid, "But to thee", "m1");
  assert.deepEqual(told(romeo.errors()), [[julietJid, "m1", tooMuch]]);
  far.isSlow = false;
  assert.deepEqual(await scene.julietHas(roomId, 22), numbered("message", 22));
  assert.deepEqual(orchard.nicks(), ["Causeway", "Romeo", "juliet"]);
  await scene.heard("there is room again for what comes");
  await romeo.sendText(julietJid, "But to thee", "m2");
  await waitFor(() => juliet.invites().length === 1, "his message to arrive");
});

test("while too much of Matrix waits, the homeserver keeps what it has, and all of it arrives in order", async (t) => {
  const { far, homeserver, juliet, romeo, adminUrl, ...scene } = await setSlowScene(t, { perNetwork: 20 });
  const roomId = await scene.acceptChat();
  far.isSlow = true;
  for (const body of numbered("message", 20)) juliet.sendText(roomId, body);
  await scene.heard("too much waits, so what comes is refused for now");
  const { status, body } = await homeserver.pushTransaction("t1", []);
  assert.deepEqual(
    [status, JSON.parse(body)],
    [429, { errcode: "M_LIMIT_EXCEEDED", error: "Too much waits here already.", retry_after_ms: 5000 }],
  );
  for (const body of ["message 20", "message 21"]) juliet.sendText(roomId, body);
  const refused = async () => ((await scene.pushedBack("homeserver")) ?? 0) > 2;
  await waitFor(refused, "the homeserver's own to be refused");
  assert.equal((await fetch(`${adminUrl}/health/ready`)).status, 200);
  await romeo.sendText(julietJid, "The other way");
  assert.deepEqual(romeo.errors(), []);
  far.isSlow = false;
  assert.deepEqual(await scene.romeoHas(22), numbered("message", 22));
  assert.deepEqual((await scene.julietHas(roomId, 2)).slice(1), ["The other way"]);
  await scene.heard("there is room again for what comes");
  assert.equal(scene.linesWith("so what comes is refused for now").length, 1);
  assert.equal(scene.memberships(roomId).get(romeoGhost), "join");
});
