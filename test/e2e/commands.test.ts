/** Commands given to the bridge by real users of a real Synapse and a real Prosody, and what it does at its start. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { Element } from "@xmpp/xml";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import { askBot, openBotChat } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const bot = "@_xmpp_bot:hs.test";
const component = "bridge.xmpp.test";
const commands = "http://jabber.org/protocol/commands";
const secret = "syt_anVsaWV0_VeryMuchSecret_0a1b2c";
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const bodyOf = (stanza: Element) => stanza.getChildText("body") ?? "";

test("a Matrix user asks the bot in a direct chat", { skip }, async () => {
  const juliet = await stage.matrixUser("juliet");
  await stage.xmppUser("romeo");
  const room = await openBotChat(juliet);
  assert.match(await askBot(juliet, room, "help"), /^• whois ADDRESS – /m);
  const about = await askBot(juliet, room, "whois romeo@xmpp.test");
  assert.match(about, /^romeo@xmpp\.test is an XMPP address; it does not say to the bridge what it is\.$/m);
  assert.match(about, /^The server xmpp\.test runs Prosody /m);
  assert.match(about, /^On Matrix it is @_xmpp_romeo=40xmpp\.test:hs\.test$/m);
  assert.match(await askBot(juliet, room, "whois xmpp.test"), /^xmpp\.test is an XMPP server/);
  assert.equal(
    await askBot(juliet, room, "whois juliet@bridge.xmpp.test"),
    "@juliet:hs.test (“juliet”) is a Matrix user.\nOn XMPP it is juliet%hs.test@bridge.xmpp.test",
  );
});

test("an XMPP user asks the bridge by messages and by forms", { skip }, async () => {
  await stage.matrixUser("nurse");
  const peter = await stage.xmppUser("peter");
  await peter.send(xml("message", { type: "chat", to: component }, xml("body", {}, "help")));
  const help = await peter.waitFor((stanza) => stanza.is("message") && bodyOf(stanza) !== "", 20_000);
  assert.match(bodyOf(help), /^• whois ADDRESS – /m);

  const get = (xmlns: string, attrs: Record<string, string> = {}) =>
    peter.request(xml("iq", { type: "get", to: component }, xml("query", { xmlns, ...attrs })));
  const set = (attrs: Record<string, string>, ...children: Element[]) =>
    peter.request(
      xml("iq", { type: "set", to: component }, xml("command", { xmlns: commands, ...attrs }, ...children)),
      20_000,
    );
  const info = await get("http://jabber.org/protocol/disco#info");
  const features = info.getChild("query")?.getChildren("feature") ?? [];
  assert.ok(features.some(({ attrs }) => attrs.var === commands));
  const items = await get("http://jabber.org/protocol/disco#items", { node: commands });
  const nodes = items
    .getChild("query")
    ?.getChildren("item")
    .map(({ attrs }) => attrs.node);
  assert.deepEqual(nodes?.slice(0, 2), ["help", "whois"]);
  const node = await get("http://jabber.org/protocol/disco#info", { node: "whois" });
  assert.deepEqual(node.getChild("query")?.getChild("identity")?.attrs, {
    category: "automation",
    type: "command-node",
    name: "whois",
  });

  const done = await set({ node: "status", action: "execute" });
  assert.equal(done.getChild("command")?.attrs.status, "completed");
  const form = (await set({ node: "whois" })).getChild("command");
  assert.equal(form?.attrs.status, "executing");
  const answer = await set(
    { node: "whois", sessionid: String(form?.attrs.sessionid), action: "complete" },
    xml(
      "x",
      { xmlns: "jabber:x:data", type: "submit" },
      xml("field", { var: "address" }, xml("value", {}, "@nurse:hs.test")),
    ),
  );
  assert.equal(
    answer.getChild("command")?.getChildText("note"),
    "@nurse:hs.test (“nurse”) is a Matrix user.",
  );
  await assert.rejects(set({ node: "fly" }), /item-not-found/);
});

test("a token is removed from the room, and stands in no log", { skip }, async () => {
  const rosaline = await stage.matrixUser("rosaline");
  const room = await openBotChat(rosaline);
  await askBot(rosaline, room, `notify token ${secret}`);
  const redaction = await rosaline.waitFor(({ type }) => type === "m.room.redaction", 20_000);
  assert.equal(redaction.sender, bot);
  const { chunk } = await rosaline.request(
    "GET",
    `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=100`,
  );
  assert.equal(JSON.stringify(chunk).includes(secret), false);
  assert.equal(stage.bridge.log().includes(secret), false);
});

test("where the bot has no power it asks that the token be deleted", { skip }, async () => {
  const paris = await stage.matrixUser("paris");
  const room = await openBotChat(paris, "private_chat");
  assert.match(
    await askBot(paris, room, `notify token ${secret}`),
    /I may not remove it here: please delete it\.$/,
  );
});

test("at its start the bridge finds its rooms again and takes strangers off its room directory", {
  skip,
}, async () => {
  const escalus = await stage.matrixUser("escalus");
  await openBotChat(escalus);
  const room = await escalus.createRoom({ preset: "public_chat" });
  const folder = dirname(stage.bridge.logFile);
  const { appservice } = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const published = async (): Promise<unknown[]> => {
    const body = { third_party_instance_id: `${appservice.id}|xmpp` };
    const { chunk } = await escalus.request("POST", "/_matrix/client/v3/publicRooms", body);
    return (chunk as { room_id: string }[]).map(({ room_id }) => room_id);
  };
  await stage.bridge.stop();
  const path = `/_matrix/client/v3/directory/list/appservice/xmpp/${encodeURIComponent(room)}`;
  const answer = await fetch(`${stage.synapse.url}${path}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${appservice.asToken}` },
    body: JSON.stringify({ visibility: "public" }),
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(await published(), [room]);
  const before = stage.bridge.log().length;
  await stage.bridge.start();
  const summary = await waitFor(
    () => /compared the rooms that are remembered.*/.exec(stage.bridge.log().slice(before))?.[0],
    "the bridge to compare its rooms",
  );
  assert.match(summary, /botRoomsFound=0 botRoomsForgotten=0 .*unpublished=1/);
  assert.deepEqual(await published(), []);
});
