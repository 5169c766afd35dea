/** Rooms of both kinds while one of the three servers goes away and comes back: nobody sees it, and nothing is lost or doubled. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../servers/muc-user.ts";
import { typeOf } from "../servers/muc-view.ts";
import {
  gather,
  hear,
  type Meeting,
  meetInPortal,
  type People,
  saidIn,
  waitForMembers,
} from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const timeout = 180_000;
const waitMs = 60_000;
const component = "bridge.xmpp.test";
let stage: Stage;
let people: People;
let juliet: MatrixUser;
let nurse: MatrixUser;
let romeo: XmppUser;
let mercutio: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage();
  people = await gather(stage);
  ({ juliet, nurse, romeo, mercutio } = people);
});
after(async () => {
  await stage?.stop();
});

/** In a portal, where everybody has heard everybody. */
async function meet(name: string): Promise<Meeting> {
  const meeting = await meetInPortal(people, name);
  await meeting.r.say("Here we are");
  await hear(juliet, meeting.roomId, "Here we are");
  return meeting;
}

/** What was watched, for another look at the end. */
const watched: (() => unknown[])[] = [];

/** Comings and goings in the Matrix room from now on. */
function watchMembers(user: MatrixUser, roomId: string): () => unknown[] {
  const from = user.events.length;
  const seen = (): unknown[] =>
    user.events
      .slice(from)
      .filter(({ room_id, type }) => room_id === roomId && type === "m.room.member")
      .map(({ state_key, content }) => [state_key, content.membership]);
  watched.push(seen);
  return seen;
}

/** Comings and goings of Matrix users in the XMPP room from now on. */
function watchNicks(muc: MucUser): () => unknown[] {
  const before = new Set(muc.received());
  return () =>
    muc
      .received()
      .filter((stanza) => !before.has(stanza) && stanza.is("presence") && typeOf(stanza) !== undefined)
      .map(({ attrs }) => [attrs.from, attrs.type]);
}

async function untilTaken(send: () => Promise<unknown>): Promise<void> {
  await waitFor(
    () =>
      send().then(
        () => true,
        () => false,
      ),
    "it to be taken",
    waitMs,
  );
}

/** The session is there again, and in the room. */
async function comeBack(muc: MucUser): Promise<void> {
  const ping = (): Element =>
    xml("iq", { type: "get", to: "xmpp.test" }, xml("ping", { xmlns: "urn:xmpp:ping" }));
  await untilTaken(() => muc.user.request(ping(), 2_000));
  await muc.rejoin();
}

const bodies = async (user: MatrixUser, roomId: string): Promise<string[]> =>
  (await saidIn(user, roomId)).map(([, body]) => body);

/** A word each way that all have to hear, after which everything before has come. */
async function finish({ roomId, r, m }: Meeting, word: string): Promise<void> {
  await untilTaken(() => juliet.sendText(roomId, `${word} of Juliet`));
  for (const user of [r, m]) await user.waitForMessage(`${word} of Juliet`, waitMs);
  await r.say(`${word} of Romeo`);
  for (const user of [juliet, nurse]) await hear(user, roomId, `${word} of Romeo`);
  await m.waitForMessage(`${word} of Romeo`, waitMs);
}

test("a bridge that is stopped and started while nobody speaks is not seen by anybody", {
  skip,
  timeout,
}, async () => {
  const scene = await meet("siesta");
  const [members, nicks] = [watchMembers(juliet, scene.roomId), watchNicks(scene.r)];
  assert.equal(await stage.bridge.stop(), 0);
  await stage.bridge.start();
  await finish(scene, "last");
  await stage.bridge.kill();
  await stage.bridge.start();
  await finish(scene, "very last");
  assert.deepEqual([members(), nicks()], [[], []]);
});

test("what is said on either side while the bridge is down is caught up with, once and in order", {
  skip,
  timeout,
}, async () => {
  const scene = await meet("market");
  const { roomId, r, m } = scene;
  const members = watchMembers(juliet, roomId);
  await stage.bridge.kill();
  for (let n = 0; n < 5; n += 1) {
    await r.say(`r${n}`);
    await m.say(`m${n}`);
    await juliet.sendText(roomId, `j${n}`);
  }
  await stage.bridge.start();
  await r.waitForMessage("j4", waitMs);
  await hear(juliet, roomId, "m4");
  await finish(scene, "last");
  const spoken = (prefix: RegExp, all: string[]) => all.filter((body) => prefix.test(body));
  const onMatrix = await bodies(juliet, roomId);
  assert.deepEqual(spoken(/^[rm]\d$/, onMatrix), [
    "r0",
    "m0",
    "r1",
    "m1",
    "r2",
    "m2",
    "r3",
    "m3",
    "r4",
    "m4",
  ]);
  const onXmpp = r.said().map(([, body]) => body);
  assert.deepEqual(spoken(/^j\d$/, onXmpp), ["j0", "j1", "j2", "j3", "j4"]);
  assert.deepEqual(spoken(/^last/, onMatrix), ["last of Juliet", "last of Romeo"]);
  // The Matrix room's people have not come and gone.
  assert.deepEqual(members(), []);
  // Prosody has put the puppets out, since nobody took what was said; they are there again, under their nicks.
  await waitFor(
    () => [...r.occupants().keys()].sort().join() === "Causeway,Mercutio,Romeo,juliet,nurse",
    "everybody to be there again",
    waitMs,
  );
});

test("a restart of Prosody is not seen on Matrix, and what was said meanwhile comes once and in order", {
  skip,
  timeout,
}, async () => {
  const scene = await meet("harbour");
  const { roomId, r, m } = scene;
  const members = watchMembers(juliet, roomId);
  const restarted = stage.prosody.restart();
  for (let n = 0; n < 5; n += 1) await juliet.sendText(roomId, `j${n}`);
  await restarted;
  await Promise.all([comeBack(r), comeBack(m)]);
  await finish(scene, "last");
  const heard = r.said().map(([, body]) => body);
  assert.deepEqual(
    heard.filter((body) => /^j\d$/.test(body)),
    ["j0", "j1", "j2", "j3", "j4"],
  );
  assert.deepEqual(members(), []);
});

test("a Prosody that was killed has its occupants again, and Matrix sees nothing of it", {
  skip,
  timeout,
}, async () => {
  const scene = await meet("cliff");
  const { roomId, r, m } = scene;
  const members = watchMembers(juliet, roomId);
  await stage.prosody.kill();
  for (let n = 0; n < 5; n += 1) await juliet.sendText(roomId, `j${n}`);
  await stage.prosody.start();
  await Promise.all([comeBack(r), comeBack(m)]);
  for (const nick of ["juliet", "nurse"]) await r.waitForPresence(nick, undefined, waitMs);
  await finish(scene, "last");
  const heard = r.said().map(([, body]) => body);
  assert.deepEqual(
    heard.filter((body) => /^j\d$/.test(body)),
    ["j0", "j1", "j2", "j3", "j4"],
  );
  assert.deepEqual(members(), []);
});

test("a restart of Synapse is not seen on XMPP, and what was said there comes once and in order", {
  skip,
  timeout,
}, async () => {
  const scene = await meet("tower");
  const { roomId, r, m } = scene;
  const nicks = watchNicks(r);
  const restarted = stage.synapse.restart();
  for (let n = 0; n < 5; n += 1) {
    await r.say(`r${n}`);
    await m.say(`m${n}`);
  }
  await restarted;
  await finish(scene, "last");
  const heard = await bodies(juliet, roomId);
  assert.deepEqual(
    heard.filter((body) => /^[rm]\d$/.test(body)),
    ["r0", "m0", "r1", "m1", "r2", "m2", "r3", "m3", "r4", "m4"],
  );
  assert.deepEqual(nicks(), []);
});

/** Romeo and Mercutio as guests of a Matrix room. */
async function host(name: string): Promise<Meeting> {
  const roomId = await juliet.createRoom({ preset: "public_chat", name, room_alias_name: name });
  await nurse.join(roomId);
  const room = `#${name}%hs.test@${component}`;
  const r = await joinMuc(romeo, room, "Romeo");
  const m = await joinMuc(mercutio, room, "Mercutio");
  await waitForMembers(juliet, roomId, ["Mercutio", "Romeo", "juliet", "nurse"]);
  await r.waitForPresence("Mercutio", undefined, waitMs);
  // Her own client may be told of it after everybody else.
  await juliet.waitFor(
    ({ room_id, type, content }) =>
      room_id === roomId && type === "m.room.member" && content.displayname === "Mercutio",
    waitMs,
  );
  return { room, roomId, r, m };
}

test("guests of a Matrix room stay inside while the bridge is restarted, and hear what was said", {
  skip,
  timeout,
}, async () => {
  const scene = await host("terrace");
  const { room, roomId, r, m } = scene;
  const [members, nicks] = [watchMembers(juliet, roomId), watchNicks(r)];
  await stage.bridge.kill();
  for (let n = 0; n < 5; n += 1) await juliet.sendText(roomId, `j${n}`);
  await stage.bridge.start();
  await m.waitForMessage("j4", waitMs);
  await finish(scene, "last");
  for (const user of [r, m]) {
    assert.deepEqual(user.said(), [
      ...Array.from({ length: 5 }, (_, n) => ["juliet", `j${n}`]),
      ["juliet", "last of Juliet"],
      ["Romeo", "last of Romeo"],
    ]);
  }
  assert.deepEqual([members(), nicks()], [[], []]);
  const ping = xml("iq", { type: "get", to: `${room}/Romeo` }, xml("ping", { xmlns: "urn:xmpp:ping" }));
  assert.equal((await romeo.request(ping)).attrs.type, "result");
});

test("guests whose Prosody was killed come back as who they were, and Matrix sees nothing of it", {
  skip,
  timeout,
}, async () => {
  const scene = await host("gallery");
  const { roomId, r, m } = scene;
  const members = watchMembers(juliet, roomId);
  await stage.prosody.kill();
  await juliet.sendText(roomId, "Is anybody there?");
  await stage.prosody.start();
  await Promise.all([comeBack(r), comeBack(m)]);
  await finish(scene, "last");
  assert.deepEqual(members(), []);
  assert.deepEqual([...r.occupants().keys()].sort(), ["Mercutio", "Romeo", "juliet", "nurse"]);
});

test("and nobody has left any of these rooms later on", { skip }, () => {
  assert.deepEqual(
    watched.flatMap((seen) => seen()),
    [],
  );
});
