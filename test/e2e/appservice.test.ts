/** What a real Synapse asks of the bridge beside messages, and what its users get of it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serversMissing } from "../servers/location.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const chatStates = "http://jabber.org/protocol/chatstates";
const bot = "@_xmpp_bot:hs.test";
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

test("the homeserver's ping comes back, so the bridge is ready", { skip }, async () => {
  assert.deepEqual(await stage.bridge.health(), { status: "ready" });
});

test("ghost and bot that nobody has met are there as soon as they are invited", { skip }, async () => {
  const nurse = await stage.matrixUser("nurse");
  const ghost = "@_xmpp_gregory=40xmpp.test:hs.test";
  const room = await nurse.createRoom({ is_direct: true, invite: [ghost] });
  const joined = await nurse.waitFor(
    ({ state_key: who, content }) => who === ghost && content.membership === "join",
    20_000,
  );
  assert.equal(joined.room_id, room);
  const profile = await nurse.request("GET", `/_matrix/client/v3/profile/${encodeURIComponent(ghost)}`);
  assert.equal(profile.displayname, "gregory@xmpp.test");
  await nurse.createRoom({ is_direct: true, invite: [bot] });
  await nurse.waitFor(({ state_key: who, content }) => who === bot && content.membership === "join", 20_000);
});

test("clients find XMPP users and rooms through their homeserver", { skip }, async () => {
  const paris = await stage.matrixUser("paris");
  const get = (path: string) => paris.request("GET", `/_matrix/client/v3/thirdparty/${path}`);
  // Synapse asks once an hour, so the bot has to have its picture by then.
  const profile = () => paris.request("GET", `/_matrix/client/v3/profile/${encodeURIComponent(bot)}`);
  const { avatar_url: icon } = await waitFor(async () => {
    const known = await profile();
    return known.avatar_url !== undefined && known;
  }, "the bot's picture");
  assert.equal((await profile()).displayname, "XMPP bridge");
  const network = {
    user_fields: ["jid"],
    location_fields: ["jid"],
    icon,
    field_types: { jid: { regexp: "[^\\s@/]+@[^\\s@/]+", placeholder: "romeo@montague.example" } },
    // The last key is Synapse's own.
    instances: [{ desc: "XMPP", fields: {}, network_id: "xmpp", instance_id: "causeway|xmpp" }],
  };
  assert.deepEqual(await get("protocols"), { xmpp: network });
  assert.deepEqual(await get("protocol/xmpp"), network);
  const found = { protocol: "xmpp", fields: { jid: "romeo@xmpp.test" } };
  assert.deepEqual(await get("user/xmpp?jid=Romeo%40xmpp.test"), [
    { userid: "@_xmpp_romeo=40xmpp.test:hs.test", ...found },
  ]);
  assert.deepEqual(await get("user/xmpp?search=xmpp:romeo@xmpp.test"), [
    { userid: "@_xmpp_romeo=40xmpp.test:hs.test", ...found },
  ]);
  assert.deepEqual(await get("location/xmpp?jid=orchard@conference.xmpp.test"), [
    {
      alias: "#_xmpp_orchard=40conference.xmpp.test:hs.test",
      protocol: "xmpp",
      fields: { jid: "orchard@conference.xmpp.test" },
    },
  ]);
  assert.deepEqual(await get("user/xmpp?jid=nonsense"), []);
  assert.deepEqual(await get("location/xmpp?jid=nonsense"), []);
});

test("a Matrix user who types is composing for the XMPP user, and paused when they stop", {
  skip,
}, async () => {
  const juliet = await stage.matrixUser("juliet");
  const romeo = await stage.xmppUser("romeo");
  const room = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_romeo=40xmpp.test:hs.test"] });
  await juliet.sendText(room, "Romeo?");
  await romeo.waitFor((stanza) => stanza.getChildText("body") === "Romeo?", 20_000);
  const states = () =>
    romeo.messages.flatMap((stanza) =>
      stanza.getChildElements().flatMap((child) => (child.getNS() === chatStates ? [child.name] : [])),
    );
  const type = (typing: boolean) =>
    juliet.request("PUT", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/typing/${juliet.userId}`, {
      typing,
      ...(typing && { timeout: 30_000 }),
    });
  await type(true);
  const composing = await romeo.waitFor((stanza) => stanza.getChild("composing", chatStates) !== undefined);
  assert.deepEqual(
    [composing.attrs.from, composing.attrs.type, composing.getChild("body")],
    ["juliet%hs.test@bridge.xmpp.test", "chat", undefined],
  );
  await type(false);
  await romeo.waitFor((stanza) => stanza.getChild("paused", chatStates) !== undefined);
  assert.deepEqual(states(), ["composing", "paused"]);
});
