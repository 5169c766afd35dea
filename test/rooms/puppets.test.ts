import assert from "node:assert/strict";
import { test } from "node:test";
import { UndeliverableError } from "../../src/bridge/failure.ts";
import { NoAnswerError } from "../../src/http/client.ts";
import { occupantPresence } from "../../src/mapping/muc-presence.ts";
import { StanzaRefusedError } from "../../src/xmpp/client.ts";
import type { FullJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { type Element, xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { bot, botJid, jidOf, juliet, muc, nurse, setMucRoom } from "./muc-room.ts";

const names = { [juliet]: "Juliet", [nurse]: "Nurse" };
const nicksIn = ({ occupants }: { occupants: Map<string, string> }): string[] =>
  [...occupants.values()].sort();
const sentence = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UndeliverableError);
  assert.match(error.message, words);
  return true;
};

test("the bot enters first, and the members of the Matrix room follow", async () => {
  const room = setMucRoom(names);
  assert.equal(await room.puppets.ensureBot(room.link), botJid);
  await room.settled();
  await waitFor(() => room.occupants.size === 3, "all to be in");
  assert.deepEqual(nicksIn(room), ["Causeway", "Juliet", "Nurse"]);
  assert.deepEqual(room.events, ["entering", "in"]);
  await room.settled();
  assert.deepEqual(await room.store.puppets.of(muc, juliet), {
    muc,
    userId: juliet,
    nick: "Juliet",
    state: "in",
  });
});

test("asked for at once and many times, somebody enters once", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await Promise.all([1, 2, 3].map(() => room.puppets.ensure(room.link, juliet)));
  await room.puppets.ensure(room.link, juliet);
  assert.deepEqual(room.asked(), [`${botJid} ${muc}/Causeway`, `${jidOf(juliet)} ${muc}/Juliet`]);
});

test("who asks says who they are, and wants none of the past", async () => {
  const room = setMucRoom({ [juliet]: "Juliet \u{1F339}" });
  await room.puppets.ensure({ ...room.link, password: "wherefore" }, juliet);
  const presence = room.sent.at(-1);
  const x = presence?.getChild("x", NS.muc);
  assert.equal(presence?.attrs.to, `${muc}/Juliet`);
  assert.equal(presence?.getChildText("nick"), "Juliet \u{1F339}");
  assert.equal(x?.getChildText("password"), "wherefore");
  assert.deepEqual(x?.getChild("history")?.attrs, { maxstanzas: "0" });
});

test("a nick that is taken, or looks like one, gives way to another, which is then kept", async () => {
  const room = setMucRoom({ [juliet]: "Romeo", [nurse]: "romeo" });
  room.occupants.set("romeo@xmpp.test/orchard", "Romeo");
  await room.puppets.ensure(room.link, juliet);
  await room.puppets.ensure(room.link, nurse);
  assert.deepEqual(room.puppets.nickOf(muc, juliet), "Romeo (juliet)");
  await room.settled();
  assert.deepEqual(room.puppets.userOfNick(muc, "Romeo (juliet)"), juliet);
  assert.deepEqual(room.puppets.userOfNick(muc, "Romeo"), undefined);
  room.occupants.delete("romeo@xmpp.test/orchard");
  await room.puppets.rejoin(room.link, juliet);
  assert.deepEqual(room.puppets.nickOf(muc, juliet), "Romeo (juliet)");
});

test("a room of another server refuses some time later, and that counts as well", async () => {
  const remote: Element[] = [];
  const room = setMucRoom(
    { [juliet]: "Juliet" },
    {
      xmpp: {
        async send(stanza) {
          remote.push(stanza);
          return undefined;
        },
      },
    },
  );
  const asked = room.puppets.ensureBot(room.link);
  await waitFor(() => remote.length === 1, "the bot to ask");
  const { id, from, to } = remote[0]?.attrs ?? {};
  const condition = xml("registration-required", { xmlns: NS.stanzaErrors });
  room.tell(
    xml("presence", { type: "error", from: to, to: from, id }, xml("error", { type: "auth" }, condition)),
  );
  await assert.rejects(
    asked,
    sentence(/^Only members may enter verona@.* make bridge\.xmpp\.test a member\.$/),
  );
});

test("a room that is not there is not made", async () => {
  const room = setMucRoom();
  room.answers.set(NS.discoInfo, () => {
    throw new StanzaRefusedError({ type: "cancel", condition: "item-not-found" });
  });
  await assert.rejects(room.puppets.ensureBot(room.link), sentence(/^There is no room verona@/));
  assert.deepEqual(room.sent, []);
});

test("who is kicked is told of, and does not come back by speaking, but by asking", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  room.leave(jidOf(juliet), { statuses: new Set([307]), reason: "Peace" });
  await assert.rejects(
    room.puppets.ensure(room.link, juliet),
    sentence(/^You were kicked from verona@.* join it again/),
  );
  await room.settled();
  assert.deepEqual(room.events, ["entering", "in", `kicked ${juliet}: Peace`]);
  assert.equal((await room.store.puppets.of(muc, juliet))?.state, "kicked");
  await room.puppets.enter(room.link, juliet);
  assert.deepEqual(nicksIn(room), ["Causeway", "Juliet"]);
});

test("who is banned is told of; the bridge's whole domain being banned is about the bot", async () => {
  const room = setMucRoom(names);
  await room.puppets.ensure(room.link, juliet);
  await room.puppets.ensure(room.link, nurse);
  room.leave(jidOf(nurse), { statuses: new Set([301]), affiliation: "outcast", reason: "Begone" });
  room.leave(botJid, { statuses: new Set([301]), affiliation: "outcast" });
  room.leave(jidOf(juliet), { statuses: new Set([301]) });
  await room.settled();
  assert.deepEqual(room.events, ["entering", "in", `banned ${nurse}: Begone`, `banned ${bot}: undefined`]);
  await assert.rejects(
    room.puppets.ensure(room.link, juliet),
    sentence(/^The bridge itself was banned from/),
  );
});

test("who was lost comes back under the same nick", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  for (const jid of [jidOf(juliet), botJid]) room.leave(jid, { statuses: new Set([307, 333]) });
  await waitFor(() => room.occupants.size === 2, "both to be back");
  assert.deepEqual(nicksIn(room), ["Causeway", "Juliet"]);
  await room.settled();
  assert.deepEqual(room.events, ["entering", "in", "entering", "in"]);
  await room.puppets.stop();
});

test("after a start of Prosody the bot hears anew who is there, and whoever is out comes back", async () => {
  const room = setMucRoom(names);
  await room.puppets.ensureBot(room.link);
  await waitFor(() => room.occupants.size === 3, "all to be in");
  await room.settled();
  room.occupants.clear();
  room.answers.set(NS.ping, () => {
    if (room.occupants.size > 1) return xml("none", {});
    throw new StanzaRefusedError({ type: "cancel", condition: "not-acceptable" });
  });
  room.puppets.prosodyStarted();
  await waitFor(() => room.occupants.size >= 2, "them to be back");
  await room.settled();
  assert.deepEqual(room.events, ["entering", "in", "entering", "in"]);
  await room.puppets.stop();
});

test("another name on Matrix is another nick; a chosen one outlasts what says the same again", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  await room.puppets.rename(room.link, juliet, "Juliet");
  await room.puppets.rename(room.link, juliet, "Capulet");
  assert.equal(room.puppets.nickOf(muc, juliet), "Capulet");
  assert.equal(room.puppets.userOfNick(muc, "Juliet"), undefined);
  await room.puppets.choose(room.link, juliet, "Jule");
  await room.puppets.rename(room.link, juliet, "Capulet");
  assert.equal(room.occupants.get(jidOf(juliet)), "Jule");
});

test("in a large room only those who speak are occupants", async () => {
  const room = setMucRoom(names, { config: { lazyAbove: 1, historyMessages: 0 } });
  await room.puppets.ensureBot(room.link);
  await room.settled();
  await room.puppets.enter(room.link, nurse);
  await room.puppets.ensure(room.link, juliet);
  assert.deepEqual(nicksIn(room), ["Causeway", "Juliet"]);
});

test("who leaves is forgotten, and with the link all go, the bot last", async () => {
  const room = setMucRoom(names);
  await room.puppets.ensureBot(room.link);
  await waitFor(() => room.occupants.size === 3, "all to be in");
  await room.puppets.leave(room.link, nurse, "Peace");
  assert.equal(await room.store.puppets.of(muc, nurse), undefined);
  assert.equal(room.sent.at(-1)?.getChildText("status"), "Peace");
  await room.puppets.leaveAll(room.link, "unlinked");
  await room.settled();
  assert.equal(room.sent.at(-1)?.attrs.from, botJid);
  assert.deepEqual([nicksIn(room), await room.store.puppets.ofMuc(muc)], [[], []]);
});

test("one of ours is known by occupant ID, too, after leaving and whoever has the nick then", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  const said = (nick: string, occupantId: string, to: FullJid = botJid) =>
    occupantPresence(to, {
      room: muc,
      nick,
      occupantId,
      isUnavailable: false,
      affiliation: "none",
      role: "participant",
      statuses: new Set(),
    });
  room.tell(said("Juliet", "hers"));
  await room.puppets.leave(room.link, juliet);
  assert.ok(room.puppets.isOwn(muc, { nick: "Juliet", occupantId: "hers" }));
  assert.ok(!room.puppets.isOwn(muc, { nick: "Juliet", occupantId: "another" }));
  await room.puppets.enter(room.link, juliet);
  assert.ok(!room.puppets.isOwn(muc, { nick: "Juliet", occupantId: "another" }));
});

test("after a restart somebody who has taken the nick of one of ours is not taken for them", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  const mine = { occupantId: "hers" };
  await room.puppets.ensure(room.link, juliet);
  room.leave(jidOf(juliet), mine);
  await room.puppets.enter(room.link, juliet);
  room.tell(
    occupantPresence(jidOf(juliet), {
      room: muc,
      nick: "Juliet",
      isUnavailable: false,
      affiliation: "none",
      role: "participant",
      statuses: new Set([110]),
      ...mine,
    }),
  );
  await room.settled();
  const after = setMucRoom({ [juliet]: "Juliet" }, { store: room.store });
  await after.puppets.start();
  assert.ok(after.puppets.isOwn(muc, { nick: "Juliet", occupantId: "hers" }));
  assert.ok(!after.puppets.isOwn(muc, { nick: "Juliet", occupantId: "another" }));
  await after.puppets.stop();
});

test("nobody of ours speaks in a room that has put the bot out", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  room.leave(botJid, { statuses: new Set([307]) });
  await assert.rejects(room.puppets.ensure(room.link, juliet), sentence(/^The bridge itself was kicked/));
});

test("whom a room that answers the bot does not answer is told so, and holds up nobody", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensureBot(room.link);
  room.refusals.set(jidOf(juliet), "remote-server-timeout");
  await assert.rejects(
    room.puppets.ensure(room.link, juliet),
    sentence(/^verona@conference\.xmpp\.test does not answer juliet%hs\.test@bridge\.xmpp\.test/),
  );
  room.answers.set(NS.ping, () => {
    throw new StanzaRefusedError({ type: "wait", condition: "remote-server-timeout" });
  });
  await assert.rejects(room.puppets.ensure(room.link, juliet), StanzaRefusedError);
});

test("who could not be taken out of a room at once is taken out by the next attempt", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  room.troubles.push(new NoAnswerError("ECONNREFUSED", false, undefined));
  await assert.rejects(room.puppets.leave(room.link, juliet), NoAnswerError);
  await room.puppets.leave(room.link, juliet, "Farewell");
  await room.settled();
  assert.deepEqual(nicksIn(room), ["Causeway"]);
  assert.equal(await room.store.puppets.of(muc, juliet), undefined);
});

test("whom the room does not let go as it does not know them is out", async () => {
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensure(room.link, juliet);
  room.troubles.push(new StanzaRefusedError({ type: "cancel", condition: "item-not-found" }));
  await room.puppets.leave(room.link, juliet);
  assert.equal(await room.store.puppets.of(muc, juliet), undefined);
});

test("who is asked in once more while they enter is no stranger to the bot that hears of it first", async () => {
  const asked = Promise.withResolvers<void>();
  const room = setMucRoom({ [juliet]: "Juliet" });
  await room.puppets.ensureBot(room.link);
  room.doors.set(jidOf(juliet), asked.promise);
  const entering = room.puppets.ensure(room.link, juliet);
  await waitFor(() => room.asked().includes(`${jidOf(juliet)} ${muc}/Juliet`), "her to ask");
  const again = room.puppets.enter(room.link, juliet);
  assert.equal(room.puppets.isOwn(muc, { nick: "Juliet" }), true);
  asked.resolve();
  await Promise.all([entering, again]);
  assert.deepEqual(nicksIn(room), ["Causeway", "Juliet"]);
});
