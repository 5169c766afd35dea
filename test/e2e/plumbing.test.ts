/** Rooms that were there before, linked by agreement of both sides and parted again, between a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { SyncEvent } from "../servers/matrix-sync.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../servers/muc-user.ts";
import {
  askBot,
  eventsIn,
  gather,
  hear,
  membersOf,
  openMuc,
  saidIn,
  stateOf,
  waitForGreeting,
  waitForMember,
  waitForMembers,
} from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const timeout = 120_000;
const bot = "@_xmpp_bot:hs.test";
const waitMs = 30_000;
let stage: Stage;
let juliet: MatrixUser;
let nurse: MatrixUser;
let romeo: XmppUser;
let mercutio: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage();
  ({ juliet, nurse, romeo, mercutio } = await gather(stage));
});
after(async () => {
  await stage?.stop();
});

interface Rooms {
  muc: string;
  roomId: string;
  r: MucUser;
  m: MucUser;
}

/** A Matrix room and an XMPP room with two people each, and the bot where Juliet has invited it. */
async function twoRooms(name: string, fields: Record<string, string> = {}): Promise<Rooms> {
  const muc = `${name}@${stage.muc}`;
  const r = await openMuc(romeo, muc, "Romeo", fields);
  const m = await joinMuc(mercutio, muc, "Mercutio");
  const roomId = await juliet.createRoom({ preset: "public_chat", name, invite: [bot] });
  await nurse.join(roomId);
  await waitFor(
    async () => (await stateOf(juliet, roomId, "m.room.member", bot))?.membership === "join",
    "the bot to join",
    waitMs,
  );
  await waitForGreeting(juliet, roomId);
  return { muc, roomId, r, m };
}

/** The bot's answer to a command in a Matrix room. */
const command = (user: MatrixUser, roomId: string, text: string): Promise<string> =>
  askBot(user, roomId, `!xmpp ${text}`);

const codeIn = (text: string): string => /agree (\S+)/.exec(text)?.[1] ?? "";

/** Linked as people do it: Juliet asks, the owner of the XMPP room agrees there. */
async function link(rooms: Rooms, words = ""): Promise<void> {
  const { muc, roomId, r } = rooms;
  const code = codeIn(await command(juliet, roomId, `link ${muc}${words}`));
  await r.waitFor((stanza) => String(stanza.getChildText("body")).includes(`agree ${code}`), waitMs);
  await r.say(`!xmpp agree ${code}`);
  await r.waitFor((stanza) => /: Done\.$/.test(String(stanza.getChildText("body"))), waitMs);
}

async function unlink({ roomId }: Rooms): Promise<void> {
  assert.match(await command(juliet, roomId, "unlink"), /not linked/);
}

const nicks = (muc: MucUser): string[] => [...muc.occupants().keys()].sort();
const stanzaId = (stanza: Element): string => String(stanza.getChild("stanza-id")?.attrs.id);

test("two rooms become one when both sides agree, and two again with nothing left behind", {
  skip,
  timeout,
}, async () => {
  const rooms = await twoRooms("hall");
  const { muc, roomId, r, m } = rooms;
  await nurse.sendText(roomId, "Before");
  await link(rooms);
  await waitForMembers(juliet, roomId, ["Mercutio", "Romeo", "juliet", "nurse"]);
  for (const nick of ["juliet", "nurse"]) await r.waitForPresence(nick, undefined, waitMs);

  await juliet.sendText(roomId, "What's in a name?");
  assert.equal((await m.waitForMessage("What's in a name?", waitMs)).attrs.from, `${muc}/juliet`);
  await m.say("A plague o' both your houses!");
  await hear(nurse, roomId, "A plague o' both your houses!");
  await nurse.sendText(roomId, "Peace");
  await r.waitForMessage("Peace", waitMs);
  const said = (await saidIn(juliet, roomId)).filter(([, body]) => !body.startsWith("!xmpp"));
  assert.deepEqual(said, [
    ["nurse", "Before"],
    ["juliet", "What's in a name?"],
    ["Mercutio", "A plague o' both your houses!"],
    ["nurse", "Peace"],
  ]);

  await unlink(rooms);
  await waitForMembers(juliet, roomId, ["juliet", "nurse"]);
  await waitFor(() => nicks(r).join() === "Mercutio,Romeo", "the XMPP room to be as before", waitMs);
  const state = (await juliet.request(
    "GET",
    `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state`,
  )) as unknown as SyncEvent[];
  const left = state.filter(
    ({ type, content }) => /bridge|causeway/i.test(type) && Object.keys(content).length > 0,
  );
  assert.deepEqual(left, []);
  const aliases = await juliet.request(
    "GET",
    `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/aliases`,
  );
  assert.deepEqual(aliases, { aliases: [] });

  const before = (await eventsIn(juliet, roomId)).length;
  await m.say("Anybody?");
  await juliet.sendText(roomId, "Nobody");
  // A conversation that works shows that the bridge has dealt with what came before.
  const other = await twoRooms("hall2");
  await link(other);
  assert.equal((await eventsIn(juliet, roomId)).length, before + 1);
  assert.ok(!r.said().some(([, body]) => body === "Nobody"));
});

test("an owner who refuses leaves the rooms apart, and the bot goes", { skip, timeout }, async () => {
  const { muc, roomId, r } = await twoRooms("crypt");
  const code = codeIn(await command(juliet, roomId, `link ${muc}`));
  await r.waitFor((stanza) => String(stanza.getChildText("body")).includes(`agree ${code}`), waitMs);
  await r.say(`!xmpp refuse ${code}`);
  await waitFor(() => nicks(r).join() === "Mercutio,Romeo", "the bot to leave", waitMs);
  await waitForMembers(juliet, roomId, ["juliet", "nurse"]);
});

test("neither a Matrix user without power nor an occupant without affiliation can agree to a link", {
  skip,
  timeout,
}, async () => {
  const { muc, roomId, r, m } = await twoRooms("vault");
  assert.match(await command(nurse, roomId, `link ${muc}`), /takes the power to change/);
  assert.deepEqual(nicks(r), ["Mercutio", "Romeo"]);
  const code = codeIn(await command(juliet, roomId, `link ${muc}`));
  await m.waitFor((stanza) => String(stanza.getChildText("body")).includes(`agree ${code}`), waitMs);
  await m.say(`!xmpp agree ${code}`);
  await m.waitFor(
    (stanza) => /^Mercutio: Only somebody who may change/.test(String(stanza.getChildText("body"))),
    waitMs,
  );
  await waitForMembers(juliet, roomId, ["juliet", "nurse"]);
});

test("a room that is linked cannot be linked again, nor can a room of the bridge's own", {
  skip,
  timeout,
}, async () => {
  const rooms = await twoRooms("square");
  await link(rooms);
  const other = await juliet.createRoom({ preset: "public_chat", invite: [bot], room_alias_name: "circle" });
  await nurse.join(other);
  await waitForMember(juliet, other, "nurse");
  await waitForGreeting(juliet, other);
  assert.match(await command(juliet, other, `link ${rooms.muc}`), /is linked with a Matrix room already/);
  assert.match(await command(juliet, other, "link #square%hs.test@bridge.xmpp.test"), /^Name the XMPP room/);
});

test("where the owners want that, the bot alone speaks, and names the speaker", {
  skip,
  timeout,
}, async () => {
  const rooms = await twoRooms("court");
  const { muc, roomId, r } = rooms;
  await link(rooms, " relay");
  const asked = await juliet.sendText(roomId, "Who speaks?");
  const relayed = await r.waitForMessage("juliet: Who speaks?", waitMs);
  assert.equal(relayed.attrs.from, `${muc}/Causeway`);
  assert.deepEqual(nicks(r), ["Causeway", "Mercutio", "Romeo"]);

  await juliet.send(roomId, "m.room.message", {
    msgtype: "m.text",
    body: "* Who speaks here?",
    "m.new_content": { msgtype: "m.text", body: "Who speaks here?" },
    "m.relates_to": { rel_type: "m.replace", event_id: asked },
  });
  const edit = await r.waitForMessage("juliet: Who speaks here?", waitMs);
  assert.equal(edit.getChild("replace")?.attrs.id, relayed.attrs.id);

  await r.say("I do", [
    xml("reply", { xmlns: "urn:xmpp:reply:0", id: stanzaId(relayed), to: `${muc}/Causeway` }),
  ]);
  const answer = await hear(juliet, roomId, "I do");
  assert.deepEqual(answer.content["m.relates_to"], { "m.in_reply_to": { event_id: asked } });

  for (const user of [juliet, nurse]) {
    await user.send(roomId, "m.reaction", {
      "m.relates_to": {
        rel_type: "m.annotation",
        event_id: answer.event_id,
        key: user === juliet ? "🌹" : "🌙",
      },
    });
  }
  await r.waitFor(
    (stanza) =>
      stanza
        .getChild("reactions")
        ?.getChildren("reaction")
        .map((one) => one.text())
        .sort()
        .join() === ["🌹", "🌙"].sort().join(),
    waitMs,
  );

  await juliet.request(
    "PUT",
    `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(asked)}/1`,
    {},
  );
  await r.waitFor((stanza) => stanza.getChild("retract")?.attrs.id === stanzaId(relayed), waitMs);

  await nurse.sendText(roomId, "!help me");
  assert.equal((await r.waitForMessage("!help me", waitMs)).attrs.from, `${muc}/Causeway`);
  await unlink(rooms);
  await waitFor(() => nicks(r).join() === "Mercutio,Romeo", "the bot to leave", waitMs);
});

test("an XMPP room with a password is linked with it, and one of members says what it needs", {
  skip,
  timeout,
}, async () => {
  const closed = await twoRooms("cell");
  await closed.r.configure({ "muc#roomconfig_roomsecret": "mandrake" });
  assert.match(await command(juliet, closed.roomId, `link ${closed.muc}`), /password/i);
  await closed.r.setAffiliation("mercutio@xmpp.test", "member");
  await closed.r.configure({ "muc#roomconfig_roomsecret": "", "muc#roomconfig_membersonly": "1" });
  assert.match(await command(juliet, closed.roomId, `link ${closed.muc}`), /member/i);
  const members = await membersOf(juliet, closed.roomId);
  assert.deepEqual([...members.values()].sort(), ["juliet", "nurse"]);
});
