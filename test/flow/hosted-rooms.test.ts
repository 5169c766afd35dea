import assert from "node:assert/strict";
import { test } from "node:test";
import { type Element, errorReply, parseStanza, readError, serialize, xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { setHostedScene } from "./hosted-scene.ts";
import { romeoGhost } from "./scene.ts";

test("to leave a room of an XMPP service does not take anybody out of the Matrix rooms that they are in", async (t) => {
  const { romeo, enter, memberships, roomId } = await setHostedScene(t);
  await enter(romeo, "Romeo");
  await romeo.sendText("bridge.xmpp.test", "leave garden@conference.xmpp.test");
  assert.deepEqual(
    await waitFor(() => romeo.messages().length > 0 && romeo.bodies().slice(-1), "an answer"),
    ["You are not in that room through this bridge."],
  );
  assert.equal(memberships(roomId).get(romeoGhost), "join");
});

test("a Matrix user is told what did not come to the XMPP users in the room, and these are not", async (t) => {
  const { romeo, juliet, prosody, roomId, enter, heard, notices } = await setHostedScene(t);
  await enter(romeo, "Romeo");
  prosody.respond(({ body }) => (body.includes("O Romeo") ? { status: 413 } : undefined));
  const eventId = juliet.sendText(roomId, "O Romeo, Romeo");
  await waitFor(() => notices().length > 0, "a notice");
  juliet.sendText(roomId, "Wherefore art thou Romeo?");
  await waitFor(() => heard(romeo).length > 0, "the next message");
  assert.deepEqual(notices(), [
    {
      sender: romeoGhost,
      body: "Your message was not delivered to those who are here from XMPP. This is too large for the other side.",
      about: { "m.in_reply_to": { event_id: eventId } },
    },
  ]);
  assert.deepEqual(heard(romeo), ["juliet: Wherefore art thou Romeo?"]);
});

test("where the bot is in the room, it says what cannot cross", async (t) => {
  const bot = "@_xmpp_bot:hs.test";
  const { romeo, juliet, roomId, enter, notices, memberships } = await setHostedScene(t, [bot]);
  await waitFor(() => memberships(roomId).get(bot) === "join", "the bot to come");
  await enter(romeo, "Romeo");
  const eventId = juliet.send(roomId, "m.room.encrypted", { algorithm: "m.megolm.v1.aes-sha2" });
  const told = () => notices().filter(({ about }) => about !== undefined);
  await waitFor(() => told().length > 0, "a notice");
  assert.deepEqual(told(), [
    {
      sender: bot,
      body: "Your message was not delivered to those who are here from XMPP. The bridge cannot read encrypted messages; use a room without encryption.",
      about: { "m.in_reply_to": { event_id: eventId } },
    },
  ]);
});

test("a private message that the other guest’s client refuses comes back to its author", async (t) => {
  const { romeo, prosody, address, enter } = await setHostedScene(t);
  const mercutio = prosody.user("mercutio");
  await enter(romeo, "Romeo");
  await enter(mercutio, "Mercutio");
  prosody.respond(({ body }) => {
    if (!body.includes("Psst")) return undefined;
    const refusal = errorReply(parseStanza(body), { type: "cancel", condition: "service-unavailable" });
    return { status: 200, headers: { "content-type": "application/xmpp+xml" }, body: serialize(refusal) };
  });
  await romeo.sendText(`${address}/Mercutio`, "Psst", "p1");
  const [error] = await waitFor(() => romeo.errors().length > 0 && romeo.errors(), "an error");
  assert.equal(error?.attrs.id, "p1");
  assert.equal(error?.attrs.from, `${address}/Mercutio`);
  assert.deepEqual(readError(error as Element), {
    type: "cancel",
    condition: "item-not-found",
    text: "Their client is not in the room any more.",
  });
});

test("a room that goes on elsewhere leaves no ghost behind, although the homeserver stumbles meanwhile", async (t) => {
  const { bridge, romeo, juliet, homeserver, roomId, enter, stanzasOf, memberships } =
    await setHostedScene(t);
  await enter(romeo, "Romeo");
  const hasFailed = () => bridge.log.some((line) => line.includes("failed for now"));
  homeserver.respond(({ path }) =>
    path.endsWith("/leave") && !hasFailed() ? { status: 500, body: "{}" } : undefined,
  );
  juliet.send(roomId, "m.room.tombstone", { body: "We are elsewhere" }, "");
  await waitFor(() => memberships(roomId).get(romeoGhost) === "leave", "the ghost to leave");
  const destroyed = () =>
    stanzasOf(romeo, "presence").filter((stanza) =>
      stanza.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("destroy"),
    );
  await waitFor(() => destroyed().length === 1, "Romeo to be told");
});

test("a request for voice reaches the moderators although the first attempt fails", async (t) => {
  const { bridge, romeo, juliet, homeserver, roomId, address, enter } = await setHostedScene(t);
  juliet.send(roomId, "m.room.power_levels", { users: { [juliet.userId]: 100 }, events_default: 50 }, "");
  await enter(romeo, "Romeo");
  const hasFailed = () => bridge.log.some((line) => line.includes("failed for now"));
  homeserver.respond(({ path }) =>
    path.endsWith("/createRoom") && !hasFailed() ? { status: 500, body: "{}" } : undefined,
  );
  const field = (name: string, value: string) => xml("field", { var: name }, xml("value", {}, value));
  const form = xml(
    "x",
    { xmlns: "jabber:x:data", type: "submit" },
    field("FORM_TYPE", "http://jabber.org/protocol/muc#request"),
    field("muc#role", "participant"),
  );
  await romeo.send(xml("message", { to: address, id: "v1" }, form));
  const chat = await waitFor(() => juliet.invites()[0], "Juliet to be asked");
  await waitFor(() => juliet.received(chat).length > 0, "the request");
  assert.match(juliet.received(chat)[0] ?? "", /^I would like to speak in The garden /);
});
