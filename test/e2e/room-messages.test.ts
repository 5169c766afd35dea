/** What is said in linked rooms, between real users of a real Synapse and rooms of a real Prosody. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { SyncEvent } from "../servers/matrix-sync.ts";
import { joinMuc } from "../servers/muc-user.ts";
import { hear, openMuc, portalAlias, waitForMember } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";

const skip = serversMissing() ?? false;
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const ns = {
  correct: "urn:xmpp:message-correct:0",
  moderate: "urn:xmpp:message-moderate:1",
  reactions: "urn:xmpp:reactions:0",
  reference: "urn:xmpp:reference:0",
  reply: "urn:xmpp:reply:0",
  retract: "urn:xmpp:message-retract:1",
  stableId: "urn:xmpp:sid:0",
  mucUser: "http://jabber.org/protocol/muc#user",
};
const waitMs = 20_000;

type Seen = SyncEvent & { event_id: string };
const relation = (type: string, eventId: string, more: Record<string, unknown> = {}) => ({
  "m.relates_to": { rel_type: type, event_id: eventId, ...more },
});
const keysOf = (stanza: Element): string[] =>
  stanza
    .getChild("reactions", ns.reactions)
    ?.getChildren("reaction")
    .map((reaction) => reaction.text())
    .sort() ?? [];

/** A portal with Juliet and the Nurse on Matrix, Romeo, who owns the XMPP room, and Mercutio. */
async function meet(local: string) {
  const [romeoUser, mercutioUser] = [
    await stage.xmppUser(`romeo-${local}`),
    await stage.xmppUser(`mercutio-${local}`),
  ];
  const address = `${local}@${stage.muc}`;
  const romeo = await openMuc(romeoUser, address, "Romeo");
  const mercutio = await joinMuc(mercutioUser, address, "Mercutio");
  const juliet = await stage.matrixUser(`juliet-${local}`);
  const nurse = await stage.matrixUser(`nurse-${local}`);
  const room = await juliet.join(portalAlias(address));
  await nurse.join(portalAlias(address));
  const [julietsNick, nursesNick] = [`juliet-${local}`, `nurse-${local}`];
  for (const nick of [julietsNick, nursesNick]) await romeo.waitForPresence(nick);
  const ghosts = {
    romeo: await waitForMember(juliet, room, "Romeo"),
    mercutio: await waitForMember(juliet, room, "Mercutio"),
  };
  const stanzaIdOf = (stanza: Element): string => String(stanza.getChild("stanza-id", ns.stableId)?.attrs.id);
  const say = (body: string, more: Record<string, unknown> = {}) =>
    juliet.send(room, "m.room.message", { msgtype: "m.text", body, ...more });
  return {
    address,
    romeo,
    mercutio,
    juliet,
    nurse,
    room,
    julietsNick,
    nursesNick,
    ghosts,
    stanzaIdOf,
    say,
    /** Juliet says it. @returns the event's ID, and the message as Mercutio's client has it. */
    said: async (body: string, more: Record<string, unknown> = {}) => {
      const id = await say(body, more);
      return { id, stanza: await mercutio.waitFor(({ attrs }) => attrs.id === id, waitMs) };
    },
    sees: async (matches: (event: SyncEvent) => boolean): Promise<Seen> =>
      (await juliet.waitFor((event) => event.room_id === room && matches(event), waitMs)) as Seen,
    seesBody: async (body: string): Promise<Seen> => (await hear(juliet, room, body)) as Seen,
    hears: (matches: (stanza: Element) => boolean) => mercutio.waitFor(matches, waitMs),
  };
}

test("what refers to a message finds it, in both directions", { skip }, async () => {
  const {
    romeo,
    mercutio,
    said,
    say,
    hears,
    seesBody,
    sees,
    stanzaIdOf,
    ghosts,
    julietsNick,
    juliet,
    room,
    address,
  } = await meet("orchard");
  const hers = await said("Art thou not Romeo?");
  assert.equal(hers.stanza.attrs.from, `${address}/${julietsNick}`);

  const reply = xml("reply", { xmlns: ns.reply, to: hers.stanza.attrs.from, id: stanzaIdOf(hers.stanza) });
  const answer = await romeo.say("Neither, fair saint", [reply], "r1");
  const his = await seesBody("Neither, fair saint");
  assert.equal(his.sender, ghosts.romeo);
  assert.deepEqual(his.content["m.relates_to"], { "m.in_reply_to": { event_id: hers.id } });

  const again = await said("How camest thou hither?", {
    "m.relates_to": { "m.in_reply_to": { event_id: his.event_id } },
  });
  assert.deepEqual(again.stanza.getChild("reply", ns.reply)?.attrs, {
    xmlns: ns.reply,
    to: `${address}/Romeo`,
    id: stanzaIdOf(answer),
  });
  assert.match(String(again.stanza.getChildText("body")), /^> Romeo:\n> Neither, fair saint\n/);

  await say("* How came you hither?", {
    "m.new_content": { msgtype: "m.text", body: "How came you hither?" },
    ...relation("m.replace", again.id),
  });
  const edit = await hears((stanza) => stanza.getChild("replace", ns.correct)?.attrs.id === again.id);
  assert.match(String(edit.getChildText("body")), /How came you hither\?$/);

  await romeo.say("Neither, fair maid", [xml("replace", { xmlns: ns.correct, id: "r1" })]);
  const corrected = await sees(({ content }) => content.body === "* Neither, fair maid");
  assert.deepEqual(corrected.content["m.relates_to"], { rel_type: "m.replace", event_id: his.event_id });

  const heart = await juliet.send(room, "m.reaction", relation("m.annotation", his.event_id, { key: "❤️" }));
  await hears((stanza) => keysOf(stanza).length === 1);
  await juliet.send(room, "m.reaction", relation("m.annotation", his.event_id, { key: "🌹" }));
  const both = await hears((stanza) => keysOf(stanza).length === 2);
  assert.equal(both.getChild("reactions")?.attrs.id, stanzaIdOf(answer));
  await juliet.request(
    "PUT",
    `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(heart)}/x1`,
    {},
  );
  await hears(
    (stanza) =>
      keysOf(stanza).join() === "🌹" &&
      mercutio.received().indexOf(stanza) > mercutio.received().indexOf(both),
  );

  const set = (...keys: string[]) =>
    xml(
      "reactions",
      { xmlns: ns.reactions, id: stanzaIdOf(hers.stanza) },
      ...keys.map((key) => xml("reaction", {}, key)),
    );
  await romeo.post([set("👍"), xml("store", { xmlns: "urn:xmpp:hints" })]);
  const thumb = await sees(({ type, sender }) => type === "m.reaction" && sender === ghosts.romeo);
  assert.deepEqual(thumb.content["m.relates_to"], { rel_type: "m.annotation", event_id: hers.id, key: "👍" });
  await romeo.post([set()]);
  await sees(
    ({ type, redacts, content }) =>
      type === "m.room.redaction" && (redacts ?? content.redacts) === thumb.event_id,
  );

  await romeo.post([xml("retract", { xmlns: ns.retract, id: stanzaIdOf(answer) })]);
  await sees(
    ({ type, redacts, content }) =>
      type === "m.room.redaction" && (redacts ?? content.redacts) === his.event_id,
  );
  await juliet.request(
    "PUT",
    `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(hers.id)}/x2`,
    {},
  );
  const retraction = await hears(
    (stanza) =>
      stanza.getChild("retract", ns.retract) !== undefined &&
      stanza.attrs.from === `${address}/${julietsNick}`,
  );
  assert.equal(retraction.getChild("retract")?.attrs.id, stanzaIdOf(hers.stanza));
});

test("each message is there once for everybody, in one order", { skip }, async () => {
  const { romeo, mercutio, juliet, nurse, room, say, seesBody, hears } = await meet("hall");
  for (let n = 0; n < 5; n += 1) {
    await romeo.say(`his ${n}`);
    await say(`hers ${n}`);
    await nurse.sendText(room, `the nurse's ${n}`);
  }
  const wanted = [0, 1, 2, 3, 4].flatMap((n) => [`his ${n}`, `hers ${n}`, `the nurse's ${n}`]);
  await mercutio.say("the end");
  await seesBody("the end");
  for (const body of wanted) await hears((stanza) => stanza.getChildText("body") === body);
  const heard = mercutio.said().map(([, body]) => body);
  assert.deepEqual(heard.filter((body) => wanted.includes(body)).sort(), [...wanted].sort());
  for (const mine of ["his", "hers", "the nurse's"]) {
    const seen = (bodies: string[]) => bodies.filter((body) => body.startsWith(`${mine} `));
    const inOrder = seen(wanted);
    assert.deepEqual(seen(heard), inOrder);
    const shown = juliet.events
      .filter((event) => event.room_id === room)
      .map(({ content }) => String(content.body));
    assert.deepEqual(seen(shown), inOrder);
  }
});

/** A Matrix room of Juliet's that is linked with an XMPP room of Romeo's. */
async function plumb(local: string, mode: "puppets" | "relay", levels: Record<string, number> = {}) {
  const address = `${local}@${stage.muc}`;
  const romeo = await openMuc(await stage.xmppUser(`romeo-${local}`), address, "Romeo");
  const juliet = await stage.matrixUser(`juliet-${local}`);
  await romeo.setAffiliation(`juliet-${local}%hs.test@bridge.xmpp.test`, "owner");
  const bot = "@_xmpp_bot:hs.test";
  const room = await juliet.createRoom({
    preset: "public_chat",
    invite: [bot],
    power_level_content_override: { users: { [juliet.userId]: 100, ...levels } },
  });
  const sees = async (matches: (event: SyncEvent) => boolean): Promise<Seen> =>
    (await juliet.waitFor((event) => event.room_id === room && matches(event), waitMs)) as Seen;
  await sees(({ sender, content }) => sender === bot && content.msgtype === "m.notice");
  await juliet.sendText(room, `!xmpp link ${address} ${mode}`);
  await sees(({ content }) => /^This room is linked with/.test(String(content.body)));
  return {
    address,
    romeo,
    juliet,
    room,
    sees,
    seesBody: (body: string) => sees(({ content }) => content.body === body),
    hears: (matches: (stanza: Element) => boolean) => romeo.waitFor(matches, waitMs),
    say: (body: string, more: Record<string, unknown> = {}) =>
      juliet.send(room, "m.room.message", { msgtype: "m.text", body, ...more }),
    redact: (eventId: string, reason?: string) =>
      juliet.request(
        "PUT",
        `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(eventId)}/x${eventId.slice(1, 9)}`,
        { ...(reason !== undefined && { reason }) },
      ),
  };
}

const archived = (stanza: Element): string => String(stanza.getChild("stanza-id", ns.stableId)?.attrs.id);
const removes =
  (id: string) =>
  ({ type, redacts, content }: SyncEvent) =>
    type === "m.room.redaction" && (redacts ?? content.redacts) === id;

test("a moderator of either side removes what others have written", { skip }, async () => {
  const bot = "@_xmpp_bot:hs.test";
  const { romeo, say, sees, seesBody, hears, redact, address } = await plumb("square", "puppets", {
    [bot]: 50,
  });
  const insult = await say("Thou fool");
  const heard = await hears(({ attrs }) => attrs.id === insult);
  await romeo.request(
    xml(
      "moderate",
      { xmlns: ns.moderate, id: archived(heard) },
      xml("retract", { xmlns: ns.retract }),
      xml("reason", {}, "Peace!"),
    ),
  );
  const gone = await sees(removes(insult));
  assert.deepEqual([gone.sender, gone.content.reason], [bot, "Peace!"]);

  const plague = await romeo.say("A plague o' both your houses");
  const shown = await seesBody("A plague o' both your houses");
  await redact(shown.event_id, "Peace!");
  const moderated = await hears(
    (stanza) =>
      stanza.attrs.from === address && stanza.getChild("retract", ns.retract)?.attrs.id === archived(plague),
  );
  assert.equal(moderated.getChild("retract", ns.retract)?.getChildText("reason"), "Peace!");
});

test("where the bot has no power on Matrix, what was removed on XMPP is told there", { skip }, async () => {
  const { romeo, say, sees, hears } = await plumb("cell", "puppets");
  const id = await say("Thou fool");
  const heard = await hears(({ attrs }) => attrs.id === id);
  const moderate = (about: string) =>
    romeo.request(xml("moderate", { xmlns: ns.moderate, id: about }, xml("retract", { xmlns: ns.retract })));
  await moderate(archived(heard));
  await sees(({ content }) => /^This was removed in cell@/.test(String(content.body)));
  const his = await romeo.say("Hang up philosophy");
  const shown = await sees(({ content }) => content.body === "Hang up philosophy");
  await moderate(archived(his));
  assert.equal((await sees(removes(shown.event_id))).sender, shown.sender);
});

test("in relay mode the bot speaks for Juliet, and what refers to her words finds them", {
  skip,
}, async () => {
  const { romeo, say, hears, seesBody, sees, redact, address, juliet, room } = await plumb("street", "relay");
  const id = await say("Good even");
  const heard = await hears(({ attrs }) => attrs.id === id);
  assert.deepEqual(
    [heard.attrs.from, heard.getChildText("body")],
    [`${address}/Causeway`, "juliet-street: Good even"],
  );
  assert.deepEqual([...romeo.occupants().keys()].sort(), ["Causeway", "Romeo"]);
  await romeo.say("Good morrow", [xml("reply", { xmlns: ns.reply, id: archived(heard) })]);
  const answer = await seesBody("Good morrow");
  assert.deepEqual(answer.content["m.relates_to"], { "m.in_reply_to": { event_id: id } });
  await say("* Good night", {
    "m.new_content": { msgtype: "m.text", body: "Good night" },
    ...relation("m.replace", id),
  });
  const edit = await hears((stanza) => stanza.getChild("replace", ns.correct)?.attrs.id === id);
  assert.equal(edit.getChildText("body"), "juliet-street: Good night");
  await juliet.send(room, "m.reaction", relation("m.annotation", answer.event_id, { key: "👍" }));
  await hears((stanza) => keysOf(stanza).join() === "👍");
  await say("!weather Verona");
  await hears((stanza) => stanza.getChildText("body") === "!weather Verona");
  await romeo.post([
    xml("reactions", { xmlns: ns.reactions, id: archived(heard) }, xml("reaction", {}, "🌹")),
  ]);
  await sees(({ type, sender }) => type === "m.reaction" && sender === answer.sender);
  await redact(id);
  await hears((stanza) => stanza.getChild("retract", ns.retract)?.attrs.id === archived(heard));
});

test("people call each other by nick, and a bot's command crosses as it is", { skip }, async () => {
  const { romeo, say, said, seesBody, ghosts, juliet, nurse, julietsNick, address, hears } =
    await meet("balcony");
  await romeo.say(`${julietsNick}: speak again`);
  const called = await seesBody(`${julietsNick}: speak again`);
  assert.deepEqual(called.content["m.mentions"], { user_ids: [juliet.userId] });
  const { stanza } = await said("Romeo, wherefore?", {
    format: "org.matrix.custom.html",
    formatted_body: `<a href="https://matrix.to/#/${encodeURIComponent(ghosts.romeo)}">Romeo</a>, wherefore? And <a href="https://matrix.to/#/${nurse.userId}">${nurse.userId}</a>?`,
  });
  assert.equal(stanza.getChildText("body"), "Romeo, wherefore? And nurse-balcony?");
  assert.deepEqual(
    stanza.getChildren("reference", ns.reference).map(({ attrs }) => attrs.uri),
    [`xmpp:${address}/Romeo`, `xmpp:${address}/nurse-balcony`],
  );
  await say("!help");
  await hears((heard) => heard.getChildText("body") === "!help");
});

test("a private message begins a conversation of two, which goes on by nick", { skip }, async () => {
  const { romeo, juliet, julietsNick, ghosts, address } = await meet("chapel");
  await romeo.sendTo(julietsNick, "Hie you to Friar Laurence");
  const room = await juliet.waitForInvite(ghosts.romeo, waitMs);
  await juliet.join(room);
  const heard = await hear(juliet, room, "Hie you to Friar Laurence");
  assert.equal(heard.sender, ghosts.romeo);
  await juliet.sendText(room, "Hie to high fortune");
  const isPrivate = (body: string) => (stanza: Element) =>
    stanza.attrs.type === "chat" && stanza.getChildText("body") === body;
  const answer = await romeo.waitFor(isPrivate("Hie to high fortune"), waitMs);
  assert.equal(answer.attrs.from, `${address}/${julietsNick}`);
  assert.ok(answer.getChild("x", ns.mucUser));
  await romeo.setNick("Montague");
  // The bridge hears of the nick after this, and what is said in the room tells that it has.
  await romeo.say("Call me but love");
  await juliet.waitFor(({ content }) => content.body === "Call me but love", waitMs);
  await juliet.sendText(room, "Honest nurse, farewell");
  await romeo.waitFor(isPrivate("Honest nurse, farewell"), waitMs);
  await romeo.leave();
  await waitForAbsenceOf(juliet, room, "Are you gone?");
});

/** Sends until the answer is that the other is not there: when the bridge hears of the leaving is its own affair. */
async function waitForAbsenceOf(
  user: Awaited<ReturnType<typeof meet>>["juliet"],
  room: string,
  body: string,
) {
  const id = await user.sendText(room, body);
  const notice = await user.waitFor(
    ({ content }) =>
      (content["m.relates_to"] as { "m.in_reply_to"?: { event_id?: string } } | undefined)?.["m.in_reply_to"]
        ?.event_id === id,
    waitMs,
  );
  assert.match(String(notice.content.body), /not delivered/);
}

test("one who has no voice is told so, and what they ask for once they have it arrives", {
  skip,
}, async () => {
  const { romeo, say, sees, hears, julietsNick } = await meet("court");
  await romeo.configure({
    "muc#roomconfig_persistentroom": "1",
    "muc#roomconfig_publicroom": "1",
    "muc#roomconfig_moderatedroom": "1",
  });
  await romeo.setRole(julietsNick, "visitor");
  await romeo.waitForPresence(
    julietsNick,
    (stanza) => stanza.getChild("x", ns.mucUser)?.getChild("item")?.attrs.role === "visitor",
  );
  const id = await say("O heavens!");
  const notice = await sees(
    ({ content }) =>
      (content["m.relates_to"] as { "m.in_reply_to"?: { event_id?: string } } | undefined)?.["m.in_reply_to"]
        ?.event_id === id,
  );
  assert.match(String(notice.content.body), /gives you no voice/);
  await romeo.setRole(julietsNick, "participant");
  await say("Now I may speak");
  await hears((stanza) => stanza.getChildText("body") === "Now I may speak");
});

test("what is said while the bridge is killed again and again is there once for all, in order", {
  skip,
}, async () => {
  const { romeo, mercutio, juliet, room, say, hears, seesBody } = await meet("tomb");
  const [rounds, perRound] = [4, 12];
  const count = rounds * perRound;
  for (let round = 0; round < rounds; round += 1) {
    const speak = async (): Promise<void> => {
      for (let n = round * perRound; n < (round + 1) * perRound; n += 1) {
        await say(`hers ${n}`);
        await romeo.say(`his ${n}`);
      }
    };
    // In the middle of what it is doing, at another place each time.
    const disturb = async (): Promise<void> => {
      await hears((stanza) => stanza.getChildText("body") === `hers ${round * perRound + 2 * round}`);
      await stage.bridge.kill();
      await stage.bridge.start();
    };
    await Promise.all([speak(), disturb()]);
  }
  await seesBody(`his ${count - 1}`);
  await hears((stanza) => stanza.getChildText("body") === `hers ${count - 1}`);
  const wanted = (whose: string) => Array.from({ length: count }, (_, n) => `${whose} ${n}`);
  const heard = mercutio.said().map(([, body]) => body);
  assert.deepEqual(
    heard.filter((body) => body.startsWith("hers ")),
    wanted("hers"),
  );
  const seen = juliet.events
    .filter((event) => event.room_id === room)
    .map(({ content }) => String(content.body));
  assert.deepEqual(
    seen.filter((body) => body.startsWith("his ")),
    wanted("his"),
  );
});
