/** Notifications on XMPP: real pushers of a real Synapse for a real user, set up as a person does it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const bot = "@_xmpp_bot:hs.test";
const bridgeJid = "bridge.xmpp.test";
let stage: Stage;
let juliet: MatrixUser;
let nurse: MatrixUser;
let romeo: XmppUser;
/** Where Juliet talks with the bot, and where with the others. */
let botRoom: string;
let garden: string;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const bodies = (): string[] =>
  romeo.messages.flatMap((stanza) =>
    stanza.attrs.from === bridgeJid ? (stanza.getChildText("body") ?? []) : [],
  );
const hears = (body: string) => romeo.waitFor((stanza) => stanza.getChildText("body") === body, 30_000);
const pushers = async () =>
  (await juliet.request("GET", "/_matrix/client/v3/pushers")).pushers as Record<string, unknown>[];

async function ask(line: string): Promise<string> {
  const answers = () =>
    juliet.events.filter(
      ({ room_id, sender, type }) => room_id === botRoom && sender === bot && type === "m.room.message",
    );
  const before = answers().length;
  await juliet.sendText(botRoom, line);
  return String((await waitFor(() => answers()[before], `an answer to ${line}`)).content.body);
}

async function accessToken(): Promise<string> {
  const { access_token } = await juliet.request("POST", "/_matrix/client/v3/login", {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: "juliet" },
    password: "juliet-password",
  });
  return String(access_token);
}

test("a user proves an address by its code and gives the bot a token, and the homeserver has the pusher", {
  skip,
}, async () => {
  juliet = await stage.matrixUser("juliet");
  nurse = await stage.matrixUser("nurse");
  romeo = await stage.xmppUser("romeo");
  botRoom = await juliet.createRoom({ is_direct: true, preset: "trusted_private_chat", invite: [bot] });
  await juliet.waitFor(({ sender, type }) => sender === bot && type === "m.room.message", 20_000);
  assert.match(await ask("notify romeo@xmpp.test"), /^A code is on its way to romeo@xmpp\.test/);
  const asked = await romeo.waitFor((stanza) => stanza.attrs.from === bridgeJid, 20_000);
  const code = /notify confirm (\S+)/.exec(asked.getChildText("body") ?? "")?.[1];
  assert.match(await ask(`notify confirm ${code}`), /^romeo@xmpp\.test is confirmed/);
  assert.equal(
    await ask(`notify token ${await accessToken()}`),
    "Notifications now come to romeo@xmpp.test. Try it: notify test",
  );
  const [pusher, ...others] = await pushers();
  assert.deepEqual(others, []);
  assert.deepEqual(
    [pusher?.app_id, pusher?.kind, pusher?.device_display_name],
    ["im.causeway.xmpp", "http", "romeo@xmpp.test"],
  );
  await ask("notify test");
  await hears("This is a test: notifications from Matrix come to this address.");
});

test("an invitation, a message and a mention arrive in the reader's words", { skip }, async () => {
  garden = await nurse.createRoom({ name: "Garden", invite: [juliet.userId] });
  await hears("nurse invited you to Garden");
  await juliet.join(garden);
  await nurse.sendText(garden, "Madam!\nMadam!");
  await hears("nurse in Garden: Madam! Madam!");
  await nurse.send(garden, "m.room.message", {
    msgtype: "m.text",
    body: "Juliet, anon!",
    "m.mentions": { user_ids: [juliet.userId] },
  });
  await hears("nurse mentioned you in Garden: Juliet, anon!");
  const direct = await nurse.createRoom({
    is_direct: true,
    preset: "trusted_private_chat",
    invite: [juliet.userId],
  });
  await juliet.join(direct);
  await nurse.sendText(direct, "Hie you to church");
  const heard = await hears("nurse: Hie you to church");
  assert.deepEqual(
    [heard.attrs.type, heard.attrs.from, heard.attrs.to],
    ["chat", bridgeJid, "romeo@xmpp.test"],
  );
});

test("the number of unread messages is the bridge's status until they are read", { skip }, async () => {
  // Prosody tells of subscriptions only those who have asked for their roster.
  await romeo.request(xml("iq", { type: "get" }, xml("query", { xmlns: "jabber:iq:roster" })));
  await romeo.send(xml("presence", { type: "subscribe", to: bridgeJid }));
  const shown = () =>
    romeo.messages
      .filter((stanza) => stanza.is("presence") && stanza.attrs.from === `${bridgeJid}/matrix`)
      .map((stanza) => stanza.getChildText("status"));
  await waitFor(() => /^[1-9]\d* unread messages? on Matrix$/.test(shown().at(-1) ?? ""), "the status");
  for (const room of juliet.joinedRooms) {
    const last = juliet.events.filter(({ room_id }) => room_id === room).at(-1)?.event_id;
    await juliet.request(
      "POST",
      `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/receipt/m.read/${last}`,
      {},
    );
  }
  await waitFor(() => shown().length > 1 && shown().at(-1) === null, "the status to go");
});

test("what comes while Prosody is down arrives once when it is back", {
  skip,
  timeout: 120_000,
}, async () => {
  const before = bodies().length;
  await stage.prosody.kill();
  await nurse.sendText(garden, "Where are you?");
  await waitFor(() => stage.bridge.log().includes("a notification has to wait"), "the first attempt", 30_000);
  await stage.prosody.start();
  await romeo.waitFor((stanza) => stanza.getChildText("body") === "nurse in Garden: Where are you?", 60_000);
  await nurse.sendText(garden, "Anon, anon!");
  await hears("nurse in Garden: Anon, anon!");
  assert.deepEqual(bodies().slice(before), [
    "nurse in Garden: Where are you?",
    "nurse in Garden: Anon, anon!",
  ]);
});

test("turned off without a token, the pusher goes when the homeserver next has something to send", {
  skip,
}, async () => {
  const before = bodies().length;
  assert.match(await ask("notify off"), /^Notifications to romeo@xmpp\.test are off\./);
  assert.equal((await pushers()).length, 1);
  await nurse.sendText(garden, "Good night");
  await waitFor(async () => (await pushers()).length === 0, "the pusher to go", 30_000);
  assert.equal(bodies().length, before);
});

test("set by hand as shown, for IDs alone, and turned off with a token, the pusher goes at once", {
  skip,
}, async () => {
  await ask("notify romeo@xmpp.test");
  const codes = () => bodies().flatMap((body) => /notify confirm (\S+)/.exec(body)?.[1] ?? []);
  const code = await waitFor(() => codes()[1], "the second code");
  const shown = JSON.parse(/-d '(.*)'/.exec(await ask(`notify confirm ${code}`))?.[1] ?? "");
  const data = { ...shown.data, format: "event_id_only" };
  await juliet.request("POST", "/_matrix/client/v3/pushers/set", { ...shown, data });
  await nurse.sendText(garden, "Between us");
  await romeo.waitFor(
    (stanza) => /^New message( \(\d+ unread\))?$/.test(stanza.getChildText("body") ?? ""),
    30_000,
  );
  const token = await accessToken();
  assert.equal(
    await ask(`notify off romeo@xmpp.test ${token}`),
    "Notifications to romeo@xmpp.test are off. Your homeserver knows.",
  );
  assert.deepEqual(await pushers(), []);
  assert.ok(!stage.bridge.log().includes(token));
  assert.ok(!bodies().some((body) => body.includes("Between us")));
});
