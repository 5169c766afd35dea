/** Matrix rooms that XMPP users are in, when servers are restarted and when somebody turns to one alone: real servers, real clients. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { createAddresses } from "../../src/mapping/addresses.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../servers/muc-user.ts";
import { statusesOf } from "../servers/muc-view.ts";
import { openMuc, portalAlias } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;
let mercutio: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage({
    adjust: (config) => ({
      ...config,
      rooms: { ...config.rooms, lazyAbove: 4 },
      permissions: { ...config.permissions, "@juliet:hs.test": "admin" },
    }),
  });
  juliet = await stage.matrixUser("juliet");
  romeo = await stage.xmppUser("romeo");
  mercutio = await stage.xmppUser("mercutio");
});
after(async () => {
  await stage?.stop();
});

const addresses = createAddresses({
  homeserverDomain: "hs.test",
  component: "bridge.xmpp.test",
  userPrefix: "_xmpp_",
  digest: (text) => text,
});
const romeoGhost = "@_xmpp_romeo=40xmpp.test:hs.test";
const addressOf = (alias: string): string => `#${alias}%hs.test@bridge.xmpp.test`;

const makeRoom = (alias: string, options: Record<string, unknown> = {}): Promise<string> =>
  juliet.createRoom({ preset: "public_chat", room_alias_name: alias, ...options });

const heardBy = (...guests: MucUser[]) => ({
  of: (body: string) => Promise.all(guests.map((guest) => guest.waitForMessage(body, 60_000))),
});

/** Her own client may be told of it after everybody else. */
const seenByJuliet = (roomId: string, body: string) =>
  juliet.waitFor((event) => event.room_id === roomId && event.content.body === body, 60_000);

/** What the members have done in the room, as `user membership`. */
const memberships = (roomId: string): string[] =>
  juliet.events
    .filter((event) => event.room_id === roomId && event.type === "m.room.member")
    .map((event) => `${event.sender} ${event.content.membership}`);

const bodiesIn = (roomId: string): string[] =>
  juliet.events
    .filter((event) => event.room_id === roomId && event.type === "m.room.message")
    .map(({ content }) => String(content.body));

test("guests are where they were after a restart of the bridge, and what was said meanwhile comes once and in order", {
  skip,
}, async () => {
  const roomId = await makeRoom("restarts");
  const guests = [
    await joinMuc(romeo, addressOf("restarts"), "Romeo"),
    await joinMuc(mercutio, addressOf("restarts"), "Mercutio"),
  ] as const;
  await juliet.sendText(roomId, "before");
  await heardBy(...guests).of("before");
  const first = await guests[0].say("of Romeo");
  await guests[0].waitForPresence("Mercutio");
  await seenByJuliet(roomId, "of Romeo");
  const [joins, presences] = [
    memberships(roomId),
    guests.map((guest) => guest.received().filter((s) => s.is("presence")).length),
  ];

  await stage.bridge.stop();
  for (const body of ["one", "two", "three"]) await juliet.sendText(roomId, body);
  await stage.bridge.start();
  await heardBy(...guests).of("three");
  // A correction finds the message that was sent before.
  const replace = xml("replace", { xmlns: "urn:xmpp:message-correct:0", id: first.attrs.id });
  await guests[0].say("of Romeo, corrected", [replace]);
  const edit = await juliet.waitFor(({ content }) => {
    return (content["m.new_content"] as { body?: string } | undefined)?.body === "of Romeo, corrected";
  });
  await heardBy(...guests).of("of Romeo, corrected");
  const original = first.getChildren("stanza-id")[0]?.attrs.id;
  assert.deepEqual(edit.content["m.relates_to"], { rel_type: "m.replace", event_id: original });

  for (const guest of guests) {
    const bodies = guest.said().map(([, body]) => body);
    assert.deepEqual(bodies, ["before", "of Romeo", "one", "two", "three", "of Romeo, corrected"]);
  }
  assert.deepEqual(memberships(roomId), joins);
  assert.deepEqual(
    guests.map((guest) => guest.received().filter((s) => s.is("presence")).length),
    presences,
  );
  await Promise.all(guests.map((guest) => guest.leave()));
});

for (const [how, alias] of [
  ["restart", "outage"],
  ["crash", "crash"],
] as const) {
  test(`clients that come back after a ${how} of Prosody enter again, and Matrix sees nobody go or come`, {
    skip,
  }, async () => {
    const roomId = await makeRoom(alias);
    const guest = await joinMuc(romeo, addressOf(alias), "Romeo");
    await guest.say("before");
    await seenByJuliet(roomId, "before");
    const joins = memberships(roomId);
    const before = romeo.messages.length;
    if (how === "crash") await stage.prosody.kill();
    if (how === "crash") await stage.prosody.start();
    else await stage.prosody.restart();
    await romeo.waitFor(
      (stanza) => stanza.attrs.from === romeo.jid && romeo.messages.indexOf(stanza) >= before,
      30_000,
    );
    await juliet.sendText(roomId, "while you were away");
    await guest.rejoin();
    await juliet.sendText(roomId, "welcome back");
    await guest.waitForMessage("welcome back");
    await seenByJuliet(roomId, "welcome back");
    assert.deepEqual(
      guest.said().map(([nick, body]) => `${nick}: ${body}`),
      ["Romeo: before", "juliet: while you were away", "juliet: welcome back"],
    );
    assert.deepEqual(memberships(roomId), joins);
    assert.deepEqual(bodiesIn(roomId), ["before", "while you were away", "welcome back"]);
    await guest.leave();
  });
}

test("a private message to a Matrix user begins a direct chat, in which they answer", { skip }, async () => {
  const roomId = await makeRoom("whispers");
  const guest = await joinMuc(romeo, addressOf("whispers"), "Romeo");
  await guest.waitForPresence("juliet");
  await guest.sendTo("juliet", "for you alone");
  const direct = await juliet.waitForInvite(romeoGhost);
  await juliet.join(direct);
  const whispered = await juliet.waitFor(
    ({ room_id, content }) => room_id === direct && content.body === "for you alone",
  );
  assert.equal(whispered.sender, romeoGhost);
  assert.deepEqual(bodiesIn(roomId), []);
  await juliet.sendText(direct, "and for you");
  const answer = await romeo.waitFor((stanza) => stanza.getChildText("body") === "and for you");
  assert.deepEqual(
    { from: answer.attrs.from, type: answer.attrs.type },
    { from: "juliet%hs.test@bridge.xmpp.test", type: "chat" },
  );

  const refusal = await joinMuc(romeo, addressOf("nowhere"), "Romeo").catch((error) => error.message);
  assert.equal(refusal, "cancel/item-not-found");
  await guest.leave();
});

test("an encrypted room is not entered, and the ghost is not left behind in it", { skip }, async () => {
  const initial_state = [
    { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
  ];
  const roomId = await makeRoom("sealed", { initial_state });
  const refusal = await joinMuc(romeo, addressOf("sealed"), "Romeo").catch((error) => error.message);
  assert.equal(refusal, "modify/not-acceptable");
  await juliet.waitFor(
    (event) =>
      event.room_id === roomId && event.sender === romeoGhost && event.content.membership === "leave",
  );
});

test("the last word of somebody who leaves comes before the leaving", { skip }, async () => {
  await makeRoom("farewell");
  const guest = await joinMuc(romeo, addressOf("farewell"), "Romeo");
  const other = await joinMuc(mercutio, addressOf("farewell"), "Mercutio");
  await guest.post([xml("body", {}, "good night")]);
  await guest.leave();
  await other.waitForExit("Romeo");
  const order = other
    .received()
    .filter((stanza) => stanza.attrs.from === `${addressOf("farewell")}/Romeo`)
    .map((stanza) => stanza.getChildText("body") ?? stanza.attrs.type ?? "available");
  assert.deepEqual(order, ["available", "good night", "unavailable"]);
  await other.leave();
});

test("in a large room a guest is shown those who lead, and others when they speak", { skip }, async () => {
  const roomId = await makeRoom("crowd");
  const crowd = await Promise.all(
    ["paris", "tybalt", "nurse", "peter"].map((name) => stage.matrixUser(name)),
  );
  for (const member of crowd) await member.join(roomId);
  const guest = await joinMuc(romeo, addressOf("crowd"), "Romeo");
  assert.deepEqual([...guest.occupants().keys()].sort(), ["Romeo", "juliet"]);
  await crowd[1]?.sendText(roomId, "Peace? I hate the word");
  await guest.waitForMessage("Peace? I hate the word");
  const fromTybalt = guest
    .received()
    .filter((stanza) => stanza.attrs.from === `${addressOf("crowd")}/tybalt`);
  assert.deepEqual(
    fromTybalt.map(({ name }) => name),
    ["presence", "message"],
  );
  // Peter is not shown, and what he is called is known all the same.
  await crowd[3]?.sendState(
    roomId,
    "m.room.member",
    { membership: "join", displayname: "Piero" },
    crowd[3].userId,
  );
  await crowd[3]?.sendText(roomId, "Anon, anon");
  assert.equal((await guest.waitForMessage("Anon, anon")).attrs.from, `${addressOf("crowd")}/Piero`);
  await guest.leave();
});

test("a room that is linked with one of an XMPP service sends whoever enters there", { skip }, async () => {
  const muc = `orchard@${stage.muc}`;
  const host = await openMuc(mercutio, muc, "Mercutio");
  const portal = await juliet.join(portalAlias(muc));
  const address = addresses.jidOfRoom(portal as RoomId);
  await romeo.send(
    xml("presence", { to: `${address}/Romeo` }, xml("x", { xmlns: "http://jabber.org/protocol/muc" })),
  );
  const refusal = await romeo.waitFor(({ attrs }) => attrs.from === `${address}/Romeo`);
  assert.equal(refusal.getChild("error")?.getChildText("gone"), `xmpp:${muc}?join`);
  await host.leave();
});

test("somebody who is blocked hears nothing more in the rooms that they have entered, and can say nothing there", {
  skip,
}, async () => {
  const roomId = await makeRoom("blocked");
  const romeos = await joinMuc(romeo, addressOf("blocked"), "Romeo");
  const mercutios = await joinMuc(mercutio, addressOf("blocked"), "Mercutio");
  const bot = await juliet.createRoom({ invite: ["@_xmpp_bot:hs.test"], is_direct: true });
  const told = (words: RegExp) =>
    waitFor(
      () => juliet.events.find(({ room_id, content }) => room_id === bot && words.test(String(content.body))),
      `the bot to say ${words}`,
    );
  await waitFor(() => memberships(bot).includes("@_xmpp_bot:hs.test join"), "the bot to come");
  await juliet.sendText(bot, "block romeo@xmpp.test");
  await told(/is blocked/);

  await juliet.sendText(roomId, "not for Romeo");
  await mercutios.waitForMessage("not for Romeo");
  const exit = await romeos.waitForExit("Romeo");
  assert.deepEqual(statusesOf(exit), ["110", "307"]);
  assert.deepEqual(romeos.said(), []);
  await mercutios.waitForExit("Romeo");
  await assert.rejects(romeos.say("Still here"), /not-acceptable/);
  await assert.rejects(joinMuc(romeo, addressOf("blocked"), "Romeo"), /auth\/forbidden/);
  await juliet.sendText(bot, "unblock romeo@xmpp.test");
  await told(/may use the bridge/);
  await joinMuc(romeo, addressOf("blocked"), "Romeo");
});

// A picture of one pixel.
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

test("guests see the picture of a Matrix user who had one before they came, and that it is another one later", {
  skip,
}, async () => {
  const tybalt = await stage.synapse.registerUser("rosaline", "fair-rosaline");
  const headers = { authorization: `Bearer ${tybalt.accessToken}` };
  const call = async (method: string, path: string, body: string | Buffer, type = "application/json") => {
    const url = `${stage.synapse.url}/_matrix/${path}`;
    const answer = await fetch(url, { method, headers: { ...headers, "content-type": type }, body });
    assert.equal(answer.status, 200);
    return (await answer.json()) as Record<string, string>;
  };
  const { content_uri: uri } = await call("POST", "media/v3/upload", png, "image/png");
  const setPicture = (avatar_url: string) =>
    call(
      "PUT",
      `client/v3/profile/${encodeURIComponent("@rosaline:hs.test")}/avatar_url`,
      JSON.stringify({ avatar_url }),
    );
  await setPicture(String(uri));
  const roomId = await makeRoom("faces");
  await call("POST", `client/v3/join/${encodeURIComponent(roomId)}`, "{}");

  const guest = await joinMuc(romeo, addressOf("faces"), "Romeo");
  const hashIn = (presence: Element) =>
    presence.getChild("x", "vcard-temp:x:update")?.getChildText("photo") ?? "";
  const seen = await guest.waitForPresence("rosaline", (presence) => hashIn(presence) !== "");
  const card = await romeo.request(
    xml("iq", { type: "get", to: `${guest.room}/rosaline` }, xml("vCard", { xmlns: "vcard-temp" })),
  );
  const bytes = Buffer.from(
    card.getChild("vCard", "vcard-temp")?.getChild("PHOTO")?.getChildText("BINVAL") ?? "",
    "base64",
  );
  assert.equal(hashIn(seen), createHash("sha1").update(bytes).digest("hex"));

  await setPicture("");
  const presences = () => guest.received().filter(({ attrs }) => attrs.from === `${guest.room}/rosaline`);
  await waitFor(() => {
    const last = presences().at(-1);
    return last?.getChild("x", "vcard-temp:x:update") !== undefined && hashIn(last) === "";
  }, "the picture to be gone");
});

test("who enters by the alias of a room that was upgraded a moment ago is in the new one", {
  skip,
}, async () => {
  const roomId = await makeRoom("upgraded", { room_version: "12" });
  const guest = await joinMuc(romeo, addressOf("upgraded"), "Romeo");
  assert.equal(guest.occupants().get("juliet")?.affiliation, "owner");
  const { replacement_room: next } = await juliet.request(
    "POST",
    `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/upgrade`,
    { new_version: "12" },
  );
  const exit = await guest.waitForExit("Romeo");
  assert.equal(
    exit.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("destroy")?.attrs.jid,
    addresses.jidOfRoom(String(next) as RoomId),
  );
  await guest.rejoin();
  await juliet.sendText(String(next), "in the new room");
  await guest.waitForMessage("in the new room");
});

test("typing of guests is seen on Matrix, and that of Matrix users by guests, and both see that it is over", {
  skip,
}, async () => {
  const roomId = await makeRoom("typing");
  const guest = await joinMuc(romeo, addressOf("typing"), "Romeo");
  const chatStates = "http://jabber.org/protocol/chatstates";
  const typists = (list: string[]) =>
    juliet.waitForEphemeral(
      ({ type, content }) => type === "m.typing" && JSON.stringify(content.user_ids) === JSON.stringify(list),
    );
  await guest.post([xml("composing", { xmlns: chatStates })]);
  await typists([romeoGhost]);
  juliet.ephemeral.splice(0);
  await guest.post([xml("paused", { xmlns: chatStates })]);
  await typists([]);

  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/typing/${encodeURIComponent(juliet.userId)}`;
  const hears = (state: string) =>
    guest.waitFor(
      (stanza) =>
        stanza.attrs.from === `${guest.room}/juliet` && stanza.getChild(state, chatStates) !== undefined,
    );
  await juliet.request("PUT", path, { typing: true, timeout: 30_000 });
  assert.equal((await hears("composing")).attrs.type, "groupchat");
  await juliet.request("PUT", path, { typing: false });
  await hears("paused");
});

test("a guest who changes the nick again and again is told to wait, and stays in the room", {
  skip,
}, async () => {
  await makeRoom("nicks");
  const guest = await joinMuc(romeo, addressOf("nicks"), "Romeo");
  for (let n = 1; n <= 80; n += 1)
    await romeo.send(xml("presence", { to: `${guest.room}/Romeo ${n}`, id: `nick-${n}` }));
  const refusal = await guest.waitFor(
    ({ attrs }) => attrs.type === "error" && /^nick-/.test(attrs.id),
    60_000,
  );
  assert.equal(refusal.getChild("error")?.attrs.type, "wait");
  assert.ok(refusal.getChild("error")?.getChild("resource-constraint"));
  const nicks = () => [...guest.occupants().values()].filter(({ jid }) => jid?.startsWith("romeo@"));
  await waitFor(() => nicks().length === 1, "one nick to be left", 60_000);
});
