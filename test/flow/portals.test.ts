/** Portals of XMPP rooms, with the whole bridge between the fakes. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { ghostOf, julietJid, setScene } from "./scene.ts";

const orchardAlias = "#_xmpp_orchard=40conference.xmpp.test:hs.test";
const bot = "@_xmpp_bot:hs.test";
const ghostIn = (nick: string): string =>
  `@_xmpp_orchard=40conference.xmpp.test=2fid-of-${nick.toLowerCase()}=40xmpp.test:hs.test`;

/** The orchard, with Romeo in it, and Juliet in its portal. */
async function setOrchard(t: TestContext) {
  const scene = await setScene(t);
  const refuse: Record<string, string> = {};
  const orchard = scene.prosody.muc("orchard", { name: "Capulet's orchard", refuse });
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  const bridge = await scene.start();
  const roomId = await scene.juliet.joinAlias(orchardAlias);
  const there = (userId: string) => scene.memberships(roomId).get(userId) === "join";
  await waitFor(() => there(ghostIn("romeo")) && orchard.occupants.has("juliet"), "all to be there");
  /** Memberships of a user, as they were told one after the other. */
  const comings = (userId: string) =>
    scene.juliet
      .timeline(roomId)
      .filter(({ type, state_key }) => type === "m.room.member" && state_key === userId)
      .map(({ content }) => `${content.membership} ${content.displayname ?? ""}`.trim());
  return { ...scene, ...bridge, orchard, refuse, roomId, there, comings };
}

test("the alias of an XMPP room leads to its portal, whoever asks first", async (t) => {
  const { homeserver, prosody, juliet, start } = await setScene(t);
  const orchard = prosody.muc("orchard", { name: "Capulet's orchard" });
  await start();
  const nurse = homeserver.user("nurse");
  const rooms = await Promise.all([juliet.joinAlias(orchardAlias), nurse.joinAlias(orchardAlias)]);
  assert.equal(rooms[0], rooms[1]);
  await waitFor(() => orchard.nicks().length === 3, "the occupants");
  assert.deepEqual(orchard.nicks(), ["Causeway", "juliet", "nurse"]);
  const made = homeserver.rooms.all().filter(({ members }) => members.get(bot) === "join");
  assert.equal(made.length, 1);
});

test("what is said in either room is said in the other, once, by whoever says it", async (t) => {
  const { juliet, orchard, roomId, romeo, julietHas } = await setOrchard(t);
  const sent = juliet.sendText(roomId, "O Romeo, Romeo");
  await waitFor(() => romeo.bodies().includes("O Romeo, Romeo"), "Romeo to hear");
  const heard = romeo.messages().find(({ attrs }) => attrs.id === sent);
  assert.equal(heard?.attrs.from, `${orchard.jid}/juliet`);
  orchard.say("Romeo", "Shall I hear more?");
  assert.deepEqual(await julietHas(roomId, 1), ["Shall I hear more?"]);
  assert.equal(juliet.timeline(roomId).at(-1)?.sender, ghostIn("romeo"));
  assert.equal(romeo.bodies().filter((body) => body === "O Romeo, Romeo").length, 1);
});

test("an occupant is one ghost through changes of the nick", async (t) => {
  const { juliet, orchard, roomId, comings, julietHas } = await setOrchard(t);
  orchard.rename("Romeo", "Montague");
  orchard.say("Montague", "Call me but love");
  await julietHas(roomId, 1);
  assert.equal(
    juliet.timeline(roomId).findLast(({ type }) => type === "m.room.message")?.sender,
    ghostIn("romeo"),
  );
  assert.deepEqual(
    comings(ghostIn("romeo")).filter((coming) => !coming.startsWith("join")),
    [],
  );
});

test("who comes back soon has never left, and a kick is one", async (t) => {
  const { orchard, juliet, roomId, comings, settled } = await setOrchard(t);
  orchard.exit("Romeo");
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  orchard.say("Romeo", "I am here again");
  await waitFor(() => juliet.received(roomId).length === 1, "the message");
  assert.equal(
    comings(ghostIn("romeo")).some((coming) => coming.startsWith("leave")),
    false,
  );
  orchard.exit("Romeo", ["307"], [xml("actor", { nick: "Nurse" }), xml("reason", {}, "Hence")]);
  await waitFor(() => comings(ghostIn("romeo")).at(-1) === "leave", "the kick");
  await settled(roomId);
  const kick = juliet.timeline(roomId).findLast(({ state_key }) => state_key === ghostIn("romeo"));
  assert.deepEqual([kick?.sender, kick?.content.reason], [bot, "Kicked on XMPP by Nurse: Hence"]);
});

test("a kicked Matrix user is out on both sides, and is let in again when they come again", async (t) => {
  const { orchard, juliet, roomId, memberships, settled } = await setOrchard(t);
  await settled(roomId);
  orchard.exit("juliet", ["307"], [xml("actor", { nick: "Romeo" })]);
  await waitFor(() => memberships(roomId).get(juliet.userId) === "leave", "the kick on Matrix");
  assert.equal(orchard.occupants.has("juliet"), false);
  juliet.join(roomId);
  await waitFor(() => orchard.occupants.has("juliet"), "her return");
});

test("a room that may not be entered has no portal, and nothing is made for it", async (t) => {
  const { homeserver, prosody, juliet, start } = await setScene(t);
  prosody.muc("orchard", { refuse: { "bridge.xmpp.test": "registration-required" } });
  const { log } = await start();
  for (const alias of [orchardAlias, "#_xmpp_nowhere=40conference.xmpp.test:hs.test"]) {
    await assert.rejects(juliet.joinAlias(alias), /not found/);
  }
  assert.deepEqual(homeserver.rooms.all(), []);
  assert.equal(log.filter((line) => line.includes("an alias leads to no XMPP room")).length, 2);
});

test("the component's own rooms, and people, are no XMPP rooms", async (t) => {
  const { homeserver, juliet, start } = await setScene(t);
  await start();
  const cafe = "#_xmpp_=23cafe=25hs.test=40bridge.xmpp.test:hs.test";
  for (const alias of [cafe, "#_xmpp_romeo=40xmpp.test:hs.test", "#_xmpp_xmpp.test:hs.test"]) {
    await assert.rejects(juliet.joinAlias(alias), /not found/);
  }
  assert.deepEqual(homeserver.rooms.all(), []);
});

test("an invitation to an XMPP room is one to its portal", async (t) => {
  const { prosody, juliet, start } = await setScene(t);
  const orchard = prosody.muc("orchard");
  await start();
  const invite = xml(
    "x",
    { xmlns: "http://jabber.org/protocol/muc#user" },
    xml("invite", { from: "romeo@xmpp.test" }),
  );
  await prosody.deliver(xml("message", { from: orchard.jid, to: julietJid }, invite));
  const roomId = await waitFor(() => juliet.invites()[0], "the invitation");
  juliet.join(roomId);
  await waitFor(() => orchard.occupants.has("juliet"), "her to be in");
});

test("an invitation to a room that cannot be entered is declined", async (t) => {
  const { prosody, romeo, start } = await setScene(t);
  await start();
  const conference = xml("x", { xmlns: "jabber:x:conference", jid: "vault@conference.xmpp.test" });
  await romeo.send(xml("message", { to: julietJid, id: "i1" }, conference));
  const [error] = await waitFor(() => romeo.errors().length === 1 && romeo.errors(), "the refusal");
  assert.equal(
    error?.getChild("error")?.getChildText("text"),
    "There is no XMPP room vault@conference.xmpp.test.",
  );
  assert.equal(prosody.muc("other").occupants.size, 0);
});

test("a stanza from a linked room that nobody said there changes nothing", async (t) => {
  const { orchard, prosody, juliet, roomId } = await setOrchard(t);
  const before = juliet.timeline(roomId).length;
  // Copies for a puppet of what the bot hears, and things that no room sends.
  await prosody.deliver(
    xml(
      "message",
      { from: `${orchard.jid}/Romeo`, to: `${julietJid}/matrix`, type: "groupchat", id: "c1" },
      xml("body", {}, "Twice"),
    ),
  );
  await prosody.deliver(
    xml(
      "presence",
      { from: `${orchard.jid}/Tybalt`, to: `${julietJid}/matrix` },
      xml(
        "x",
        { xmlns: "http://jabber.org/protocol/muc#user" },
        xml("item", { affiliation: "owner", role: "moderator" }),
      ),
    ),
  );
  // What the bridge makes of those it has made before this is there.
  orchard.say("Romeo", "Peace");
  await waitFor(() => juliet.received(roomId).includes("Peace"), "the next message");
  assert.deepEqual(
    juliet
      .timeline(roomId)
      .slice(before)
      .map(({ type, content }) => [type, content.body]),
    [["m.room.message", "Peace"]],
  );
});

test("ghosts of real addresses are never shown where the room keeps them", async (t) => {
  const { orchard, memberships, roomId } = await setOrchard(t);
  assert.equal(memberships(roomId).has(ghostOf("romeo")), false);
  assert.equal(memberships(roomId).get(ghostIn("romeo")), "join");
  assert.equal(orchard.nicks().join(), "Causeway,Romeo,juliet");
});

test("whoever writes another's address into a message speaks, edits and retracts as nobody but themselves", async (t) => {
  const { prosody, juliet, start } = await setScene(t);
  const orchard = prosody.muc("orchard", { features: ["muc_nonanonymous"] });
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  orchard.enter("mercutio@xmpp.test/street", "Mercutio");
  await start();
  const roomId = await juliet.joinAlias(orchardAlias);
  orchard.say("Romeo", "It is the east", "r1");
  await waitFor(() => juliet.received(roomId).length === 1, "Romeo's message");
  const item = xml("item", { affiliation: "owner", role: "moderator", jid: "romeo@xmpp.test/balcony" });
  const forged = xml("x", { xmlns: "http://jabber.org/protocol/muc#user" }, item);
  orchard.say("Mercutio", "O, I am slain", "m1", [forged]);
  const replace = xml("replace", { xmlns: "urn:xmpp:message-correct:0", id: "r1" });
  orchard.say("Mercutio", "It is the west", "m2", [forged, replace]);
  const retract = xml("retract", { xmlns: "urn:xmpp:message-retract:1", id: "r1" });
  orchard.say("Mercutio", "", "m3", [forged, retract]);
  orchard.say("Mercutio", "A plague!", "m4");
  await waitFor(() => juliet.received(roomId).includes("A plague!"), "the last message");
  const said = juliet
    .timeline(roomId)
    .filter(({ type, sender }) => type !== "m.room.member" && sender !== bot);
  assert.deepEqual(
    said.map(({ type, sender, content }) => [type, sender, content.body]),
    [
      ["m.room.message", ghostOf("romeo"), "It is the east"],
      ["m.room.message", ghostOf("mercutio"), "O, I am slain"],
      ["m.room.message", ghostOf("mercutio"), "Edit: It is the west"],
      ["m.room.message", ghostOf("mercutio"), "A plague!"],
    ],
  );
});

test("a subject that may not be changed is told to whoever tried, and no error goes to the room", async (t) => {
  const { juliet, orchard, roomId, julietHas, homeserver } = await setOrchard(t);
  homeserver.rooms.send(
    bot,
    roomId,
    "m.room.power_levels",
    { users: { [bot]: 100, [juliet.userId]: 100 } },
    "",
  );
  const topic = juliet.send(roomId, "m.room.topic", { topic: "A rose" }, "");
  const [told] = await julietHas(roomId, 1);
  assert.equal(
    told,
    `Your message was not delivered to ${orchard.jid}. You may not change the subject of ${orchard.jid}.`,
  );
  const notice = juliet.timeline(roomId).findLast(({ type }) => type === "m.room.message");
  assert.equal(notice?.sender, bot);
  assert.deepEqual(notice?.content["m.relates_to"], { "m.in_reply_to": { event_id: topic } });
});

test("a ghost whom the XMPP room keeps is back when it speaks, and whoever tried is told", async (t) => {
  const { juliet, orchard, roomId, there, julietHas } = await setOrchard(t);
  juliet.kick(roomId, ghostIn("romeo"));
  assert.deepEqual(await julietHas(roomId, 1), [
    `Romeo could not be removed from ${orchard.jid}: neither you nor the bridge may do that there. They are back here when they speak again.`,
  ]);
  assert.equal(there(ghostIn("romeo")), false);
  assert.equal(orchard.occupants.has("Romeo"), true);
  orchard.say("Romeo", "I have night's cloak");
  await waitFor(() => there(ghostIn("romeo")), "Romeo to be back");
});

test("a ban on Matrix holds there, although the XMPP room keeps the occupant", async (t) => {
  const { juliet, orchard, roomId, memberships, julietHas, settled } = await setOrchard(t);
  juliet.ban(roomId, ghostIn("romeo"));
  assert.deepEqual(await julietHas(roomId, 1), [
    `Romeo could not be removed from ${orchard.jid}: neither you nor the bridge may do that there. What they say there is not shown here.`,
  ]);
  orchard.enter("mercutio@xmpp.test/street", "Mercutio");
  orchard.say("Romeo", "Banished?");
  orchard.say("Mercutio", "Good den");
  await waitFor(() => juliet.received(roomId).includes("Good den"), "Mercutio's message");
  await settled(roomId);
  assert.equal(juliet.received(roomId).includes("Banished?"), false);
  assert.equal(memberships(roomId).get(ghostIn("romeo")), "ban");
});

test("who declines an invitation that nobody has made says nothing on Matrix", async (t) => {
  const { orchard, prosody, juliet, roomId, settled } = await setOrchard(t);
  const user = "http://jabber.org/protocol/muc#user";
  const decline = (from: string) =>
    xml(
      "message",
      { from, to: `${julietJid}/matrix` },
      xml("x", { xmlns: user }, xml("decline", { from: "tybalt@xmpp.test" }, xml("reason", {}, "Fools!"))),
    );
  await prosody.deliver(decline(orchard.jid));
  await prosody.deliver(decline(`${orchard.jid}/Romeo`));
  orchard.say("Romeo", "Peace");
  await waitFor(() => juliet.received(roomId).includes("Peace"), "what comes next");
  await settled(roomId);
  assert.deepEqual(juliet.received(roomId), ["Peace"]);
});

test("a bridge that was put out says so, and returns when it is asked to", async (t) => {
  const { orchard, juliet, roomId, homeserver, julietHas } = await setOrchard(t);
  orchard.exit("Causeway", ["307"], [xml("actor", { nick: "Romeo" })]);
  assert.deepEqual(await julietHas(roomId, 1), [
    `The bridge was put out: Kicked from ${orchard.jid} by Romeo. Nothing crosses until it is let in again. Then write: !xmpp join ${orchard.jid}`,
  ]);
  assert.equal(orchard.occupants.has("Causeway"), false);
  await homeserver.call("GET", `/_matrix/app/v1/rooms/${encodeURIComponent(orchardAlias)}`);
  await waitFor(() => orchard.occupants.has("Causeway"), "its return");
  orchard.say("Romeo", "Welcome back");
  await waitFor(() => juliet.received(roomId).includes("Welcome back"), "what is said then");
});

test("a room that goes on as another one takes everybody along", async (t) => {
  const { prosody, orchard, juliet, roomId, memberships, romeo } = await setOrchard(t);
  const garden = prosody.muc("garden", { name: "The garden" });
  garden.enter(romeo.fullJid, "Romeo");
  orchard.destroy({ jid: garden.jid });
  await waitFor(() => garden.nicks().join() === "Causeway,Romeo,juliet", "all to be in the garden");
  juliet.sendText(roomId, "Is it here?");
  await waitFor(() => romeo.bodies().includes("Is it here?"), "Romeo to hear");
  garden.say("Romeo", "It is");
  await waitFor(() => juliet.received(roomId).includes("It is"), "Juliet to hear");
  assert.equal(memberships(roomId).get(ghostIn("romeo")), "leave");
});

test("a bridge that stops while somebody of its own enters knows them again", async (t) => {
  const { orchard, there, stop, start, roomId, prosody, homeserver } = await setOrchard(t);
  const nurse = homeserver.user("nurse");
  nurse.join(roomId);
  await waitFor(() => orchard.occupants.has("nurse"), "her to enter");
  await stop();
  const { settled } = await start();
  nurse.sendText(roomId, "Madam!");
  await waitFor(() => prosody.user("romeo").bodies().includes("Madam!"), "her to be heard");
  await settled(roomId);
  assert.deepEqual(orchard.nicks(), ["Causeway", "Romeo", "juliet", "nurse"]);
  assert.equal(
    there("@_xmpp_orchard=40conference.xmpp.test=2fid-of-nurse=25hs.test=40bridge.xmpp.test:hs.test"),
    false,
  );
});

test("a room that has moved while the bridge was down is followed", async (t) => {
  const { prosody, orchard, refuse, juliet, roomId, romeo, stop, start } = await setOrchard(t);
  const garden = prosody.muc("garden", { name: "The garden" });
  garden.enter(romeo.fullJid, "Romeo");
  await stop();
  orchard.crash();
  refuse["bridge.xmpp.test"] = `gone xmpp:${garden.jid}?join`;
  await start();
  await waitFor(() => garden.nicks().join() === "Causeway,Romeo,juliet", "all to be in the garden");
  garden.say("Romeo", "Here I am");
  await waitFor(() => juliet.received(roomId).includes("Here I am"), "Juliet to hear");
});

test("a room that goes on where nobody of ours may be is linked no more", async (t) => {
  const { prosody, orchard, juliet, roomId, julietHas, memberships } = await setOrchard(t);
  const vault = prosody.muc("vault", { refuse: { "bridge.xmpp.test": "registration-required" } });
  orchard.destroy({ jid: vault.jid });
  assert.deepEqual(await julietHas(roomId, 1), [
    `The XMPP room ${orchard.jid} is no more. It goes on as ${vault.jid}.`,
  ]);
  await waitFor(() => memberships(roomId).get(bot) === "leave", "the bot to leave");
  assert.equal(memberships(roomId).get(juliet.userId), "join");
});

test("a room that cannot go on elsewhere at once is said to be no more once, when it does", async (t) => {
  const { prosody, orchard, juliet, roomId } = await setOrchard(t);
  const refuse: Record<string, string> = { "bridge.xmpp.test": "remote-server-not-found" };
  const garden = prosody.muc("garden", { refuse });
  orchard.destroy({ jid: garden.jid });
  const attempts = () => prosody.requests.filter(({ body }) => body.includes(`to="${garden.jid}/Causeway"`));
  await waitFor(() => attempts().length === 2, "two attempts");
  delete refuse["bridge.xmpp.test"];
  await waitFor(() => garden.nicks().join() === "Causeway,juliet", "all to be in the garden");
  await waitFor(() => juliet.received(roomId).length > 0, "the notice");
  assert.deepEqual(juliet.received(roomId), [
    `The XMPP room ${orchard.jid} is no more. It goes on as ${garden.jid}.`,
  ]);
});

test("a Matrix user who is blocked neither invites anybody to the XMPP room nor sets its subject", async (t) => {
  const { prosody, homeserver, juliet, start } = await setScene(t);
  const orchard = prosody.muc("orchard");
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  const tybalt = homeserver.user("tybalt");
  const { settled } = await start({ config: { permissions: { "*": "user", [tybalt.userId]: "block" } } });
  const roomId = await juliet.joinAlias(orchardAlias);
  await waitFor(() => orchard.occupants.has("juliet"), "Juliet to be in");
  const levels = { users: { [bot]: 100, [juliet.userId]: 100, [tybalt.userId]: 100 } };
  homeserver.rooms.send(bot, roomId, "m.room.power_levels", levels, "");
  tybalt.join(roomId);
  await settled(roomId);
  const before = prosody.requests.length;
  tybalt.send(roomId, "m.room.topic", { topic: "Hate" }, "");
  tybalt.invite(roomId, ghostOf("mercutio"));
  tybalt.kick(roomId, ghostIn("romeo"));
  await settled(roomId);
  const told = prosody.requests.slice(before).map(({ body }) => body);
  assert.deepEqual(
    told.filter((stanza) => stanza.includes(orchard.jid) && !stanza.startsWith("<presence")),
    [],
  );
});

test("an XMPP user who is blocked says nothing on Matrix, by a subject neither", async (t) => {
  const { prosody, juliet, start } = await setScene(t);
  const orchard = prosody.muc("orchard", { features: ["muc_nonanonymous"] });
  orchard.enter("mercutio@xmpp.test/street", "Mercutio");
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  await start({ config: { permissions: { "*": "user", "mercutio@xmpp.test": "block" } } });
  const roomId = await juliet.joinAlias(orchardAlias);
  const change = { from: `${orchard.jid}/Mercutio`, to: "bridge.xmpp.test/causeway", type: "groupchat" };
  await prosody.deliver(xml("message", change, xml("subject", {}, "A plague")));
  orchard.say("Mercutio", "O' both your houses");
  orchard.say("Romeo", "Peace");
  await waitFor(() => juliet.received(roomId).length > 0, "Romeo's message");
  assert.deepEqual(juliet.received(roomId), ["Peace"]);
  assert.equal(juliet.timeline(roomId).filter(({ type }) => type === "m.room.topic").length, 0);
});

test("the ghosts leave with a bot that was put out while the bridge was down", async (t) => {
  const { juliet, roomId, there, stop, start } = await setOrchard(t);
  await stop();
  juliet.kick(roomId, bot);
  const { log } = await start();
  await waitFor(() => log.some((line) => line.includes("a link has ended")), "the link to end");
  assert.equal(there(ghostIn("romeo")), false);
});

test("a private message of a room that is linked no more is no conversation with the room", async (t) => {
  const { orchard, prosody, juliet, roomId, log } = await setOrchard(t);
  juliet.kick(roomId, bot);
  await waitFor(() => log.some((line) => line.includes("a link has ended")), "the link to end");
  const invites = juliet.invites().length;
  const x = xml("x", { xmlns: "http://jabber.org/protocol/muc#user" });
  const message = { from: `${orchard.jid}/Romeo`, to: `${julietJid}/matrix`, type: "chat", id: "p1" };
  await prosody.deliver(xml("message", message, xml("body", {}, "Are you there?"), x));
  const refusal = `The bridge is in ${orchard.jid} no more.`;
  await waitFor(() => prosody.requests.some(({ body }) => body.includes(refusal)), "the refusal");
  assert.equal(juliet.invites().length, invites);
});

test("an alias that the homeserver has lost leads to the portal again", async (t) => {
  const { homeserver, roomId } = await setOrchard(t);
  const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(orchardAlias)}`;
  await fetch(`${homeserver.url}${path}?user_id=${bot}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${homeserver.asToken}` },
  });
  assert.equal(await homeserver.user("nurse").joinAlias(orchardAlias), roomId);
});

test("after a restart of the bridge everybody is where they were, without a word of it", async (t) => {
  const { juliet, orchard, roomId, stop, start, romeo, comings } = await setOrchard(t);
  const [before, nicks] = [comings(ghostIn("romeo")), orchard.nicks()];
  await stop();
  const heard = romeo.inbox.length;
  await start();
  juliet.sendText(roomId, "Are you still there?");
  await waitFor(() => romeo.bodies().includes("Are you still there?"), "Romeo to hear");
  orchard.say("Romeo", "Still here");
  await waitFor(() => juliet.received(roomId).includes("Still here"), "Juliet to hear");
  assert.deepEqual([comings(ghostIn("romeo")), orchard.nicks()], [before, nicks]);
  assert.deepEqual(
    romeo.inbox
      .slice(heard)
      .filter(({ name }) => name === "presence")
      .map(String),
    [],
  );
});

test("who has no voice asks the room's moderators for it by a command", async (t) => {
  const { prosody, juliet, roomId, julietHas } = await setOrchard(t);
  juliet.sendText(roomId, "!xmpp voice");
  const [answer] = await julietHas(roomId, 1);
  assert.match(String(answer), /I have asked the moderators of orchard@conference\.xmpp\.test/);
  const [asked] = prosody.requests
    .map(({ body }) => String(body))
    .filter((body) => body.includes("muc#request"));
  assert.match(
    String(asked),
    /<message from="juliet%hs\.test@bridge\.xmpp\.test\/matrix" to="orchard@conference\.xmpp\.test" id="[^"]+"><x/,
  );
});

test("a moderator's address is told to nobody, although the bot may see it", async (t) => {
  const { orchard, juliet, roomId, memberships, settled } = await setOrchard(t);
  await settled(roomId);
  orchard.exit("juliet", ["307"], [xml("actor", { jid: "romeo@xmpp.test/balcony" })]);
  await waitFor(() => memberships(roomId).get(juliet.userId) === "leave", "the kick on Matrix");
  const kick = juliet.timeline(roomId).findLast(({ state_key }) => state_key === juliet.userId);
  assert.equal(kick?.content.reason, `Kicked from ${orchard.jid}.`);
});
