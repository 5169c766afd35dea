import assert from "node:assert/strict";
import test from "node:test";
import { UndeliverableError } from "../../src/bridge/failure.ts";
import type { Content } from "../../src/matrix/event.ts";
import type { EventId } from "../../src/matrix/ids.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { xml } from "../../src/xmpp/stanza.ts";
import { juliet, julietsPuppet, muc, setLinkedRoom, told } from "./linked-room.ts";

const text = (body: string, more: Content = {}): Content => ({ msgtype: "m.text", body, ...more });
const body = (words: string) => xml("body", {}, words);
const relation = (rel_type: string, event_id: string, more: Content = {}): Content => ({
  "m.relates_to": { rel_type, event_id, ...more },
});

test("what Juliet writes is said by her puppet, and what comes back is nobody's message but its acknowledgement", async (t) => {
  const { say, reflect, seen, store, link, roomId } = await setLinkedRoom(t);
  const { id, stanzas } = await say("m.room.message", text("Good night"));
  const [stanza] = stanzas;
  assert.deepEqual(stanza?.attrs, { type: "groupchat", from: julietsPuppet, to: muc, id });
  assert.equal(told(stanza), "<body>Good night</body>");
  await reflect(stanza, "Juliet", "archived-1");
  assert.deepEqual(seen(), []);
  const [known] = await store.messages.ofEvent(roomId, id);
  assert.deepEqual(known?.stanzaId, { id: "archived-1", by: muc });
  assert.equal((await store.links.ofRoom(link.roomId))?.archiveId, "archived-1");
});

test("what Romeo says is written by his ghost, once, whether it comes live or from the archive", async (t) => {
  const { hear, ghost, stanzaId, seen } = await setLinkedRoom(t);
  const [event] = await hear("Romeo", [body("Soft!"), stanzaId("a1")], { id: "r1" });
  assert.deepEqual([event?.sender, event?.content.body], [ghost, "Soft!"]);
  assert.deepEqual(event?.content["causeway.xmpp"], { id: "r1", stanza_id: "a1", by: muc });
  const delay = xml("delay", { xmlns: NS.delay, from: muc, stamp: "2026-01-02T03:04:05Z" });
  assert.deepEqual(await hear("Romeo", [body("Soft!"), delay, stanzaId("a1")], { id: "r1" }), []);
  const [old] = await hear("Romeo", [body("But soft"), delay, stanzaId("a2")], { id: "r2" });
  assert.equal(old?.origin_server_ts, Date.parse("2026-01-02T03:04:05Z"));
  assert.deepEqual(await hear("Romeo", [body("But soft"), delay], { id: "r2" }), []);
  assert.equal(seen().length, 2);
});

test("what an occupant says is not lost while one of ours asks for the same nick", async (t) => {
  const { hear, nicks } = await setLinkedRoom(t);
  nicks.set(juliet, "Romeo");
  const occupantId = xml("occupant-id", { xmlns: NS.occupantId, id: "occupant-1" });
  const [event] = await hear("Romeo", [body("Soft!"), occupantId], { id: "r1" });
  assert.equal(event?.content.body, "Soft!");
});

test("what the bot has said is nobody's message when it comes from the archive", async (t) => {
  const { hear, nicks } = await setLinkedRoom(t);
  nicks.set(juliet, "Jule");
  const occupantId = xml("occupant-id", { xmlns: NS.occupantId, id: "juliets-id" });
  const delay = xml("delay", { xmlns: NS.delay, from: muc, stamp: "2026-01-02T03:04:05Z" });
  assert.deepEqual(await hear("Juliet", [body("An answer"), delay, occupantId], { id: "0f3a" }), []);
});

test("a stanza ID that is not the room's own counts for nothing", async (t) => {
  const { hear, say } = await setLinkedRoom(t);
  const forged = xml("stanza-id", { xmlns: NS.stableId, id: "mine", by: "evil@conference.xmpp.test" });
  const [event] = await hear("Romeo", [body("Soft!"), forged], { id: "r1" });
  assert.deepEqual(event?.content["causeway.xmpp"], { id: "r1" });
  const { stanzas } = await say("m.reaction", relation("m.annotation", event?.event_id ?? "", { key: "👍" }));
  assert.equal(stanzas[0]?.getChild("reactions")?.attrs.id, "r1");
});

test("Juliet's replies, reactions and retractions name what the room calls the message, her edits what she called it", async (t) => {
  const { hear, say, reflect, stanzaId, person, roomId, deliver } = await setLinkedRoom(t);
  const [soft] = await hear("Romeo", [body("Soft!"), stanzaId("a1")], { id: "r1" });
  const reply = await say(
    "m.room.message",
    text("Ay me!", { "m.relates_to": { "m.in_reply_to": { event_id: soft?.event_id } } }),
  );
  assert.equal(
    told(reply.stanzas[0]),
    "<body>&gt; Romeo:\n&gt; Soft!\nAy me!</body>" +
      `<reply xmlns="${NS.reply}" to="${muc}/Romeo" id="a1"/>` +
      `<fallback xmlns="${NS.fallback}" for="${NS.reply}"><body start="0" end="17"/></fallback>`,
  );
  const reaction = await say("m.reaction", relation("m.annotation", soft?.event_id ?? "", { key: "❤️" }));
  assert.equal(reaction.stanzas[0]?.attrs.type, "groupchat");
  assert.equal(
    told(reaction.stanzas[0]),
    `<reactions xmlns="${NS.reactions}" id="a1"><reaction>❤️</reaction></reactions><store xmlns="${NS.hints}"/>`,
  );
  await reflect(reply.stanzas[0], "Juliet", "a2");
  const edit = await say(
    "m.room.message",
    text("* Ah me!", { "m.new_content": text("Ah me!"), ...relation("m.replace", reply.id) }),
  );
  assert.equal(edit.stanzas[0]?.getChild("replace")?.attrs.id, reply.id);
  const redaction = person.redact(roomId, reply.id) as EventId;
  const [retraction] = await deliver(redaction);
  assert.equal(retraction?.getChild("retract")?.attrs.id, "a2");
});

test("what Juliet does to her message at once waits until the room has given it back", async (t) => {
  const { say, reflect, heard } = await setLinkedRoom(t, "puppets", 20_000);
  const { id, stanzas } = await say("m.room.message", text("Ay me!"));
  const reacting = say("m.reaction", relation("m.annotation", id, { key: "🌹" }));
  // What begins later and has to wait for nothing is done first.
  await say("m.room.message", text("O Romeo"));
  assert.deepEqual(
    heard.map((stanza) => stanza.getChildText("body")),
    ["Ay me!", "O Romeo"],
  );
  await reflect(stanzas[0], "Juliet", "a1");
  assert.equal((await reacting).stanzas.at(-1)?.getChild("reactions")?.attrs.id, "a1");
});

test("Romeo's replies, corrections, reactions and retractions find their message, and nobody else's do", async (t) => {
  const { hear, say, reflect, stanzaId, ghost, occupant } = await setLinkedRoom(t);
  await occupant("Mercutio", "occupant-2");
  const { id, stanzas } = await say("m.room.message", text("Good night"));
  await reflect(stanzas[0], "Juliet", "a1");
  const [reply] = await hear(
    "Romeo",
    [body("Good night"), xml("reply", { xmlns: NS.reply, to: `${muc}/Juliet`, id: "a1" }), stanzaId("a2")],
    { id: "r1" },
  );
  assert.deepEqual(reply?.content["m.relates_to"], { "m.in_reply_to": { event_id: id } });
  const replace = xml("replace", { xmlns: NS.correct, id: "r1" });
  const [edit] = await hear("Romeo", [body("Good morrow"), replace, stanzaId("a3")], { id: "r2" });
  assert.deepEqual(edit?.content["m.relates_to"], { rel_type: "m.replace", event_id: reply?.event_id });
  const [other] = await hear("Mercutio", [body("Ha"), replace, stanzaId("a4")], { id: "m1" });
  assert.deepEqual([other?.content["m.relates_to"], other?.content.body], [undefined, "Edit: Ha"]);
  const reactions = xml("reactions", { xmlns: NS.reactions, id: "a1" }, xml("reaction", {}, "👍"));
  const [reaction] = await hear("Romeo", [reactions, stanzaId("a5")], { id: "r3" });
  assert.deepEqual(
    [reaction?.type, reaction?.sender, reaction?.content["m.relates_to"]],
    ["m.reaction", ghost, { rel_type: "m.annotation", event_id: id, key: "👍" }],
  );
  const retract = (target: string) => xml("retract", { xmlns: NS.retract, id: target });
  assert.deepEqual(await hear("Mercutio", [retract("a2"), stanzaId("a6")], { id: "m2" }), []);
  const redactions = await hear("Romeo", [retract("a2"), stanzaId("a7")], { id: "r4" });
  assert.deepEqual(
    redactions.map(({ type, sender, content }) => [type, sender, content.redacts]),
    [
      ["m.room.redaction", ghost, reply?.event_id],
      ["m.room.redaction", ghost, edit?.event_id],
    ],
  );
});

test("what a moderator has removed goes on Matrix too, where the room says so and nobody else", async (t) => {
  const { hear, messages, link, attempt, toListener, stanzaId, seen, addresses } = await setLinkedRoom(t);
  const [insult] = await hear("Romeo", [body("Fool!"), stanzaId("a1")], { id: "r1" });
  const retract = xml(
    "retract",
    { xmlns: NS.retract, id: "a1" },
    xml("moderated", { xmlns: NS.moderate, by: `${muc}/Prince` }),
    xml("reason", {}, "Rebellious subject"),
  );
  assert.deepEqual(await hear("Romeo", [retract], { id: "r2" }), []);
  await messages.onStanza(link, toListener(muc, [retract]), attempt());
  const redaction = seen().at(-1);
  assert.deepEqual(
    [redaction?.type, redaction?.sender, redaction?.content],
    ["m.room.redaction", addresses.botUserId, { redacts: insult?.event_id, reason: "Rebellious subject" }],
  );
});

test("Juliet removes what Romeo wrote as a moderator of the MUC, or the bot does, or she is told that nobody can", async (t) => {
  const { hear, stanzaId, person, roomId, deliver, refusals, heard } = await setLinkedRoom(t);
  const [insult] = await hear("Romeo", [body("Fool!"), stanzaId("a1")], { id: "r1" });
  const forbidden = { type: "auth", condition: "forbidden" };
  refusals.push(forbidden);
  const redaction = person.redact(roomId, insult?.event_id ?? "") as EventId;
  const [asked, askedAgain] = await deliver(redaction);
  assert.deepEqual([asked?.attrs.from, askedAgain?.attrs.from], [julietsPuppet, "bridge.xmpp.test/causeway"]);
  assert.equal(
    told(askedAgain),
    `<moderate xmlns="${NS.moderate}" id="a1"><retract xmlns="${NS.retract}"/></moderate>`,
  );
  heard.length = 0;
  refusals.push(forbidden, forbidden);
  await assert.rejects(deliver(redaction), UndeliverableError);
});

test("people are mentioned by their nicks, and called by them", async (t) => {
  const { hear, say, ghost } = await setLinkedRoom(t);
  const [byName] = await hear("Romeo", [body("Juliet: speak again")], { id: "r1" });
  assert.deepEqual(byName?.content["m.mentions"], { user_ids: [juliet] });
  const reference = xml("reference", {
    xmlns: NS.reference,
    type: "mention",
    begin: "2",
    end: "8",
    uri: `xmpp:${muc}/Juliet`,
  });
  const [byReference] = await hear("Romeo", [body("O Juliet!"), reference], { id: "r2" });
  assert.deepEqual(byReference?.content["m.mentions"], { user_ids: [juliet] });
  const mention = (occupantid: string) => xml("mention", { xmlns: NS.mentions, occupantid });
  const [byId] = await hear("Romeo", [body("You two!"), mention("juliets-id"), mention("occupant-1")]);
  assert.deepEqual(byId?.content["m.mentions"], { user_ids: [juliet, ghost] });
  const { stanzas } = await say("m.room.message", {
    ...text("romeo: where art thou"),
    format: "org.matrix.custom.html",
    formatted_body: `<a href="https://matrix.to/#/${encodeURIComponent(ghost)}">somebody</a>: where art thou`,
  });
  assert.equal(
    told(stanzas[0]),
    "<body>Romeo: where art thou</body>" +
      `<reference xmlns="${NS.reference}" type="mention" begin="0" end="5" uri="xmpp:${muc}/Romeo"/>`,
  );
});

test("a message that has been in the room before is left out, on either side", async (t) => {
  const { hear, say, roomId, lines } = await setLinkedRoom(t);
  const via = (...rooms: string[]) =>
    xml(
      "via",
      { xmlns: NS.via },
      ...rooms.map((id) => xml("room", id.startsWith("!") ? { id } : { jid: id })),
    );
  assert.deepEqual(await hear("Romeo", [body("round"), via("x@conference.xmpp.test", roomId)]), []);
  const [passed] = await hear("Romeo", [body("on"), via("x@conference.xmpp.test")]);
  assert.deepEqual(passed?.content["causeway.via"], ["x@conference.xmpp.test", muc]);
  const circle = await say("m.room.message", text("round", { "causeway.via": [muc] }));
  assert.deepEqual(circle.stanzas, []);
  const onward = await say("m.room.message", text("on", { "causeway.via": ["!other:hs.test"] }));
  assert.equal(
    onward.stanzas[0]?.getChild("via")?.toString(),
    `<via xmlns="${NS.via}"><room id="!other:hs.test"/><room id="${roomId}"/></via>`,
  );
  assert.equal(lines.filter((line) => line.includes("has been in this room before")).length, 2);
});

test("an event that another bridge of the same rooms has said comes back as nobody's message", async (t) => {
  const { say, hear, store, roomId, occupant } = await setLinkedRoom(t);
  await occupant("Juliet (2)", "occupant-3");
  const { id } = await say("m.room.message", text("Good night"));
  assert.deepEqual(await hear("Juliet (2)", [body("Good night")], { id }), []);
  const [known] = await store.messages.ofEvent(roomId, id);
  assert.equal(known?.stanzaId, undefined);
});

test("a puppet that the room has lost comes back and says it again, and one without a voice is told", async (t) => {
  const { say, refusals, rejoined, heard } = await setLinkedRoom(t);
  refusals.push({ type: "cancel", condition: "not-acceptable" });
  const { id } = await say("m.room.message", text("Ay me!"));
  assert.deepEqual(rejoined, [juliet]);
  assert.deepEqual(
    heard.map(({ attrs }) => attrs.id),
    [id, id],
  );
  refusals.push({ type: "auth", condition: "forbidden" });
  await assert.rejects(say("m.room.message", text("I say")), /gives you no voice/);
});

test("a refusal that comes later is told once, as an answer to the message", async (t) => {
  const { say, messages, link, attempt, seen, rejoined, heard } = await setLinkedRoom(t);
  const { id } = await say("m.room.message", text("Ay me!"));
  const refused = (condition: string) =>
    xml(
      "message",
      { type: "error", from: muc, to: julietsPuppet, id },
      xml("error", { type: "cancel" }, xml(condition, { xmlns: NS.stanzaErrors })),
    );
  await messages.onError(link, refused("not-acceptable"), attempt());
  assert.deepEqual([rejoined, heard.length, seen()], [[juliet], 2, []]);
  await messages.onError(link, refused("not-acceptable"), attempt());
  const [notice] = seen();
  assert.deepEqual(notice?.content["m.relates_to"], { "m.in_reply_to": { event_id: id } });
  assert.match(
    String(notice?.content.body),
    /^Your message was not delivered to verona@conference\.xmpp\.test\./,
  );
});

test("a file with a caption that was said by somebody who had lost their place is not said to be undelivered", async (t) => {
  const { say, messages, link, attempt, seen, heard } = await setLinkedRoom(t);
  const file = { msgtype: "m.file", body: "See", filename: "a.txt", url: "mxc://hs.test/a" };
  const { stanzas } = await say("m.room.message", file);
  const refusals = stanzas.map(({ attrs: { id } }) =>
    xml(
      "message",
      { type: "error", from: muc, to: julietsPuppet, id },
      xml("error", { type: "cancel" }, xml("not-acceptable", { xmlns: NS.stanzaErrors })),
    ),
  );
  assert.equal(refusals.length, 2);
  for (const refusal of refusals) await messages.onError(link, refusal, attempt());
  assert.deepEqual([heard.length, seen()], [4, []]);
  for (const refusal of refusals.slice(1)) await messages.onError(link, refusal, attempt());
  assert.equal(seen().length, 1);
});

test("after an attempt that may have had its effect, only what has not come back is said again", async (t) => {
  const { say, reflect, deliver } = await setLinkedRoom(t);
  const first = await say("m.room.message", text("Ay me!"));
  await reflect(first.stanzas[0], "Juliet", "a1");
  assert.deepEqual(await deliver(first.id, true), []);
  const second = await say("m.room.message", text("She speaks"));
  assert.equal((await deliver(second.id, true)).length, 1);
});

test("in relay mode the bot says who speaks, and what refers to it is found", async (t) => {
  const { say, reflect, hear, stanzaId, person, roomId, deliver, homeserver } = await setLinkedRoom(
    t,
    "relay",
  );
  const first = await say("m.room.message", text("Ay me!"));
  const [stanza] = first.stanzas;
  assert.equal(stanza?.attrs.from, "bridge.xmpp.test/causeway");
  assert.equal(told(stanza), "<body>juliet: Ay me!</body>");
  await reflect(stanza, "Causeway", "a1");
  const [reply] = await hear(
    "Romeo",
    [body("She speaks"), xml("reply", { xmlns: NS.reply, id: "a1" }), stanzaId("a2")],
    { id: "r1" },
  );
  assert.deepEqual(reply?.content["m.relates_to"], { "m.in_reply_to": { event_id: first.id } });
  const edit = await say(
    "m.room.message",
    text("* Ah me!", { "m.new_content": text("Ah me!"), ...relation("m.replace", first.id) }),
  );
  assert.equal(
    told(edit.stanzas[0]),
    `<body>juliet: Ah me!</body><replace xmlns="${NS.correct}" id="${first.id}"/>`,
  );
  const nurse = homeserver.user("nurse");
  person.invite(roomId, nurse.userId);
  nurse.join(roomId);
  const target = reply?.event_id ?? "";
  await say("m.reaction", relation("m.annotation", target, { key: "👍" }));
  const second = nurse.send(roomId, "m.reaction", relation("m.annotation", target, { key: "🌹" }));
  const [both] = await deliver(second as EventId);
  assert.deepEqual(
    both
      ?.getChild("reactions")
      ?.getChildren("reaction")
      .map((one) => one.getText()),
    ["👍", "🌹"],
  );
  const [left] = await deliver(nurse.redact(roomId, second) as EventId);
  assert.deepEqual(
    left
      ?.getChild("reactions")
      ?.getChildren("reaction")
      .map((one) => one.getText()),
    ["👍"],
  );
  const [retraction] = await deliver(person.redact(roomId, first.id) as EventId);
  assert.equal(retraction?.getChild("retract")?.attrs.id, "a1");
});

test("a subject is the room's, and an occupant's private message a conversation of two", async (t) => {
  const { hear, subjects, messages, link, attempt, conversed, ghost, store } = await setLinkedRoom(t);
  await hear("Romeo", [xml("subject", {}, "In fair Verona")]);
  assert.deepEqual(subjects, ["In fair Verona"]);
  const message = xml(
    "message",
    { type: "chat", from: `${muc}/Romeo`, to: julietsPuppet, id: "p1" },
    body("Psst"),
    xml("x", { xmlns: NS.mucUser }),
  );
  await messages.onPrivate(link, message, attempt());
  const [{ userId, jid } = assert.fail()] = conversed;
  assert.deepEqual([userId, jid], [juliet, `${muc}/occupant-1`]);
  const occupant = await store.occupants.ofGhost(muc, ghost);
  assert.ok(occupant);
  await store.occupants.save({ ...occupant, nick: "Montague" });
  const way = () => messages.wayToOccupant(juliet, `${muc}/occupant-1` as never);
  assert.deepEqual(await way(), { from: julietsPuppet, to: `${muc}/Montague` });
  await store.occupants.save({ ...occupant, isIn: false });
  await assert.rejects(way, /Romeo is not in verona@conference\.xmpp\.test now/);
});

test("in relay mode a name is somebody else's only while they are there", async (t) => {
  const { say, store, person, roomId } = await setLinkedRoom(t, "relay");
  person.send(roomId, "m.room.member", { membership: "join", displayname: "Romeo" }, juliet);
  const said = async () => (await say("m.room.message", text("Ay me!"))).stanzas[0]?.getChildText("body");
  assert.equal(await said(), `Romeo (${juliet}): Ay me!`);
  for (const one of await store.occupants.inMuc(muc)) await store.occupants.save({ ...one, isIn: false });
  assert.equal(await said(), "Romeo: Ay me!");
});
