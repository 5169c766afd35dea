/** Rooms of a real Prosody as portals on a real Synapse: made, shown, moderated and ended. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../servers/muc-user.ts";
import {
  membersOf,
  openMuc,
  portalAlias,
  stateOf,
  waitForMember,
  waitForMembers,
  waitForPower,
} from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const bot = "@_xmpp_bot:hs.test";
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const aliasOf = (local: string): string => portalAlias(`${local}@${stage.muc}`);

/** A new XMPP room of Romeo's, configured. */
const mucOf = async (local: string, config: Record<string, string> = {}): Promise<MucUser> =>
  openMuc(await stage.xmppUser(`romeo-${local}`), `${local}@${stage.muc}`, "Romeo", config);

const until = <T>(check: () => Promise<T | undefined | false>, what: string) => waitFor(check, what, 30_000);

test("joining an alias makes the portal, with the name, the topic and the occupants of the XMPP room", {
  skip,
}, async () => {
  const juliet = await stage.matrixUser("juliet");
  const romeo = await mucOf("orchard", {
    "muc#roomconfig_roomname": "Capulet's orchard",
    "muc#roomconfig_roomdesc": "Walls are high",
  });
  await romeo.setSubject("But soft, what light");
  const room = await juliet.join(aliasOf("orchard"));
  assert.deepEqual((await stateOf(juliet, room, "m.room.name"))?.name, "Capulet's orchard");
  await until(
    async () => (await stateOf(juliet, room, "m.room.topic"))?.topic === "But soft, what light",
    "the topic",
  );
  await waitForMembers(juliet, room, ["Romeo", "juliet"]);
  const members = await membersOf(juliet, room);
  await romeo.waitForPresence("juliet");
  assert.deepEqual([...romeo.occupants().keys()].sort(), ["Causeway", "Romeo", "juliet"]);

  await juliet.sendText(room, "O Romeo, Romeo");
  await romeo.waitForMessage("O Romeo, Romeo", 20_000);
  await romeo.say("Shall I hear more?");
  const heard = await juliet.waitFor((event) => event.content.body === "Shall I hear more?", 20_000);
  assert.equal(members.get(heard.sender), "Romeo");

  await romeo.setNick("Montague");
  assert.equal(await waitForMember(juliet, room, "Montague"), heard.sender);
});

const puppetOf = (name: string) => `${name}%hs.test@bridge.xmpp.test`;
const membershipOf = async (user: MatrixUser, room: string, userId: string) =>
  (await stateOf(user, room, "m.room.member", userId)) as
    | { membership?: string; reason?: string }
    | undefined;

test("an XMPP room that nobody may enter like that has no portal", { skip }, async () => {
  const benvolio = await stage.matrixUser("benvolio");
  await mucOf("vault", { "muc#roomconfig_membersonly": "1" });
  for (const local of ["vault", "nowhere"]) {
    await assert.rejects(benvolio.join(aliasOf(local)), /M_NOT_FOUND/);
  }
});

test("who is kicked on XMPP is kicked on Matrix and told why, and may come back", { skip }, async () => {
  const nurse = await stage.matrixUser("nurse");
  const romeo = await mucOf("street");
  const room = await nurse.join(aliasOf("street"));
  await romeo.waitForPresence("nurse");
  await romeo.kick("nurse", "Peace, fool");
  const kicked = await nurse.waitFor(
    ({ type, state_key, content }) =>
      type === "m.room.member" && state_key === nurse.userId && content.membership === "leave",
    20_000,
  );
  assert.equal(kicked.content.reason, `Kicked from street@${stage.muc} by Romeo: Peace, fool`);
  await nurse.join(aliasOf("street"));
  await romeo.waitFor(
    (stanza) => stanza.is("presence") && stanza.attrs.type === undefined && romeo.occupants().has("nurse"),
  );
  await romeo.ban(puppetOf("nurse"), "Away");
  const banned = await nurse.waitFor(
    ({ type, state_key, content }) =>
      type === "m.room.member" && state_key === nurse.userId && content.membership === "ban",
    20_000,
  );
  assert.equal(banned.content.reason, `Banned from street@${stage.muc} by Romeo: Away`);
  assert.equal(banned.room_id, room);
});

test("an admin on XMPP has power on Matrix, and what they do to a ghost there is done on XMPP", {
  skip,
}, async () => {
  const paris = await stage.matrixUser("paris");
  const romeo = await mucOf("tomb");
  const mercutio = await joinMuc(await stage.xmppUser("mercutio"), `tomb@${stage.muc}`, "Mercutio");
  const room = await paris.join(aliasOf("tomb"));
  await romeo.waitForPresence("paris");
  await romeo.setAffiliation(puppetOf("paris"), "admin");
  await waitForPower(paris, room, 75);
  const ghost = await waitForMember(paris, room, "Mercutio");

  const path = (action: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/${action}`;
  await paris.request("POST", path("kick"), { user_id: ghost, reason: "Begone" });
  const exit = await mercutio.waitForExit("Mercutio", 20_000);
  const item = exit.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("item");
  assert.equal(item?.getChildText("reason"), "Begone");
  assert.equal(item?.getChild("actor")?.attrs.nick, "paris");

  await mercutio.rejoin();
  await until(async () => (await membershipOf(paris, room, ghost))?.membership === "join", "him to be back");
  await paris.request("POST", path("ban"), { user_id: ghost, reason: "For good" });
  await until(async () => (await romeo.list("affiliation", "outcast")).length === 1, "the ban");
  await paris.request("POST", path("unban"), { user_id: ghost });
  await until(async () => (await romeo.list("affiliation", "outcast")).length === 0, "its end");

  await paris.sendState(room, "m.room.topic", { topic: "A grave matter" });
  await romeo.waitFor((stanza) => stanza.getChildText("subject") === "A grave matter", 20_000);
});

test("an invitation to an XMPP room makes the portal, and a refusal is told", { skip }, async () => {
  const rosaline = await stage.matrixUser("rosaline");
  const romeo = await mucOf("feast", { "muc#roomconfig_membersonly": "1" });
  await romeo.setAffiliation("bridge.xmpp.test", "member");
  await romeo.user.send(
    xml(
      "message",
      { to: romeo.room },
      xml(
        "x",
        { xmlns: "http://jabber.org/protocol/muc#user" },
        xml("invite", { to: puppetOf("rosaline") }, xml("reason", {}, "Come")),
      ),
    ),
  );
  const room = await rosaline.waitForInvite(bot, 20_000);
  await rosaline.request("POST", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/leave`, {
    reason: "I am vowed",
  });
  const decline = await romeo.waitFor(
    (stanza) =>
      stanza.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("decline") !== undefined,
    20_000,
  );
  const declined = decline.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("decline");
  assert.equal(declined?.attrs.from, puppetOf("rosaline"));
  assert.equal(declined?.getChildText("reason"), "I am vowed");
});

test("an XMPP room that is destroyed takes its portal with it", { skip }, async () => {
  const tybalt = await stage.matrixUser("tybalt");
  const romeo = await mucOf("square");
  const room = await tybalt.join(aliasOf("square"));
  await romeo.waitForPresence("tybalt");
  await romeo.request(
    xml(
      "query",
      { xmlns: "http://jabber.org/protocol/muc#owner" },
      xml("destroy", {}, xml("reason", {}, "The prince says so")),
    ),
    "set",
  );
  await tybalt.waitFor(
    ({ content }) => content.body === `The XMPP room square@${stage.muc} is no more: The prince says so`,
    20_000,
  );
  await until(async () => {
    const path = `/_matrix/client/v3/directory/room/${encodeURIComponent(aliasOf("square"))}`;
    return tybalt.request("GET", path).then(
      () => false,
      () => true,
    );
  }, "the alias to be gone");
  await waitForMembers(tybalt, room, ["tybalt"]);
  await until(
    async () => (await membershipOf(tybalt, room, bot))?.membership === "leave",
    "the bot to leave the room",
  );
});

test("a room that was there before is linked, follows its upgrade, and unlinking leaves nothing behind", {
  skip,
}, async () => {
  const capulet = await stage.matrixUser("capulet");
  const romeo = await mucOf("hall");
  await romeo.setAffiliation(puppetOf("capulet"), "owner");
  const room = await capulet.createRoom({
    preset: "public_chat",
    name: "The hall",
    topic: "A mask",
    power_level_content_override: { users: { [capulet.userId]: 100, [bot]: 50 } },
  });
  const command = async (target: string, line: string) => {
    await capulet
      .request("POST", `/_matrix/client/v3/rooms/${encodeURIComponent(target)}/invite`, {
        user_id: bot,
      })
      .catch(() => undefined);
    await until(async () => (await membershipOf(capulet, target, bot))?.membership === "join", "the bot");
    await capulet.sendText(target, line);
  };
  await command(room, `!xmpp link hall@${stage.muc}`);
  await romeo.waitForPresence("capulet", undefined, 20_000);
  await waitForMember(capulet, room, "Romeo");
  assert.equal((await stateOf(capulet, room, "m.room.name"))?.name, "The hall");
  assert.equal((await stateOf(capulet, room, "m.room.topic"))?.topic, "A mask");
  const channelIn = async (id: string) =>
    (await stateOf(capulet, id, "m.bridge", `hall@${stage.muc}`))?.channel;
  assert.deepEqual(await until(() => channelIn(room), "the state that tells of the bridge"), {
    id: `hall@${stage.muc}`,
    displayname: "The hall",
    external_url: `xmpp:hall@${stage.muc}?join`,
  });

  const { replacement_room } = await capulet.request(
    "POST",
    `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/upgrade`,
    { new_version: "11" },
  );
  const next = String(replacement_room);
  await waitForMember(capulet, next, "Romeo");
  await romeo.say("You are welcome, gentlemen");
  const heard = await capulet.waitFor(({ content }) => content.body === "You are welcome, gentlemen", 20_000);
  assert.equal(heard.room_id, next);
  await capulet.sendText(next, "Ah ha, my mistresses");
  await romeo.waitForMessage("Ah ha, my mistresses", 20_000);

  await capulet.sendText(next, "!xmpp unlink");
  await romeo.waitForExit("Causeway", 20_000);
  await waitForMembers(capulet, next, ["capulet"]);
  await until(async () => [...romeo.occupants().keys()].join() === "Romeo", "Romeo to be alone");
  await until(async () => (await channelIn(next)) === undefined, "that state to be gone");
});

test("a bridge that owns the XMPP room changes its name as on Matrix, and the other way round", {
  skip,
}, async () => {
  const friar = await stage.matrixUser("friar");
  const romeo = await mucOf("cell");
  const room = await friar.join(aliasOf("cell"));
  await romeo.waitForPresence("friar");
  await romeo.setAffiliation("bridge.xmpp.test", "owner");
  await romeo.setAffiliation(puppetOf("friar"), "owner");
  await waitForPower(friar, room, 100);
  await friar.sendState(room, "m.room.name", { name: "Laurence's cell" });
  await until(async () => {
    const info = await romeo.request(xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }), "get");
    return info.getChild("query")?.getChild("identity")?.attrs.name === "Laurence's cell";
  }, "the name on XMPP");
  await romeo.configure({ "muc#roomconfig_roomname": "A cell of his" });
  await until(async () => (await stateOf(friar, room, "m.room.name"))?.name === "A cell of his", "the name");

  const ghost = "@_xmpp_balthasar=40xmpp.test:hs.test";
  const balthasar = await stage.xmppUser("balthasar");
  await friar.invite(room, ghost);
  const invitation = await balthasar.waitFor((stanza) => stanza.attrs.from === romeo.room, 20_000);
  assert.equal(
    invitation.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("invite")?.attrs.from,
    `${romeo.room}/friar`,
  );

  const there = await joinMuc(balthasar, romeo.room, "Balthasar");
  const occupant = await waitForMember(friar, room, "Balthasar");
  const levels = (await stateOf(friar, room, "m.room.power_levels")) as { users: Record<string, number> };
  await friar.sendState(room, "m.room.power_levels", {
    ...levels,
    users: { ...levels.users, [occupant]: 50 },
  });
  await until(async () => there.occupants().get("Balthasar")?.role === "moderator", "his new role");
});

test("who shows their address to all is on Matrix under it, and under the nick of the room", {
  skip,
}, async () => {
  const peter = await stage.matrixUser("peter");
  const romeo = await mucOf("churchyard", { "muc#roomconfig_whois": "anyone" });
  const room = await peter.join(aliasOf("churchyard"));
  const ghost = "@_xmpp_romeo-churchyard=40xmpp.test:hs.test";
  assert.equal(await waitForMember(peter, room, "Romeo"), ghost);
  await romeo.say("Here lies the county Paris");
  const heard = await peter.waitFor(({ content }) => content.body === "Here lies the county Paris", 20_000);
  assert.equal(heard.sender, ghost);

  await romeo.configure({ "muc#roomconfig_whois": "moderators" });
  await romeo.setNick("Nobody");
  const hidden = await waitForMember(peter, room, "Nobody");
  assert.match(hidden, /^@_xmpp_churchyard=40conference\.xmpp\.test=2f/);
  await until(async () => !(await membersOf(peter, room)).has(ghost), "the other to leave");
});
