/** Kicks, bans, power and the topic of portals, from both sides, between a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { statusesOf } from "../servers/muc-view.ts";
import {
  eventsIn,
  gather,
  type Meeting,
  meetInPortal,
  type People,
  portalAlias,
  stateOf,
  waitForMember,
  waitForPower,
} from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const timeout = 120_000;
let stage: Stage;
let people: People;
let juliet: MatrixUser;
let nurse: MatrixUser;

before(async () => {
  if (skip) return;
  stage = await startStage();
  people = await gather(stage);
  ({ juliet, nurse } = people);
});
after(async () => {
  await stage?.stop();
});

/** Two of each network in one portal. */
const meet = (name: string): Promise<Meeting> => meetInPortal(people, name);

test("a kick on XMPP removes the person on Matrix with the reason, and they may come back", {
  skip,
  timeout,
}, async () => {
  const { roomId, r } = await meet("kicks");
  await r.kick("nurse", "too talkative");
  const kicked = await juliet.waitFor(
    ({ room_id, type, state_key, content }) =>
      room_id === roomId &&
      type === "m.room.member" &&
      state_key === nurse.userId &&
      content.membership === "leave",
    20_000,
  );
  assert.match(String(kicked.content.reason), /too talkative/);
  await nurse.join(roomId).catch(() => nurse.join(portalAlias(r.room)));
  await r.waitFor(
    (stanza) =>
      stanza.is("presence") &&
      stanza.attrs.from === `${r.room}/nurse` &&
      stanza.attrs.type === undefined &&
      r.received().indexOf(stanza) > r.received().findIndex((one) => statusesOf(one).includes("307")),
    20_000,
  );
});

test("a ban on XMPP is a ban on Matrix until it is lifted", { skip, timeout }, async () => {
  const { roomId, r } = await meet("bans");
  await r.ban("nurse%hs.test@bridge.xmpp.test", "enough");
  const banned = await juliet.waitFor(
    ({ room_id, type, state_key, content }) =>
      room_id === roomId &&
      type === "m.room.member" &&
      state_key === nurse.userId &&
      content.membership === "ban",
    20_000,
  );
  assert.match(String(banned.content.reason), /enough/);
  await assert.rejects(nurse.join(roomId), /403/);
});

/** Gives Juliet the power of a moderator on both sides, as an owner of the XMPP room would. */
async function empower({ r, roomId }: Meeting): Promise<void> {
  await r.setAffiliation("juliet%hs.test@bridge.xmpp.test", "admin");
  await waitForPower(juliet, roomId, 75);
}

test("an admin's kick, ban and unban on Matrix are carried out in the XMPP room", {
  skip,
  timeout,
}, async () => {
  const meeting = await meet("moderators");
  const { roomId, r, m, room } = meeting;
  await empower(meeting);
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;
  const ghost = await waitForMember(juliet, roomId, "Mercutio");
  await juliet.request("POST", `${path}/kick`, { user_id: ghost, reason: "a plague" });
  const exit = await m.waitForExit("Mercutio", 20_000);
  assert.deepEqual(
    [
      statusesOf(exit).sort(),
      exit.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("item")?.getChildText("reason"),
    ],
    [["110", "307"], "a plague"],
  );
  await m.rejoin();
  assert.equal(await waitForMember(juliet, roomId, "Mercutio"), ghost);
  await juliet.request("POST", `${path}/ban`, { user_id: ghost, reason: "both your houses" });
  await m.waitFor((stanza) => stanza.is("presence") && statusesOf(stanza).includes("301"), 20_000);
  assert.deepEqual(await r.list("affiliation", "outcast"), ["mercutio@xmpp.test"]);
  await juliet.request("POST", `${path}/unban`, { user_id: ghost });
  await waitFor(async () => (await r.list("affiliation", "outcast")).length === 0, "the ban to be lifted");
  await m.rejoin();
  assert.equal(await waitForMember(juliet, roomId, "Mercutio"), ghost);
  assert.equal(m.room, room);
});

test("subject and topic are one", { skip, timeout }, async () => {
  const { roomId, r, room } = await meet("subjects");
  await r.setSubject("Swords");
  await waitFor(
    async () => (await stateOf(juliet, roomId, "m.room.topic"))?.topic === "Swords",
    "the new topic",
  );
  const meeting = { roomId, r, m: r, room };
  await empower(meeting);
  await juliet.sendState(roomId, "m.room.topic", { topic: "Roses" });
  const subject = await r.waitFor((stanza) => stanza.getChildText("subject") === "Roses", 20_000);
  assert.equal(subject.attrs.from, `${room}/juliet`);
  const topics = (await eventsIn(juliet, roomId)).filter(({ type }) => type === "m.room.topic");
  assert.equal(topics.at(-1)?.sender, juliet.userId);
});
