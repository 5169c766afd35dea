/** Commands about rooms, given by real users in each of the places for them, and the agreement that links rooms. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Element } from "@xmpp/xml";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { SyncEvent } from "../servers/matrix-sync.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../servers/muc-user.ts";
import { askBot, openBotChat, openMuc, portalAlias, waitForGreeting } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";

const skip = serversMissing() ?? false;
const bot = "@_xmpp_bot:hs.test";
const component = "bridge.xmpp.test";
const waitMs = 30_000;
let stage: Stage;
let juliet: MatrixUser;
let escalus: MatrixUser;
let romeo: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage({
    adjust: (config) => ({
      ...config,
      permissions: { ...config.permissions, "@escalus:hs.test": "admin", "prince@xmpp.test": "admin" },
    }),
  });
  juliet = await stage.matrixUser("juliet");
  escalus = await stage.matrixUser("escalus");
  romeo = await stage.xmppUser("romeo");
});
after(async () => {
  await stage?.stop();
});

/** A room of hers with the bot in it, and whoever is there, so that it is no chat of two. */
async function openRoom(user: MatrixUser, localpart?: string): Promise<string> {
  const room = await user.createRoom({
    preset: "public_chat",
    name: "The Orchard",
    invite: [bot],
    power_level_content_override: { invite: 0 },
    ...(localpart && { room_alias_name: localpart }),
  });
  await waitForGreeting(user, room);
  return room;
}

const isNotice = (room: string) => (event: SyncEvent) =>
  event.room_id === room && event.sender === bot && event.content.msgtype === "m.notice";

/** The bot's next word in the room that matches. */
async function hear(user: MatrixUser, room: string, pattern: RegExp): Promise<string> {
  const event = await user.waitFor(
    (one) => isNotice(room)(one) && pattern.test(String(one.content.body)),
    waitMs,
  );
  return String(event.content.body);
}

const bodyOf = (stanza: Element): string => stanza.getChildText("body") ?? "";

/** Says a line in the room. @returns the answer of the bot to this occupant, without the name. */
async function askIn(muc: MucUser, line: string): Promise<string> {
  const asked = await muc.say(line);
  const start = `${muc.nick()}: `;
  const place = (stanza: Element) => muc.received().indexOf(stanza);
  const answer = await muc.waitFor(
    (stanza) => stanza.is("message") && bodyOf(stanza).startsWith(start) && place(stanza) > place(asked),
    waitMs,
  );
  return bodyOf(answer).slice(start.length);
}

/** Says a line to the bridge itself. */
async function askBridge(user: XmppUser, line: string): Promise<string> {
  const seen = new Set(user.messages);
  await user.send(xml("message", { type: "chat", to: component }, xml("body", {}, line)));
  const answer = await user.waitFor(
    (stanza) =>
      stanza.is("message") &&
      stanza.attrs.from === component &&
      stanza.attrs.type === "chat" &&
      !seen.has(stanza) &&
      bodyOf(stanza) !== "",
    waitMs,
  );
  return bodyOf(answer);
}

const codeIn = (text: string): string => /agree ([0-9A-F]{6})/.exec(text)?.[1] ?? "";

/** What the bot says in an XMPP room about somebody's wish. */
const wishIn = async (muc: MucUser): Promise<string> =>
  bodyOf(await muc.waitFor((stanza) => stanza.is("message") && codeIn(bodyOf(stanza)) !== "", waitMs));

test("a room is linked from Matrix once an owner agrees, has its commands on both sides, and is unlinked", {
  skip,
}, async () => {
  const muc = await openMuc(romeo, `garden@${stage.muc}`, "Romeo");
  const room = await openRoom(juliet);
  assert.match(
    await askBot(juliet, room, `!xmpp link garden@${stage.muc}`),
    /An owner or admin of it answers there/,
  );
  const wish = await wishIn(muc);
  assert.match(wish, /^@juliet:hs\.test asks to link this room with the Matrix room “The Orchard”/);

  const mercutio = await joinMuc(await stage.xmppUser("mercutio"), `garden@${stage.muc}`, "Mercutio");
  assert.match(await askIn(mercutio, `!xmpp agree ${codeIn(wish)}`), /^Only somebody who may change/);
  assert.equal(await askIn(muc, `!xmpp agree ${codeIn(wish)}`), "Done.");
  await hear(juliet, room, /^This room is linked with garden@conference\.xmpp\.test now\. To end that/);
  await muc.waitForMessage(
    `This room is linked with the Matrix room “The Orchard” (${room}) now. To end that: !xmpp unlink`,
    waitMs,
  );

  await juliet.sendText(room, "O Romeo");
  await muc.waitForMessage("O Romeo", waitMs);
  await muc.say("Shall I hear more");
  await juliet.waitFor(({ content }) => content.body === "Shall I hear more", waitMs);

  assert.match(
    await askBot(juliet, room, "!xmpp status"),
    /^This room is linked with garden@\S+ \(plumbed\): 2 from XMPP/,
  );
  assert.match(await askBot(juliet, room, "!xmpp members"), /^• Mercutio$\n^• Romeo \(owner\)$/m);
  assert.equal(await askBot(juliet, room, "!xmpp nick"), `You are called juliet in garden@${stage.muc}.`);
  assert.match(await askBot(juliet, room, "!xmpp list"), /^• garden@\S+ – here \S+, you are in$/m);
  assert.match(await askBot(juliet, room, "!xmpp help nick"), /^!xmpp nick \[NEW\] – /);
  assert.doesNotMatch(await askBot(juliet, room, "!xmpp help"), /notify|block/);
  assert.match(await askIn(muc, "!xmpp members"), /^• juliet \(@juliet:hs\.test\)$/m);
  assert.match(await askIn(muc, "!xmpp help"), /^• unlink \[ROOM\]/m);
  assert.match(await askIn(muc, "!xmpp rooms"), /^That is no command/);
  assert.match(await askIn(mercutio, "!xmpp unlink"), /^Only somebody who may change/);

  assert.match(await askBot(juliet, room, "!xmpp nick Capulet"), /^You are called Capulet in /);
  await muc.waitForPresence("Capulet", undefined, waitMs);

  assert.match(await askBot(juliet, room, "!xmpp unlink"), /is not linked any more/);
  await muc.waitForMessage(
    `@juliet:hs.test has ended the link of this room with the Matrix room “The Orchard” (${room}).`,
    waitMs,
  );
  await muc.waitForExit("Capulet", waitMs);
  assert.match(await askBot(juliet, room, "!xmpp unlink"), /is not linked with any room/);
  await mercutio.leave();
  await muc.leave();
});

test("whoever is an owner on both sides links at once", { skip }, async () => {
  const muc = await openMuc(romeo, `hall@${stage.muc}`, "Romeo");
  await muc.setAffiliation(`juliet%hs.test@${component}`, "owner");
  const room = await openRoom(juliet, "hall");
  await juliet.sendText(room, `!xmpp link hall@${stage.muc}`);
  await hear(juliet, room, /^Done\.$/);
  await muc.waitForMessage(
    `This room is linked with the Matrix room “The Orchard” (#hall:hs.test) now. To end that: !xmpp unlink`,
    waitMs,
  );
  assert.match(
    await askBot(juliet, room, `!xmpp link hall@${stage.muc}`),
    /^It is linked with hall@\S+ already/,
  );
  const other = await openRoom(juliet);
  assert.match(
    await askBot(juliet, other, `!xmpp link hall@${stage.muc}`),
    /is linked with a Matrix room already/,
  );
  await muc.post([xml("body", {}, "!xmpp unlink")]);
  await muc.waitForExit("Causeway", waitMs);
});

test("an XMPP owner asks, and somebody with power in the Matrix room agrees", { skip }, async () => {
  const muc = await openMuc(romeo, `tomb@${stage.muc}`, "Romeo", { "muc#roomconfig_whois": "anyone" });
  const room = await juliet.createRoom({ preset: "public_chat", room_alias_name: "tomb" });
  const line = `link tomb@${stage.muc} #tomb:hs.test`;
  assert.match(
    await askBridge(romeo, line),
    /I am not in that Matrix room: invite @_xmpp_bot:hs\.test there/,
  );
  await juliet.invite(room, bot);
  await hear(juliet, room, /^This is a bridge/);
  assert.match(
    await askBridge(romeo, line),
    /Somebody who may change its settings answers there: !xmpp agree/,
  );
  const wish = await hear(juliet, room, /^romeo@xmpp\.test asks to link/);
  await juliet.sendText(room, `!xmpp agree ${codeIn(wish)} relay`);
  await hear(juliet, room, /^This room is linked with tomb@\S+ now\. The bot speaks for all Matrix users\./);
  await juliet.sendText(room, "Thy lips are warm");
  await muc.waitForMessage("juliet: Thy lips are warm", waitMs);
  assert.match(await askBot(juliet, room, "!xmpp link puppets"), /^Only an owner or admin of tomb@/);
  assert.equal(await askIn(muc, "!xmpp link puppets"), "Done.");
  await muc.waitForPresence("juliet", undefined, waitMs);
  await juliet.sendText(room, "!xmpp link relay");
  await muc.waitForExit("juliet", waitMs);
  await juliet.sendText(room, "O happy dagger");
  await muc.waitForMessage("juliet: O happy dagger", waitMs);
  await muc.post([xml("body", {}, "!xmpp unlink")]);
  await muc.waitForExit("Causeway", waitMs);
});

test("what is refused is not linked, nor asked for again at once", { skip }, async () => {
  const muc = await openMuc(romeo, `street@${stage.muc}`, "Romeo");
  const room = await openRoom(juliet);
  const line = `!xmpp link street@${stage.muc}`;
  await askBot(juliet, room, line);
  const code = codeIn(await wishIn(muc));
  assert.equal(await askIn(muc, `!xmpp refuse ${code}`), `street@${stage.muc} will not be linked.`);
  await hear(juliet, room, /has refused to link street@/);
  await muc.waitForExit("Causeway", waitMs);
  assert.match(await askBot(juliet, room, line), /was refused; ask again tomorrow/);
});

test("a wish outlives a restart of the bridge, and the bot waits in the room for the answer", {
  skip,
}, async () => {
  const muc = await openMuc(romeo, `lane@${stage.muc}`, "Romeo");
  const room = await openRoom(juliet);
  await askBot(juliet, room, `!xmpp link lane@${stage.muc}`);
  const code = codeIn(await wishIn(muc));
  await stage.bridge.stop();
  await stage.bridge.start();
  assert.equal(await askIn(muc, `!xmpp agree ${code}`), "Done.");
  await juliet.sendText(room, "Good night, good night");
  await muc.waitForMessage("Good night, good night", waitMs);
  assert.match(await askBot(juliet, room, "!xmpp unlink"), /is not linked any more/);
});

test("an XMPP user finds all commands as forms", { skip }, async () => {
  const get = await romeo.request(
    xml(
      "iq",
      { type: "get", to: component },
      xml("query", {
        xmlns: "http://jabber.org/protocol/disco#items",
        node: "http://jabber.org/protocol/commands",
      }),
    ),
  );
  const nodes = get
    .getChild("query")
    ?.getChildren("item")
    .map(({ attrs }) => String(attrs.node));
  for (const name of [
    "join",
    "leave",
    "link",
    "unlink",
    "agree",
    "refuse",
    "invite",
    "chat",
    "list",
    "search",
  ])
    assert.ok(nodes?.includes(name), name);
  for (const name of ["rooms", "users", "block", "unblock", "nick"])
    assert.equal(nodes?.includes(name), false);

  const command = (node: string, attrs: Record<string, string> = {}, ...children: Element[]) =>
    romeo.request(
      xml(
        "iq",
        { type: "set", to: component },
        xml("command", { xmlns: "http://jabber.org/protocol/commands", node, ...attrs }, ...children),
      ),
      waitMs,
    );
  const form = (await command("members")).getChild("command");
  const answer = await command(
    "members",
    { sessionid: String(form?.attrs.sessionid), action: "complete" },
    xml(
      "x",
      { xmlns: "jabber:x:data", type: "submit" },
      xml("field", { var: "room" }, xml("value", {}, `nobody@${stage.muc}`)),
    ),
  );
  assert.equal(answer.getChild("command")?.getChildText("note"), "That room is not bridged.");
  const list = await command("status");
  assert.equal(list.getChild("command")?.getChildText("note"), "All is well.");
});

test("rooms that cannot be entered say what they need", { skip }, async () => {
  const room = await openRoom(juliet);
  const nurse = await stage.matrixUser("nurse");
  await nurse.join(room);
  await hear(nurse, room, /^This is a bridge/);
  assert.match(await askBot(nurse, room, `!xmpp link garden@${stage.muc}`), /It takes the power to change/);
  await openMuc(romeo, `members@${stage.muc}`, "Romeo", { "muc#roomconfig_membersonly": "1" });
  assert.match(
    await askBot(juliet, room, `!xmpp link members@${stage.muc}`),
    /^Only members may enter members@\S+ Ask one of its administrators to make bridge\.xmpp\.test a member\.$/,
  );
  await openMuc(romeo, `secret@${stage.muc}`, "Romeo", {
    "muc#roomconfig_passwordprotectedroom": "1",
    "muc#roomconfig_roomsecret": "sesame",
  });
  assert.match(await askBot(juliet, room, `!xmpp link secret@${stage.muc}`), /asks for a password/);
  assert.match(
    await askBot(juliet, room, `!xmpp link secret@${stage.muc} sesame`),
    /holds a secret that others here/,
  );
  assert.match(await askBot(juliet, room, `!xmpp link nowhere@${stage.muc}`), /^There is no room nowhere@/);
  assert.match(await askBot(juliet, room, "!xmpp link #hall:hs.test"), /^Name the XMPP room/);
  assert.match(await askBot(juliet, room, `!xmpp link juliet%hs.test@${component}`), /is no room\.$/);
});

test("a Matrix user enters an XMPP room by a command, and an XMPP user a Matrix room", { skip }, async () => {
  await openMuc(romeo, `square@${stage.muc}`, "Romeo");
  const chat = await openBotChat(juliet);
  assert.match(await askBot(juliet, chat, `join square@${stage.muc}`), /^I have invited you to square@/);
  const portal = await juliet.waitForInvite(bot, waitMs);
  await juliet.join(portal);
  assert.equal(await juliet.join(portalAlias(`square@${stage.muc}`)), portal);
  assert.match(await askBot(juliet, chat, `join square@${stage.muc}`), /^You are in square@/);
  assert.match(await askBot(juliet, chat, "join"), /^Usage: join ROOM \[PASSWORD\]\n• join garden@/);
  assert.match(await askBot(juliet, chat, "search square"), /^• square@conference\.xmpp\.test/m);
  assert.match(
    await askBot(juliet, chat, "chat romeo@xmpp.test"),
    /^Your conversation with romeo@xmpp\.test: https/,
  );
  assert.match(await askBot(juliet, chat, `leave square@${stage.muc}`), /^You have left square@/);

  await juliet.createRoom({ preset: "public_chat", room_alias_name: "cafe", visibility: "public" });
  assert.match(
    await askBridge(romeo, "join #cafe:hs.test"),
    /^Its address for you is #cafe%hs\.test@bridge\.xmpp\.test$/m,
  );
  const invitation = await romeo.waitFor(
    (stanza) => stanza.getChild("x", "jabber:x:conference") !== undefined,
  );
  assert.equal(invitation.getChild("x", "jabber:x:conference")?.attrs.jid, `#cafe%hs.test@${component}`);
  assert.match(await askBridge(romeo, "search cafe"), /#cafe%hs\.test@bridge\.xmpp\.test – /);
  assert.match(
    await askBridge(romeo, "chat @juliet:hs.test"),
    /^Write to juliet%hs\.test@bridge\.xmpp\.test/,
  );
});

test("people are invited by commands, and leave by them", { skip }, async () => {
  const benvolio = await stage.xmppUser("benvolio");
  const muc = await openMuc(romeo, `ball@${stage.muc}`, "Romeo");
  await muc.setAffiliation(`juliet%hs.test@${component}`, "owner");
  const room = await openRoom(juliet, "ball");
  await juliet.sendText(room, `!xmpp link ball@${stage.muc}`);
  await hear(juliet, room, /^Done\.$/);
  assert.equal(
    await askBot(juliet, room, "!xmpp invite benvolio@xmpp.test"),
    "benvolio@xmpp.test is invited.",
  );
  const mediated = await benvolio.waitFor(({ attrs }) => attrs.from === `ball@${stage.muc}`, waitMs);
  const invite = mediated.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("invite");
  assert.match(String(invite?.attrs.from), /^ball@conference\.xmpp\.test\/juliet$|^juliet%hs\.test@bridge/);
  const peter = await stage.matrixUser("peter");
  assert.equal(await askIn(muc, "!xmpp invite @peter:hs.test"), "@peter:hs.test is invited.");
  assert.equal(await peter.waitForInvite(bot, waitMs), room);
  await muc.sendTo("Causeway", "members");
  const whispered = await muc.waitFor(
    (stanza) => stanza.attrs.type === "chat" && bodyOf(stanza).startsWith("From Matrix:"),
    waitMs,
  );
  assert.equal(bodyOf(whispered), "From Matrix:\n• juliet (@juliet:hs.test)");
  assert.match(await askBot(juliet, room, "!xmpp leave"), /leave it with your client|^You have left/);

  const hall = await juliet.createRoom({ preset: "public_chat", room_alias_name: "feast", invite: [bot] });
  await hear(juliet, hall, /^This is a bridge/);
  assert.match(
    await askBot(juliet, hall, "!xmpp status"),
    /^XMPP users enter it as #feast%hs\.test@bridge\.xmpp\.test$/m,
  );
  await peter.join(hall);
  assert.match(await askBot(juliet, hall, "!xmpp status"), /^This room is not linked/);
  const feast = await joinMuc(romeo, `#feast%hs.test@${component}`, "Romeo");
  assert.equal(
    await askBridge(romeo, "members #feast:hs.test"),
    `From Matrix:\n• juliet (@juliet:hs.test)\n• peter (@peter:hs.test)`,
  );
  assert.match(await askBridge(romeo, "list"), /^• #feast%hs\.test@bridge\.xmpp\.test, you are in$/m);
  assert.match(await askBot(juliet, hall, "!xmpp members"), /^From XMPP:\n• Romeo$/);
  await feast.post([xml("body", {}, "!xmpp members")]);
  await feast.waitFor((stanza) => /\n[•-] juliet \(@juliet:hs\.test\)/.test(bodyOf(stanza)), waitMs);
  assert.equal(await askBridge(romeo, "leave #feast:hs.test"), `You have left #feast%hs.test@${component}.`);
  await feast.waitForExit("Romeo", waitMs);
  assert.match(await askBridge(romeo, "leave #feast:hs.test"), /^You are not in that room/);
});

test("what waits or was given up is listed, tried again and forgotten", { skip }, async () => {
  const chat = await openBotChat(juliet);
  assert.equal(await askBot(juliet, chat, "queue"), "No message waits.");
  assert.equal(await askBot(juliet, chat, "parked"), "No message is parked.");
  assert.equal(await askBot(juliet, chat, "retry all"), "There is none.");
  assert.match(await askBot(juliet, chat, "drop 1"), /^There is no such message of yours/);
  assert.equal(await askBridge(romeo, "queue"), "No message waits.");
  assert.equal(await askBot(juliet, chat, "status"), "All is well.");
});

test("an administrator blocks somebody at once, and takes it back", { skip }, async () => {
  const tybalt = await stage.xmppUser("tybalt");
  const chat = await openBotChat(escalus);
  await hear(escalus, chat, /^• block WHO/m);
  assert.match(await askBridge(tybalt, "help"), /^• join ROOM/m);
  assert.match(await askBot(escalus, chat, "block tybalt@xmpp.test"), /is blocked from now on/);
  await tybalt.send(xml("message", { type: "chat", to: component, id: "b1" }, xml("body", {}, "help")));
  const refusal = await tybalt.waitFor(({ attrs }) => attrs.id === "b1" && attrs.type === "error", waitMs);
  assert.equal(refusal.getChild("error")?.getChildText("text"), "You may not use this bridge.");
  assert.match(await askBot(escalus, chat, "users"), /^• tybalt@xmpp\.test \(by @escalus:hs\.test\)$/m);
  assert.match(await askBot(escalus, chat, "block @escalus:hs.test"), /^That would block yourself/);
  assert.match(await askBot(escalus, chat, "block hs.test"), /is blocked from now on/);
  assert.match(await askBot(escalus, chat, "unblock hs.test"), /may use the bridge/);
  assert.match(await askBot(escalus, chat, "unblock tybalt@xmpp.test"), /may use the bridge/);
  assert.match(await askBridge(tybalt, "help"), /^• join ROOM/m);
  assert.match(
    await askBot(escalus, chat, "rooms"),
    /^• square@\S+ – \S+: portal by @juliet:hs\.test, puppets/m,
  );
});

test("whoever is blocked goes at once from where they are, and comes back when that is taken back", {
  skip,
}, async () => {
  const [sampson, gregory] = await Promise.all([stage.matrixUser("sampson"), stage.xmppUser("gregory")]);
  const chat = await openBotChat(escalus);
  await hear(escalus, chat, /^• block WHO/m);
  const muc = await openMuc(romeo, `brawl@${stage.muc}`, "Romeo");
  const portal = await sampson.join(portalAlias(`brawl@${stage.muc}`));
  await muc.waitForPresence("sampson", undefined, waitMs);
  await juliet.createRoom({ preset: "public_chat", room_alias_name: "brawl" });
  const guest = await joinMuc(gregory, `#brawl%hs.test@${component}`, "Gregory");

  await askBot(escalus, chat, "block @sampson:hs.test");
  await muc.waitForExit("sampson", waitMs);
  await sampson.sendText(portal, "I will bite my thumb");
  await hear(sampson, portal, /You may not use this bridge/);
  await askBot(escalus, chat, "block gregory@xmpp.test");
  const exit = await guest.waitForExit("Gregory", waitMs);
  assert.match(String(exit), /code="307"/);

  await askBot(escalus, chat, "unblock @sampson:hs.test");
  await sampson.sendText(portal, "I do bite my thumb");
  await muc.waitForMessage("I do bite my thumb", waitMs);
  assert.equal(
    muc.said().some(([, body]) => body === "I will bite my thumb"),
    false,
  );
});

test("guests of a Matrix room that is linked are sent to the XMPP room", { skip }, async () => {
  const muc = await openMuc(romeo, `vault@${stage.muc}`, "Romeo");
  await muc.setAffiliation(`juliet%hs.test@${component}`, "owner");
  const room = await juliet.createRoom({ preset: "public_chat", room_alias_name: "vault" });
  const paris = await joinMuc(await stage.xmppUser("paris"), `#vault%hs.test@${component}`, "Paris");
  await juliet.invite(room, bot);
  await hear(juliet, room, /^This is a bridge between Matrix and XMPP\.$/m);
  await juliet.sendText(room, `!xmpp link vault@${stage.muc}`);
  const exit = await paris.waitForExit("Paris", waitMs);
  const destroyed = exit.getChild("x", "http://jabber.org/protocol/muc#user")?.getChild("destroy");
  assert.equal(destroyed?.attrs.jid, `vault@${stage.muc}`);
});

test("an administrator is one to the bridge alone, and not by what a room says of its occupants", {
  skip,
}, async () => {
  const prince = await stage.xmppUser("prince");
  assert.match(await askBridge(prince, "rooms"), /^Linked rooms:/);
  const address = `court@${stage.muc}`;
  await openMuc(romeo, address, "Romeo", { "muc#roomconfig_whois": "anyone" });
  await juliet.join(portalAlias(address));
  const muc = await joinMuc(prince, address, "Prince");
  await muc.waitForPresence("juliet", undefined, waitMs);
  assert.match(await askIn(muc, "!xmpp rooms"), /^That is no command/);
  assert.match(await askIn(muc, "!xmpp unlink"), /^Only somebody who may change/);
  assert.match(await askBridge(prince, `unlink ${address}`), /is not linked any more/);
  await muc.waitForExit("Causeway", waitMs);
});
