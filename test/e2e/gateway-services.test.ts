/** What a Matrix room offers to XMPP clients besides conversation, by real servers: discovery, archive, lists, settings, invitations. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../servers/muc-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { connectXmpp, type XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const bridge = "bridge.xmpp.test";
const cafe = `#cafe%hs.test@${bridge}`;
const julietJid = `juliet%hs.test@${bridge}`;
const ghost = (name: string): string => `@_xmpp_${name}=40xmpp.test:hs.test`;
const mam = "urn:xmpp:mam:2";
const owner = "http://jabber.org/protocol/muc#owner";
const info = "http://jabber.org/protocol/disco#info";
const items = "http://jabber.org/protocol/disco#items";

let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;
let benvolio: XmppUser;
let room: string;
let guest: MucUser;

const ask = async (user: XmppUser, to: string, payload: Element, type = "get"): Promise<Element> =>
  user.request(xml("iq", { type, to }, payload));
/** The condition of the error that comes, and its type. */
const refused = async (answer: Promise<unknown>): Promise<string> => {
  try {
    await answer;
    return "no error";
  } catch (error) {
    const { type, condition } = error as { type?: string; condition?: string };
    return type === undefined ? String(error) : `${type}/${condition}`;
  }
};
const stateOf = (type: string, key = ""): Promise<Record<string, unknown>> =>
  juliet.request("GET", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state/${type}/${key}`);
const setPower = async (userId: string, level: number): Promise<void> => {
  const levels = await stateOf("m.room.power_levels");
  const users = { ...(levels.users as Record<string, number>), [userId]: level };
  await juliet.sendState(room, "m.room.power_levels", { ...levels, users });
};

before(async () => {
  if (skip) return;
  stage = await startStage();
  [juliet, romeo, benvolio] = [
    await stage.matrixUser("juliet"),
    await stage.xmppUser("romeo"),
    await stage.xmppUser("benvolio"),
  ];
  room = await juliet.createRoom({
    preset: "public_chat",
    visibility: "public",
    room_alias_name: "cafe",
    name: "The Café",
    topic: "What light through yonder window breaks?",
    power_level_content_override: { events: { "m.room.topic": 50 } },
  });
  guest = await joinMuc(romeo, cafe, "Romeo");
});
after(async () => {
  await stage?.stop();
});

test("a room tells what it is to those who have not entered", { skip }, async () => {
  const query = (await ask(benvolio, cafe, xml("query", { xmlns: info }))).getChild("query");
  assert.deepEqual(query?.getChild("identity")?.attrs, {
    category: "conference",
    type: "text",
    name: "The Café",
  });
  const features = query?.getChildren("feature").map(({ attrs }) => attrs.var) ?? [];
  for (const feature of [
    "http://jabber.org/protocol/muc",
    mam,
    "muc_open",
    "muc_public",
    "muc_nonanonymous",
  ]) {
    assert.ok(features.includes(feature), feature);
  }
  const fields = query?.getChild("x")?.getChildren("field") ?? [];
  const values = Object.fromEntries(fields.map((field) => [field.attrs.var, field.getChildText("value")]));
  assert.equal(values["muc#roominfo_subject"], "What light through yonder window breaks?");
  assert.equal(values["muc#roominfo_occupants"], "2");
});

test("rooms without guests are told of as far as the homeserver tells, and secret ones not at all", {
  skip,
}, async () => {
  await juliet.createRoom({ preset: "public_chat", room_alias_name: "square", name: "The Square" });
  const secret = await juliet.createRoom({
    preset: "private_chat",
    room_alias_name: "tomb",
    name: "The Tomb",
  });
  const square = await ask(benvolio, `#square%hs.test@${bridge}`, xml("query", { xmlns: info }));
  assert.equal(square.getChild("query")?.getChild("identity")?.attrs.name, "The Square");
  const tomb = `#tomb%hs.test@${bridge}`;
  assert.equal(await refused(ask(benvolio, tomb, xml("query", { xmlns: info }))), "cancel/item-not-found");
  const byId = `${secret.replace(":", "%").replace(/[A-Z]/g, (c) => `\\${c.charCodeAt(0).toString(16)}`)}@${bridge}`;
  assert.equal(await refused(ask(benvolio, byId, xml("query", { xmlns: info }))), "cancel/item-not-found");
  assert.equal(
    await refused(ask(benvolio, `#nowhere%hs.test@${bridge}`, xml("query", { xmlns: info }))),
    "cancel/item-not-found",
  );
});

test("the component lists the homeserver's public rooms, page by page, and finds them by a word", {
  skip,
}, async () => {
  const whole = (await ask(benvolio, bridge, xml("query", { xmlns: items }))).getChild("query");
  assert.deepEqual(
    whole?.getChildren("item").map(({ attrs }) => ({ ...attrs })),
    [{ jid: cafe, name: "The Café" }],
  );
  const set = xml("set", { xmlns: "http://jabber.org/protocol/rsm" }, xml("max", {}, "1"));
  const page = (await ask(benvolio, bridge, xml("query", { xmlns: items }, set))).getChild("query");
  assert.equal(
    page?.getChild("set")?.toString(),
    `<set xmlns="http://jabber.org/protocol/rsm"><first index="0">${cafe}</first><last>${cafe}</last><count>1</count></set>`,
  );
  const search = xml("query", { xmlns: "jabber:iq:search" }, xml("nick", {}, "Café"));
  const found = (await ask(benvolio, bridge, search, "set")).getChild("query")?.getChildren("item") ?? [];
  assert.deepEqual(
    found.map(({ attrs }) => attrs.jid),
    [cafe],
  );
});

const queryArchive = async (
  user: XmppUser,
  {
    fields = {},
    set = [],
    flip = false,
  }: { fields?: Record<string, string>; set?: Element[]; flip?: boolean } = {},
) => {
  const queryid = `q${user.messages.length}`;
  const form = xml(
    "x",
    { xmlns: "jabber:x:data", type: "submit" },
    ...Object.entries({ FORM_TYPE: mam, ...fields }).map(([name, value]) =>
      xml("field", { var: name }, xml("value", {}, value)),
    ),
  );
  const page = xml("set", { xmlns: "http://jabber.org/protocol/rsm" }, ...set);
  const query = xml("query", { xmlns: mam, queryid }, form, page, ...(flip ? [xml("flip-page")] : []));
  const fin = (await ask(user, cafe, query, "set")).getChild("fin");
  // All of it has to have come before the answer.
  const results = user.messages.flatMap((stanza) => {
    const result = stanza.getChild("result", mam);
    return result?.attrs.queryid === queryid ? [result] : [];
  });
  const bodies = results.map((result) =>
    result.getChild("forwarded")?.getChild("message")?.getChildText("body"),
  );
  return { bodies, results, isComplete: fin?.attrs.complete === "true", set: fin?.getChild("set") };
};

test("the archive gives back what was said, in order, page by page and from the end", { skip }, async () => {
  for (let index = 0; index < 7; index += 1) await juliet.sendText(room, `Line ${index}`);
  await guest.waitForMessage("Line 6");
  const said = await guest.say("And I say this");
  const stanzaId = said.getChild("stanza-id")?.attrs.id;

  const last = await queryArchive(romeo, { set: [xml("max", {}, "3"), xml("before")] });
  assert.deepEqual(last.bodies, ["Line 5", "Line 6", "And I say this"]);
  assert.equal(last.isComplete, false);
  assert.equal(last.set?.getChildText("last"), stanzaId);
  const message = last.results.at(-1)?.getChild("forwarded")?.getChild("message");
  assert.equal(message?.attrs.from, `${cafe}/Romeo`);
  assert.equal(message?.attrs.id, said.attrs.id);
  assert.equal(message?.attrs.type, "groupchat");

  const first = String(last.set?.getChildText("first"));
  const before = await queryArchive(romeo, { set: [xml("max", {}, "3"), xml("before", {}, first)] });
  assert.deepEqual(before.bodies, ["Line 2", "Line 3", "Line 4"]);
  const flipped = await queryArchive(romeo, {
    set: [xml("max", {}, "3"), xml("before", {}, first)],
    flip: true,
  });
  assert.deepEqual(flipped.bodies, ["Line 4", "Line 3", "Line 2"]);

  const start = await queryArchive(romeo, { set: [xml("max", {}, "2")] });
  assert.deepEqual(start.bodies, ["Line 0", "Line 1"]);
  const rest = await queryArchive(romeo, {
    set: [xml("max", {}, "50"), xml("after", {}, String(start.set?.getChildText("last")))],
  });
  assert.deepEqual(rest.bodies, ["Line 2", "Line 3", "Line 4", "Line 5", "Line 6", "And I say this"]);
  assert.equal(rest.isComplete, true);
});

test("the archive is asked by time, by author and by ID", { skip }, async () => {
  const all = await queryArchive(romeo, { set: [xml("max", {}, "50")] });
  const stamps = all.results.map((result) =>
    String(result.getChild("forwarded")?.getChild("delay")?.attrs.stamp),
  );
  const ids = all.results.map(({ attrs }) => String(attrs.id));
  const since = await queryArchive(romeo, { fields: { start: String(stamps[5]) } });
  assert.deepEqual(since.bodies, all.bodies.slice(5));
  const until = await queryArchive(romeo, { fields: { end: String(stamps[2]) } });
  assert.deepEqual(until.bodies, all.bodies.slice(0, 3));
  const mine = await queryArchive(romeo, { fields: { with: `${cafe}/Romeo` } });
  assert.deepEqual(mine.bodies, ["And I say this"]);
  const theirs = await queryArchive(romeo, { fields: { with: julietJid } });
  assert.deepEqual(theirs.bodies, all.bodies.slice(0, 7));
  const one = await queryArchive(romeo, { fields: { ids: String(ids[3]) } });
  assert.deepEqual(one.bodies, ["Line 3"]);
  const between = await queryArchive(romeo, {
    fields: { "after-id": String(ids[1]), "before-id": String(ids[4]) },
  });
  assert.deepEqual(between.bodies, ["Line 2", "Line 3"]);
  const metadata = (await ask(romeo, cafe, xml("metadata", { xmlns: mam }))).getChild("metadata");
  assert.equal(metadata?.getChild("start")?.attrs.id, ids[0]);
  assert.equal(metadata?.getChild("end")?.attrs.id, ids.at(-1));
});

test("the archive is closed to those outside, and refuses what it does not have", { skip }, async () => {
  assert.equal(await refused(queryArchive(benvolio)), "auth/forbidden");
  assert.equal(
    await refused(queryArchive(romeo, { set: [xml("after", {}, "$nothing")] })),
    "cancel/item-not-found",
  );
  for (const fields of [{ "after-id": "$nothing" }, { "before-id": "$nothing" }, { ids: "$nothing" }]) {
    assert.equal(await refused(queryArchive(romeo, { fields })), "cancel/item-not-found");
  }
  assert.equal(
    await refused(queryArchive(romeo, { fields: { color: "red" } })),
    "cancel/feature-not-implemented",
  );
});

test("a guest without power reads and changes no lists and no settings", { skip }, async () => {
  assert.equal(await refused(guest.list("affiliation", "owner")), "auth/forbidden");
  assert.equal(await refused(guest.kick("juliet")), "auth/forbidden");
  assert.equal(await refused(guest.ban(julietJid)), "auth/forbidden");
  assert.equal(await refused(guest.request(xml("query", { xmlns: owner }), "get")), "auth/forbidden");
  assert.equal(await refused(ask(benvolio, cafe, xml("query", { xmlns: owner }))), "auth/forbidden");
});

test("an owner from XMPP kicks, bans and unbans, and gives and takes voice and rank", { skip }, async () => {
  await setPower(ghost("romeo"), 100);
  const other = await joinMuc(benvolio, cafe, "Benvolio");
  await waitFor(
    async () => (await guest.list("affiliation", "owner").catch(() => [])).length === 2,
    "the rank",
  );
  assert.deepEqual(await guest.list("affiliation", "owner"), [julietJid, "romeo@xmpp.test"]);
  assert.deepEqual(await guest.list("role", "participant"), ["Benvolio"]);

  await guest.setRole("Benvolio", "visitor");
  await waitFor(async () => (await guest.list("role", "visitor")).includes("Benvolio"), "no voice");
  await guest.setRole("Benvolio", "participant");
  await guest.setAffiliation("benvolio@xmpp.test", "admin");
  await waitFor(async () => (await guest.list("affiliation", "admin")).length === 1, "a new admin");
  assert.deepEqual(await guest.list("role", "moderator"), ["Benvolio", "Romeo", "juliet"]);
  assert.equal(await refused(guest.setRole("Benvolio", "visitor")), "cancel/not-allowed");
  await guest.setAffiliation("benvolio@xmpp.test", "none");
  const levels = await stateOf("m.room.power_levels");
  assert.deepEqual(levels.users, { [juliet.userId]: 100, [ghost("romeo")]: 100 });

  await guest.kick("Benvolio", "Part, fools!");
  const exit = await other.waitForExit("Benvolio");
  assert.ok(exit.toString().includes("307"));
  await waitFor(
    async () => (await stateOf("m.room.member", ghost("benvolio"))).membership === "leave",
    "the kick",
  );
  assert.equal((await stateOf("m.room.member", ghost("benvolio"))).reason, "Part, fools!");

  await guest.ban("benvolio@xmpp.test", "Enough");
  assert.equal((await stateOf("m.room.member", ghost("benvolio"))).membership, "ban");
  await waitFor(async () => (await guest.list("affiliation", "outcast")).length === 1, "the ban");
  assert.deepEqual(await guest.list("affiliation", "outcast"), ["benvolio@xmpp.test"]);
  await guest.setAffiliation("benvolio@xmpp.test", "none");
  assert.equal((await stateOf("m.room.member", ghost("benvolio"))).membership, "leave");
  assert.equal(await refused(guest.ban("romeo@xmpp.test")), "cancel/conflict");
  assert.equal(await refused(guest.kick("Nobody")), "cancel/item-not-found");
  assert.equal(await refused(guest.kick("juliet")), "cancel/not-allowed");
});

test("an owner from XMPP configures the room", { skip }, async () => {
  const form = (await guest.request(xml("query", { xmlns: owner }), "get")).getChild("query")?.getChild("x");
  const values = Object.fromEntries(
    (form?.getChildren("field") ?? []).map((field) => [field.attrs.var, field.getChildText("value")]),
  );
  assert.equal(values["muc#roomconfig_roomname"], "The Café");
  assert.equal(values["muc#roomconfig_publicroom"], "1");
  await guest.configure({
    "muc#roomconfig_roomname": "The Tavern",
    "muc#roomconfig_membersonly": "1",
    "muc#roomconfig_moderatedroom": "1",
  });
  assert.equal((await stateOf("m.room.name")).name, "The Tavern");
  assert.equal((await stateOf("m.room.join_rules")).join_rule, "invite");
  assert.equal((await stateOf("m.room.power_levels")).events_default, 50);
  await guest.waitFor((stanza) => stanza.toString().includes('code="104"'));
  await waitFor(async () => {
    const again = (await ask(romeo, cafe, xml("query", { xmlns: info }))).getChild("query");
    return again?.getChildren("feature").some(({ attrs }) => attrs.var === "muc_membersonly") ?? false;
  }, "the new settings");
  await guest.configure({ "muc#roomconfig_moderatedroom": "0" });
  assert.equal(
    await refused(guest.configure({ "muc#roomconfig_whois": "moderators" })),
    "modify/not-acceptable",
  );
  const destroy = xml("query", { xmlns: owner }, xml("destroy"));
  assert.equal(await refused(guest.request(destroy)), "cancel/not-allowed");
  const cancelled = xml("query", { xmlns: owner }, xml("x", { xmlns: "jabber:x:data", type: "cancel" }));
  await guest.request(cancelled);
  assert.equal((await stateOf("m.room.name")).name, "The Tavern");
});

test("a guest invites others: on XMPP by the room's message, on Matrix as their ghost", {
  skip,
}, async () => {
  const nurse = await stage.matrixUser("nurse");
  const invite = (to: string) =>
    xml(
      "message",
      { to: cafe, id: `invite ${to}` },
      xml(
        "x",
        { xmlns: "http://jabber.org/protocol/muc#user" },
        xml("invite", { to }, xml("reason", {}, "Come!")),
      ),
    );
  await romeo.send(invite(`nurse%hs.test@${bridge}`));
  assert.equal(await nurse.waitForInvite(ghost("romeo")), room);
  const friar = await stage.matrixUser("friar");
  const direct = xml("x", { xmlns: "jabber:x:conference", jid: cafe, reason: "Peace!" });
  await romeo.send(xml("message", { to: `friar%hs.test@${bridge}` }, direct));
  assert.equal(await friar.waitForInvite(ghost("romeo")), room);
  await romeo.send(invite("benvolio@xmpp.test"));
  const came = await benvolio.waitFor(
    (stanza) => stanza.getChild("x", "jabber:x:conference")?.attrs.jid === cafe,
  );
  const invited = came.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("invite");
  assert.equal(invited?.attrs.from, "romeo@xmpp.test");
  assert.equal(invited?.getChildText("reason"), "Come!");
  // The room is for members only, and now he is one.
  const other = await joinMuc(benvolio, cafe, "Benvolio");
  assert.ok(other.occupants().has("Romeo"));
  await romeo.send(invite("nobody@xmpp.test"));
  const unknown = await romeo.waitFor(
    (stanza) => stanza.attrs.type === "error" && stanza.attrs.id === "invite nobody@xmpp.test",
  );
  assert.ok(unknown.getChild("error")?.getChild("item-not-found"));
  assert.equal((await stateOf("m.room.member", ghost("nobody"))).membership, "leave");
  await other.leave();
  await benvolio.send(invite("mercutio@xmpp.test"));
  const error = await benvolio.waitFor(
    (stanza) => stanza.attrs.type === "error" && stanza.attrs.id === "invite mercutio@xmpp.test",
  );
  assert.ok(error.getChild("error")?.getChild("not-acceptable"));
});

test("a Matrix user invites an XMPP user into a room with others, who comes, or declines", {
  skip,
}, async () => {
  const [mercutio, tybalt] = [await stage.xmppUser("mercutio"), await stage.xmppUser("tybalt")];
  const ball = await juliet.createRoom({ preset: "private_chat", name: "The Ball" });
  const nurse = await stage.matrixUser("nurse2");
  await juliet.invite(ball, nurse.userId);
  await nurse.join(ball);
  const invited = (user: XmppUser) =>
    user.waitFor((stanza) => stanza.getChild("x", "jabber:x:conference") !== undefined);
  await juliet.invite(ball, ghost("mercutio"));
  const address = String((await invited(mercutio)).getChild("x", "jabber:x:conference")?.attrs.jid);
  const inside = await joinMuc(mercutio, address, "Mercutio");
  assert.ok(inside.occupants().has("juliet"));

  await juliet.invite(ball, ghost("tybalt"));
  await invited(tybalt);
  const decline = xml("decline", { to: julietJid }, xml("reason", {}, "I hate the word"));
  await tybalt.send(
    xml("message", { to: address }, xml("x", { xmlns: "http://jabber.org/protocol/muc#user" }, decline)),
  );
  const left = await juliet.waitFor(
    ({ type, state_key: key, content, room_id: id }) =>
      id === ball && type === "m.room.member" && key === ghost("tybalt") && content.membership === "leave",
  );
  assert.equal(left.content.reason, "I hate the word");
});

test("an invited address that does not exist is refused, and the inviter sees why", { skip }, async () => {
  const hall = await juliet.createRoom({ preset: "private_chat", name: "The Hall" });
  await juliet.invite(hall, ghost("nobody"));
  const left = await juliet.waitFor(
    ({ type, state_key: key, content, room_id: id }) =>
      id === hall && type === "m.room.member" && key === ghost("nobody") && content.membership === "leave",
  );
  assert.match(String(left.content.reason), /could not be invited|cannot be invited/);
});

test("a moderator from XMPP removes what somebody on Matrix has said", { skip }, async () => {
  const said = await juliet.sendText(room, "A plague on both your houses");
  await guest.waitForMessage("A plague on both your houses");
  const moderate = (id: string) =>
    xml(
      "moderate",
      { xmlns: "urn:xmpp:message-moderate:1", id },
      xml("retract", { xmlns: "urn:xmpp:message-retract:1" }),
      xml("reason", {}, "No curses"),
    );
  assert.equal(await refused(guest.request(moderate("$nothing"))), "cancel/item-not-found");
  await guest.request(moderate(said));
  const redaction = await juliet.waitFor(
    ({ type, sender }) => type === "m.room.redaction" && sender === ghost("romeo"),
  );
  assert.equal(redaction.content.reason, "No curses");
  const told = await guest.waitFor(
    (stanza) => stanza.getChild("retract", "urn:xmpp:message-retract:1")?.attrs.id === said,
  );
  assert.equal(told.attrs.from, cafe);
  const { bodies, results } = await queryArchive(romeo, { set: [xml("max", {}, "5"), xml("before")] });
  assert.ok(!bodies.includes("A plague on both your houses"));
  for (const result of results) {
    const message = result.getChild("forwarded")?.getChild("message");
    assert.ok(message?.getChild("body") ?? message?.getChild("retract"), String(message));
  }
});

test("a room's picture is seen and set by its vCard", { skip }, async () => {
  const png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const photo = xml("PHOTO", {}, xml("TYPE", {}, "image/png"), xml("BINVAL", {}, png));
  await guest.request(xml("vCard", { xmlns: "vcard-temp" }, photo));
  assert.match(String((await stateOf("m.room.avatar")).url), /^mxc:/);
  await waitFor(async () => {
    const vcard = (await ask(romeo, cafe, xml("vCard", { xmlns: "vcard-temp" }))).getChild("vCard");
    return Boolean(vcard?.getChild("PHOTO")?.getChildText("BINVAL"));
  }, "the picture");
  const query = (await ask(romeo, cafe, xml("query", { xmlns: info }))).getChild("query");
  const fields = query?.getChild("x")?.getChildren("field") ?? [];
  const hash = fields.find(({ attrs }) => attrs.var === "muc#roominfo_avatarhash")?.getChildText("value");
  assert.match(String(hash), /^[0-9a-f]{40}$/);
});

test("occupants answer for themselves: Matrix users by the bridge, guests by their clients", {
  skip,
}, async (t) => {
  const juliets = (await ask(romeo, `${cafe}/juliet`, xml("query", { xmlns: info }))).getChild("query");
  assert.equal(juliets?.getChild("identity")?.attrs.category, "client");
  const vcard = (await ask(romeo, `${cafe}/juliet`, xml("vCard", { xmlns: "vcard-temp" }))).getChild("vCard");
  assert.equal(vcard?.getChildText("JABBERID"), julietJid);
  assert.equal(
    await refused(ask(benvolio, `${cafe}/juliet`, xml("query", { xmlns: info }))),
    "modify/bad-request",
  );
  assert.equal(
    await refused(ask(romeo, `${cafe}/nobody`, xml("query", { xmlns: info }))),
    "cancel/item-not-found",
  );
  const ping = xml("ping", { xmlns: "urn:xmpp:ping" });
  assert.equal((await ask(romeo, cafe, ping)).attrs.type, "result");
  assert.equal(
    (await ask(romeo, cafe, xml("query", { xmlns: "jabber:iq:version" })))
      .getChild("query")
      ?.getChildText("name"),
    "Causeway",
  );
  assert.equal(
    await refused(ask(romeo, cafe, xml("query", { xmlns: "urn:example" }))),
    "cancel/service-unavailable",
  );
  const balthasar = await connectXmpp({
    host: stage.prosody.host,
    port: stage.prosody.c2sPort,
    domain: "xmpp.test",
    username: "benvolio",
    password: "benvolio-password",
    resource: "horse",
    onQuery: {
      namespace: "jabber:iq:version",
      answer: async () => xml("query", { xmlns: "jabber:iq:version" }, xml("name", {}, "Pigeon")),
    },
  });
  t.after(balthasar.stop);
  await guest.setAffiliation("benvolio@xmpp.test", "member");
  const other = await joinMuc(balthasar, cafe, "Benvolio");
  const version = await ask(romeo, `${cafe}/Benvolio`, xml("query", { xmlns: "jabber:iq:version" }));
  assert.equal(version.attrs.from, `${cafe}/Benvolio`);
  assert.equal(version.getChild("query")?.getChildText("name"), "Pigeon");
  await other.leave();
  const isMember = async () => (await guest.list("affiliation", "member")).includes("benvolio@xmpp.test");
  await waitFor(async () => !(await isMember()), "Benvolio to leave");
  const nick = await ask(romeo, cafe, xml("query", { xmlns: info, node: "x-roomuser-item" }));
  assert.equal(nick.getChild("query")?.getChild("identity")?.attrs.name, "Romeo");
});

test("whoever may not speak asks for voice, and a moderator grants it by a form", { skip }, async () => {
  await guest.setAffiliation("benvolio@xmpp.test", "member");
  const other = await joinMuc(benvolio, cafe, "Benvolio");
  await guest.setRole("Benvolio", "visitor");
  const muted = await other.waitForPresence("Benvolio", (stanza) =>
    String(stanza).includes('role="visitor"'),
  );
  const request = "http://jabber.org/protocol/muc#request";
  const field = (name: string, value: string) => xml("field", { var: name }, xml("value", {}, value));
  const form = (...fields: Element[]) =>
    xml("x", { xmlns: "jabber:x:data", type: "submit" }, field("FORM_TYPE", request), ...fields);
  await benvolio.send(xml("message", { to: cafe }, form(field("muc#role", "participant"))));
  const asked = await romeo.waitFor((stanza) => stanza.toString().includes("muc#request_allow"));
  const values = Object.fromEntries(
    (asked.getChild("x")?.getChildren("field") ?? []).map((one) => [
      one.attrs.var,
      one.getChildText("value"),
    ]),
  );
  assert.equal(values["muc#roomnick"], "Benvolio");
  const direct = await juliet.waitForInvite(ghost("benvolio"));
  await juliet.join(direct);
  await juliet.waitFor(({ content }) =>
    String(content.body).startsWith("I would like to speak in The Tavern"),
  );
  await romeo.send(
    xml(
      "message",
      { to: cafe },
      form(
        field("muc#roomnick", "Benvolio"),
        field("muc#role", "participant"),
        field("muc#request_allow", "true"),
      ),
    ),
  );
  const place = (stanza: Element) => other.received().indexOf(stanza);
  await other.waitForPresence(
    "Benvolio",
    (stanza) => String(stanza).includes('role="participant"') && place(stanza) > place(muted),
  );
});

test("whoever wants to come into a room that one knocks on asks to be let in", { skip }, async () => {
  const closet = await juliet.createRoom({
    room_alias_name: "closet",
    initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
  });
  const address = `#closet%hs.test@${bridge}`;
  const register = () => xml("query", { xmlns: "jabber:iq:register" });
  const form = (await ask(romeo, address, register())).getChild("query");
  assert.ok(form?.getChildText("instructions"));
  await ask(romeo, address, register(), "set");
  await juliet.waitFor(
    ({ room_id: id, content, state_key: key }) =>
      id === closet && key === ghost("romeo") && content.membership === "knock",
  );
  assert.equal(await refused(ask(romeo, `#square%hs.test@${bridge}`, register())), "cancel/not-allowed");
  const registered = (await ask(romeo, cafe, register())).getChild("query");
  assert.equal(registered?.getChildText("username"), "Romeo");
});
