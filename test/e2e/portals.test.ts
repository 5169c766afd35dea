/** Portals: XMPP rooms of a real Prosody as Matrix rooms of a real Synapse, from first contact to the last word. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc } from "../servers/muc-user.ts";
import { statusesOf } from "../servers/muc-view.ts";
import {
  askBot,
  gather,
  hear,
  type Meeting,
  meetInPortal,
  membersOf,
  openBotChat,
  openMuc,
  type People,
  portalAlias,
  saidIn,
  stateOf,
  waitForAbsence,
  waitForMember,
  waitForMembers,
} from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const timeout = 120_000;
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

const address = (name: string) => `${name}@${stage.muc}`;
const reply = (to: string, id: string): Element => xml("reply", { xmlns: "urn:xmpp:reply:0", to, id });
const stanzaId = (stanza: Element): string => String(stanza.getChild("stanza-id")?.attrs.id);

/** Two of each network in one portal. */
const meet = (name: string): Promise<Meeting> => meetInPortal(people, name);

test("joining the alias of an XMPP room finds it with its name, subject, people and what was said", {
  skip,
  timeout,
}, async () => {
  const room = address("orchard");
  const r = await openMuc(romeo, room, "Romeo", { "muc#roomconfig_roomname": "The orchard" });
  const m = await joinMuc(mercutio, room, "Mercutio");
  await r.setSubject("Apples");
  await r.say("He jests at scars");
  await m.say("that never felt a wound");
  const roomId = await juliet.join(portalAlias(room));
  await waitForMembers(juliet, roomId, ["Mercutio", "Romeo", "juliet"]);
  await r.waitForPresence("juliet", undefined, 30_000);
  assert.equal((await stateOf(juliet, roomId, "m.room.name"))?.name, "The orchard");
  await waitFor(
    async () => (await stateOf(juliet, roomId, "m.room.topic"))?.topic === "Apples",
    "the subject to be the topic",
  );
  assert.equal((await stateOf(juliet, roomId, "m.room.canonical_alias"))?.alias, portalAlias(room));
  await waitFor(async () => (await saidIn(juliet, roomId)).length > 1, "what was said before");
  assert.deepEqual(await saidIn(juliet, roomId), [
    ["Romeo", "He jests at scars"],
    ["Mercutio", "that never felt a wound"],
  ]);
  // Semi-anonymous: who is behind a nick is not told.
  for (const id of (await membersOf(juliet, roomId)).keys()) assert.doesNotMatch(id, /romeo=40|mercutio=40/);
  assert.deepEqual([...r.occupants().keys()].sort(), ["Causeway", "Mercutio", "Romeo", "juliet"]);
});

test("the alias of a room that does not exist leads nowhere, and nothing is made", {
  skip,
  timeout,
}, async () => {
  await assert.rejects(juliet.join(portalAlias(address("nowhere"))), /404/);
  const info = xml("query", { xmlns: "http://jabber.org/protocol/disco#info" });
  await assert.rejects(
    romeo.request(xml("iq", { type: "get", to: address("nowhere") }, info)),
    /item-not-found/,
  );
});

test("the bot opens an XMPP room for whoever asks it to", { skip, timeout }, async () => {
  const room = address("chapel");
  const r = await openMuc(romeo, room, "Romeo");
  const chat = await openBotChat(nurse);
  assert.match(await askBot(nurse, chat, `join ${room}`), /chapel/);
  const roomId = await waitFor(
    () => [...nurse.invites, ...nurse.joinedRooms].find((id) => id !== chat),
    "the invitation",
  );
  await nurse.join(roomId);
  await r.waitForPresence("nurse", undefined, 30_000);
  await nurse.sendText(roomId, "Is it within?");
  assert.equal((await r.waitForMessage("Is it within?", 20_000)).attrs.from, `${room}/nurse`);
});

test("two of each network hear everything once, in one order, from whom it is", {
  skip,
  timeout,
}, async () => {
  const { room, roomId, r, m } = await meet("square");
  const script: [string, string][] = [];
  for (let n = 0; n < 5; n += 1) {
    script.push(["Romeo", `r${n}`], ["juliet", `j${n}`], ["Mercutio", `m${n}`], ["nurse", `n${n}`]);
  }
  const speak: Record<string, (body: string) => Promise<unknown>> = {
    Romeo: (body) => r.say(body),
    Mercutio: (body) => m.say(body),
    juliet: async (body) => {
      await juliet.sendText(roomId, body);
      await r.waitForMessage(body, 20_000);
    },
    nurse: async (body) => {
      await nurse.sendText(roomId, body);
      await r.waitForMessage(body, 20_000);
    },
  };
  for (const [who, body] of script) {
    await speak[who]?.(body);
    await hear(juliet, roomId, body);
  }
  await m.waitForMessage("n4", 20_000);
  assert.deepEqual(r.said(), script);
  assert.deepEqual(m.said(), script);
  assert.deepEqual(await saidIn(juliet, roomId), script);
  assert.deepEqual(await saidIn(nurse, roomId), script);
  assert.equal(r.room, room);
});

test("edits, replies, reactions and retractions find their message, both ways", {
  skip,
  timeout,
}, async () => {
  const { room, roomId, r } = await meet("balcony");
  const asked = await r.say("What light through yonder window breacks?", [], "first-words");
  const event = await hear(juliet, roomId, "What light through yonder window breacks?");

  await r.say(
    "What light through yonder window breaks?",
    [xml("replace", { xmlns: "urn:xmpp:message-correct:0", id: "first-words" })],
    "second-words",
  );
  const edit = await juliet.waitFor(
    ({ room_id, content }) => room_id === roomId && content["m.new_content"] !== undefined,
    20_000,
  );
  assert.deepEqual(
    [edit.content["m.relates_to"], (edit.content["m.new_content"] as { body: string }).body],
    [{ rel_type: "m.replace", event_id: event.event_id }, "What light through yonder window breaks?"],
  );

  const answered = await juliet.send(roomId, "m.room.message", {
    msgtype: "m.text",
    body: "The sun",
    "m.relates_to": { "m.in_reply_to": { event_id: event.event_id } },
  });
  const answer = await r.waitFor(({ attrs }) => attrs.id === answered, 20_000);
  assert.deepEqual(answer.getChild("reply")?.attrs, {
    xmlns: "urn:xmpp:reply:0",
    id: stanzaId(asked),
    to: `${room}/Romeo`,
  });

  await r.say("It is the east", [reply(`${room}/juliet`, stanzaId(answer))]);
  const replied = await hear(juliet, roomId, "It is the east");
  assert.deepEqual(replied.content["m.relates_to"], { "m.in_reply_to": { event_id: answered } });

  await r.post([
    xml("reactions", { xmlns: "urn:xmpp:reactions:0", id: stanzaId(answer) }, xml("reaction", {}, "☀️")),
    xml("store", { xmlns: "urn:xmpp:hints" }),
  ]);
  const reaction = await juliet.waitFor(
    ({ room_id, type }) => room_id === roomId && type === "m.reaction",
    20_000,
  );
  assert.deepEqual(reaction.content["m.relates_to"], {
    rel_type: "m.annotation",
    event_id: answered,
    key: "☀️",
  });

  await nurse.send(roomId, "m.reaction", {
    "m.relates_to": { rel_type: "m.annotation", event_id: event.event_id, key: "🌹" },
  });
  const reacted = await r.waitFor(
    (stanza) => stanza.getChild("reactions")?.attrs.id === stanzaId(asked),
    20_000,
  );
  assert.deepEqual(
    [reacted.attrs.from, reacted.getChild("reactions")?.getChildText("reaction")],
    [`${room}/nurse`, "🌹"],
  );

  const redact = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact`;
  await juliet.request("PUT", `${redact}/${encodeURIComponent(answered)}/1`, {});
  const retracted = await r.waitFor(
    (stanza) => stanza.getChild("retract")?.attrs.id === stanzaId(answer),
    20_000,
  );
  assert.equal(retracted.attrs.from, `${room}/juliet`);

  await r.post([
    xml("retract", { xmlns: "urn:xmpp:message-retract:1", id: stanzaId(asked) }),
    xml("store", { xmlns: "urn:xmpp:hints" }),
  ]);
  const redaction = await juliet.waitFor(
    ({ room_id, type, redacts, content }) =>
      room_id === roomId && type === "m.room.redaction" && (redacts ?? content.redacts) === event.event_id,
    20_000,
  );
  assert.equal(redaction.sender, event.sender);
});

test("a nick that is taken gets a suffix, and changes of name cross both ways", {
  skip,
  timeout,
}, async () => {
  const room = address("names");
  const r = await openMuc(romeo, room, "juliet");
  const roomId = await juliet.join(portalAlias(room));
  const other = await waitFor(
    () => [...r.occupants().keys()].find((nick) => nick !== "juliet" && nick !== "Causeway"),
    "Juliet to be an occupant",
  );
  assert.match(other, /juliet/i);
  await juliet.sendText(roomId, "I am the other one");
  assert.equal((await r.waitForMessage("I am the other one", 20_000)).attrs.from, `${room}/${other}`);

  const ghost = await waitFor(
    async () => [...(await membersOf(juliet, roomId)).keys()].find((id) => id !== juliet.userId),
    "the ghost",
  );
  await r.setNick("Montague");
  assert.equal(await waitForMember(juliet, roomId, "Montague"), ghost);

  await juliet.sendState(
    roomId,
    "m.room.member",
    { membership: "join", displayname: "Capulet \u{1F339}" },
    juliet.userId,
  );
  const gone = await r.waitFor(
    (stanza) =>
      stanza.is("presence") && stanza.attrs.from === `${room}/${other}` && statusesOf(stanza).includes("303"),
    20_000,
  );
  // Prosody takes no nick with characters that Unicode 3.2 does not have.
  assert.match(
    String(gone.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("item")?.attrs.nick),
    /^Capulet/,
  );
});

test("a private message to a Matrix user is a direct chat with the occupant, and is answered there", {
  skip,
  timeout,
}, async () => {
  const { r, m, room } = await meet("whispers");
  await r.sendTo("juliet", "Psst");
  const invitation = await waitFor(() => [...juliet.invites][0], "the direct chat", 30_000);
  await juliet.join(invitation);
  const psst = await hear(juliet, invitation, "Psst");
  assert.match(psst.sender, /^@_xmpp_whispers=40conference\.xmpp\.test=2f/);
  await juliet.sendText(invitation, "What is it?");
  const answer = await r.waitFor((stanza) => stanza.getChildText("body") === "What is it?", 20_000);
  assert.deepEqual(
    [answer.attrs.type, answer.attrs.from, answer.attrs.to],
    ["chat", `${room}/juliet`, romeo.jid],
  );
  assert.deepEqual(m.said(), []);
});

test("those who leave are gone on the other side", { skip, timeout }, async () => {
  const { roomId, r, m } = await meet("farewells");
  await nurse.leave(roomId);
  await r.waitForExit("nurse", 20_000);
  await m.leave();
  await waitForAbsence(juliet, roomId, "Mercutio");
});
