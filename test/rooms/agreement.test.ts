import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createRoomStates } from "../../src/bridge/room-state.ts";
import { txnId } from "../../src/bridge/txn-id.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import { createAgreement } from "../../src/rooms/agreement.ts";
import { createLinkChecks, type Party } from "../../src/rooms/link-checks.ts";
import { createLinkWords } from "../../src/rooms/link-words.ts";
import { createLinks } from "../../src/rooms/links.ts";
import { createVisits } from "../../src/rooms/visits.ts";
import type { BareJid, Jid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { createIqRequests } from "../../src/xmpp/requests.ts";
import { type Element, errorReply, xml } from "../../src/xmpp/stanza.ts";
import { botJid, component, setEdges } from "./edges.ts";

const muc = "garden@conference.xmpp.test" as BareJid;
const juliet: Party = { network: "matrix", userId: "@juliet:hs.test" as UserId, isAdmin: false };
const nurse: Party = { network: "matrix", userId: "@nurse:hs.test" as UserId, isAdmin: false };
const inGarden = (nick: string, isInCharge: boolean): Party => ({
  network: "xmpp",
  jid: `${muc}/${nick}` as Jid,
  isAdmin: false,
  occupant: { muc, isInCharge },
});
const [romeo, mercutio] = [inGarden("Romeo", true), inGarden("Mercutio", false)];
const day = 24 * 60 * 60 * 1000;
const needsRight = /^UndeliverableError: Only somebody who may change the Matrix room’s settings can do this/;

/** A room of Matrix that Juliet has made, with the bot in it, and one of XMPP, whose owner is Romeo. */
async function setScene(t: TestContext, { owners = ["romeo@xmpp.test"], taken = [] as string[] } = {}) {
  const said: Element[] = [];
  const answerIq = (iq: Element): Element => {
    const { from, to, id } = iq.attrs;
    const result = (payload: Element) => xml("iq", { type: "result", from: to, to: from, id }, payload);
    if (to !== muc) return errorReply(iq, { type: "cancel", condition: "item-not-found" });
    const asked = iq.getChild("query", NS.mucAdmin)?.getChild("item")?.attrs.affiliation;
    if (!asked) {
      const identity = xml("identity", { category: "conference", type: "text" });
      return result(xml("query", { xmlns: NS.discoInfo }, identity, xml("feature", { var: NS.muc })));
    }
    if (!owners.includes(from)) return errorReply(iq, { type: "auth", condition: "forbidden" });
    const listed = asked === "owner" ? owners : [];
    const items = listed.map((jid) => xml("item", { affiliation: asked, jid }));
    return result(xml("query", { xmlns: NS.mucAdmin }, ...items));
  };
  const presence = (nick: string, affiliation: string, ...more: Element[]): Element =>
    xml(
      "presence",
      { from: `${muc}/${nick}`, to: botJid },
      xml("x", { xmlns: NS.mucUser }, xml("item", { affiliation, role: "participant" }), ...more),
    );
  const answer = (stanza: Element): Element | undefined => {
    if (stanza.name === "iq") return answerIq(stanza);
    said.push(stanza);
    const nick = String(stanza.attrs.to).split("/")[1];
    if (stanza.name !== "presence" || !nick || stanza.attrs.type) return undefined;
    if (taken.includes(nick)) return errorReply(stanza, { type: "cancel", condition: "conflict" });
    setImmediate(() => {
      visits.hear(presence("Romeo", "owner"));
      visits.hear(presence(nick, "none", xml("status", { code: "110" })));
    });
    return undefined;
  };
  const clock = { ms: 1000 };
  const { homeserver, store, addresses, matrix, xmpp, log } = await setEdges(t, answer, () => clock.ms);
  const person = homeserver.user("juliet");
  const roomId = person.createRoom({ invite: [addresses.botUserId] }) as RoomId;
  await matrix.join(addresses.botUserId, roomId);

  const visits = createVisits({ botJid, nick: "Causeway", xmpp, log, patienceMs: 2000 });
  const links = createLinks(store.links);
  const iqs = createIqRequests({ xmpp, component, newId: () => Math.random().toString(36) });
  const checks = createLinkChecks({
    addresses,
    component,
    rules: { mucServices: { allow: ["*"], deny: ["denied.test"] }, maxPerUser: 1 },
    linked: links,
    isDirect: async () => false,
    visits,
    occupants: store.occupants,
    roomStates: createRoomStates({ matrix }),
    iqs,
  });
  let codes = 0;
  const moved: string[] = [];
  const stumbles: boolean[] = [];
  const markTroubles: boolean[] = [];
  const agreement = createAgreement({
    addresses,
    checks,
    linked: links,
    rooms: {
      unlink: links.forget,
      async setMode(room, mode) {
        const link = links.ofRoom(room);
        if (link) await links.save({ ...link, mode });
      },
      async link(room, ofXmpp, by, options = {}) {
        await links.save({
          roomId: room,
          muc: ofXmpp,
          kind: "plumbed",
          mode: options.mode ?? "puppets",
          password: options.password,
          linkedBy: by,
          archiveId: undefined,
          isAnonymous: true,
        });
        if (markTroubles.shift()) throw new Error("the room could not be marked");
      },
    },
    visits,
    requests: store.linkRequests,
    async moveGuests(room, to) {
      if (stumbles.shift()) throw new Error("the homeserver does not answer");
      moved.push(`${room} ${to}`);
    },
    words: createLinkWords({
      addresses,
      checks,
      visits,
      matrix,
      contentOf: (body) => ({ msgtype: "m.notice", body }),
      txnId,
      now: () => clock.ms,
      log,
    }),
    newCode: () => {
      codes += 1;
      return `C${codes}`;
    },
    now: () => clock.ms,
    log,
  });
  return {
    agreement,
    roomId,
    person,
    links,
    visits,
    clock,
    /** Rooms whose guests were sent to the XMPP room. */
    moved,
    /** How often it fails to send them there. */
    stumbles,
    /** How often a room that is linked cannot be marked as such. */
    markTroubles,
    wish: { roomId, muc },
    /** What the bot has said in the XMPP room. */
    words: () => said.flatMap((stanza) => stanza.getChildText("body") ?? []),
    /** Where it has gone, and from where. */
    steps: () =>
      said.filter(({ name }) => name === "presence").map(({ attrs }) => `${attrs.type ?? "to"} ${attrs.to}`),
  };
}

test("somebody with power in the Matrix room whose own address is an owner of the other links them at once", async (t) => {
  const { agreement, wish, links, words, moved, person, roomId } = await setScene(t, {
    owners: ["romeo@xmpp.test", "juliet%hs.test@bridge.xmpp.test"],
  });
  const { kind } = await agreement.ask(wish, juliet);
  assert.equal(kind, "linked");
  assert.deepEqual(words(), [
    `This room is linked with the Matrix room ${roomId} now. To end that: !xmpp unlink`,
  ]);
  assert.equal(
    person.received(roomId).at(-1),
    `This room is linked with ${muc} now. To end that: !xmpp unlink`,
  );
  assert.deepEqual(moved, [`${roomId} ${muc}`]);
  assert.equal(links.ofMuc(muc)?.linkedBy, "@juliet:hs.test");
  assert.equal((await agreement.ask(wish, juliet)).kind, "unchanged");
  assert.equal(words().length, 1);
});

test("otherwise the bot asks in the XMPP room once, and only somebody in charge there can agree", async (t) => {
  const { agreement, wish, links, words, person, roomId } = await setScene(t);
  const asked = { kind: "asked", code: "C1", side: "xmpp" };
  assert.deepEqual(await agreement.ask(wish, juliet), asked);
  assert.deepEqual(await agreement.ask(wish, juliet), asked);
  assert.equal(words().length, 1);
  assert.match(
    words()[0] ?? "",
    /^@juliet:hs\.test asks to link .*\n• !xmpp agree C1\n• !xmpp agree C1 relay –/,
  );
  await assert.rejects(agreement.agree("C1", mercutio), needsRight);
  await assert.rejects(agreement.agree("C1", nurse), needsRight);
  await assert.rejects(agreement.agree("C7", romeo), /Nobody waits for an answer/);
  assert.equal(links.all().length, 0);
  assert.equal((await agreement.agree(" c1 ", romeo, "relay")).kind, "linked");
  assert.equal(links.ofMuc(muc)?.mode, "relay");
  assert.match(person.received(roomId).at(-1) ?? "", /^This room is linked with garden@\S+ now/);
});

test("whose guests could not be sent on sends them by saying the same again", async (t) => {
  const { agreement, wish, roomId, words, moved, stumbles } = await setScene(t);
  await agreement.ask(wish, juliet);
  stumbles.push(true);
  await assert.rejects(agreement.agree("C1", romeo), /does not answer/);
  assert.equal((await agreement.agree("C1", romeo)).kind, "linked");
  assert.deepEqual(moved, [`${roomId} ${muc}`]);
  assert.equal(words().filter((said) => said.startsWith("This room is linked")).length, 1);
  await assert.rejects(agreement.agree("C1", romeo), /Nobody waits/);
});

test("a link that was made, but could not be finished, is finished by saying the same again", async (t) => {
  const { agreement, wish, words, visits, markTroubles } = await setScene(t);
  await agreement.ask(wish, juliet);
  markTroubles.push(true);
  await assert.rejects(agreement.agree("C1", romeo), /could not be marked/);
  assert.equal(visits.isVisited(muc), false);
  assert.equal((await agreement.agree("C1", romeo)).kind, "linked");
  assert.equal(words().filter((said) => said.startsWith("This room is linked")).length, 1);
});

test("an owner of another XMPP room speaks for their own only", async (t) => {
  const { agreement, wish } = await setScene(t);
  await agreement.ask(wish, juliet);
  const elsewhere: Party = {
    ...romeo,
    network: "xmpp",
    jid: "tomb@conference.xmpp.test/Romeo" as Jid,
    occupant: { muc: "tomb@conference.xmpp.test" as BareJid, isInCharge: true },
  };
  await assert.rejects(agreement.agree("C1", elsewhere), needsRight);
});

test("where an owner asks, the Matrix room is asked, and somebody with power there agrees", async (t) => {
  const { agreement, wish, links, person, roomId } = await setScene(t);
  assert.deepEqual(await agreement.ask(wish, romeo), { kind: "asked", code: "C1", side: "matrix" });
  assert.match(person.received(roomId).at(-1) ?? "", /^Romeo asks to link this room/);
  await assert.rejects(agreement.agree("C1", romeo), needsRight);
  assert.equal((await agreement.agree("C1", juliet)).kind, "linked");
  assert.equal(links.ofRoom(roomId)?.muc, muc);
});

test("what is refused cannot be asked for again within a day, and the bot leaves", async (t) => {
  const { agreement, wish, clock, steps } = await setScene(t);
  await agreement.ask(wish, juliet);
  await assert.rejects(agreement.refuse("C1", mercutio), needsRight);
  await agreement.refuse("C1", romeo);
  await agreement.leaveIfDone(muc);
  assert.deepEqual(steps(), [`to ${muc}/Causeway`, `unavailable ${muc}/Causeway`]);
  await assert.rejects(agreement.ask(wish, juliet), /was refused; ask again tomorrow/);
  await assert.rejects(agreement.agree("C1", romeo), /Nobody waits/);
  clock.ms += day + 1;
  assert.equal((await agreement.ask(wish, juliet)).kind, "asked");
});

test("a wish that is too old is let go of, and nobody can agree to it", async (t) => {
  const { agreement, wish, clock, visits } = await setScene(t);
  await agreement.ask(wish, juliet);
  clock.ms += day + 1;
  await assert.rejects(agreement.agree("C1", romeo), /too old/);
  await agreement.resume();
  assert.equal(visits.isVisited(muc), false);
  assert.deepEqual(await agreement.pending({}), []);
});

test("the bot takes another name where its own is taken, and goes back after Prosody's restart", async (t) => {
  const { agreement, wish, visits, steps } = await setScene(t, { taken: ["Causeway"] });
  await agreement.ask(wish, juliet);
  visits.lost();
  await agreement.resume();
  const joined = [`to ${muc}/Causeway`, `to ${muc}/Causeway (bridge)`];
  assert.deepEqual(steps(), [...joined, ...joined]);
});

test("a link gets another mode by either side for relay, and by the XMPP room's own people for puppets", async (t) => {
  const { agreement, wish, links, words, person, roomId } = await setScene(t);
  await agreement.ask(wish, juliet);
  await agreement.agree("C1", romeo);
  const ask = (mode: "relay" | "puppets", by: Party) => agreement.ask({ ...wish, mode }, by);
  await assert.rejects(ask("relay", nurse), needsRight);
  await assert.rejects(ask("relay", mercutio), needsRight);
  assert.equal((await ask("puppets", nurse)).kind, "unchanged");
  assert.equal((await ask("relay", juliet)).kind, "linked");
  assert.equal(links.ofRoom(roomId)?.mode, "relay");
  assert.equal(words().at(-1), "The bot speaks for all Matrix users from now on.");
  assert.equal(person.received(roomId).at(-1), words().at(-1));
  await assert.rejects(ask("puppets", juliet), /Only an owner or admin of garden@\S+ can have all/);
  assert.equal((await ask("puppets", romeo)).kind, "linked");
  assert.equal(links.ofRoom(roomId)?.mode, "puppets");
});

test("a link is ended by either side, and the other is told while the bot is there", async (t) => {
  const { agreement, wish, links, words, person, roomId, clock } = await setScene(t);
  const link = async () => {
    await agreement.ask(wish, juliet);
    await agreement.agree((await agreement.pending({}))[0]?.code ?? "", romeo);
    const made = links.ofRoom(roomId);
    if (!made) throw new Error("they are not linked");
    return made;
  };
  const first = await link();
  await assert.rejects(agreement.end(first, nurse), needsRight);
  await assert.rejects(agreement.end(first, mercutio), needsRight);
  await agreement.end(first, romeo);
  assert.equal(person.received(roomId).at(-1), `Romeo has ended the link of this room with ${muc}.`);
  clock.ms += 1;
  const second = await link();
  const told = person.received(roomId).length;
  await agreement.end(second, juliet, roomId);
  assert.equal(
    words().at(-1),
    `@juliet:hs.test has ended the link of this room with the Matrix room ${roomId}.`,
  );
  assert.equal(person.received(roomId).length, told);
  assert.deepEqual(links.all(), []);
});

test("a room's name cannot put words into the bot's mouth", async (t) => {
  const { agreement, wish, words, person, roomId } = await setScene(t);
  person.send(roomId, "m.room.name", { name: "Garden\n• !xmpp agree C1\u202e" }, "");
  await agreement.ask(wish, juliet);
  assert.match(words()[0] ?? "", /the Matrix room “Garden • !xmpp agree C1” \(!/);
});

test("an encrypted room, and one that goes on elsewhere, cannot be linked", async (t) => {
  const encrypted = await setScene(t);
  encrypted.person.send(encrypted.roomId, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, "");
  await assert.rejects(encrypted.agreement.ask(encrypted.wish, juliet), /is encrypted, and I cannot read/);
  const ended = await setScene(t);
  ended.person.send(ended.roomId, "m.room.tombstone", { replacement_room: "!next:hs.test" }, "");
  await assert.rejects(ended.agreement.ask(ended.wish, romeo), /goes on as another one/);
});

test("what cannot be linked is refused with what to do, and leaves nothing behind", async (t) => {
  const { agreement, wish, links, steps } = await setScene(t);
  const refused = (change: Partial<typeof wish>, by: Party, why: RegExp) =>
    assert.rejects(agreement.ask({ ...wish, ...change }, by), why);
  await refused({}, nurse, /takes the power to change this room’s settings/);
  await refused({ muc: `#cafe%hs.test@${component}` as BareJid }, juliet, /an address of this very bridge/);
  await refused({ muc: "conference.xmpp.test" as BareJid }, juliet, /is no room, but perhaps a service/);
  await refused(
    { muc: "hall@denied.test" as BareJid },
    juliet,
    /does not let rooms of denied\.test be linked/,
  );
  await refused({ muc: "hall@conference.xmpp.test" as BareJid }, juliet, /^.*There is no room hall@/);
  await refused({ roomId: "!elsewhere:hs.test" as RoomId }, romeo, /I am not in that Matrix room: invite/);
  assert.deepEqual(steps(), []);
  assert.deepEqual(await agreement.pending({}), []);
  await links.save({
    roomId: "!portal:hs.test" as RoomId,
    muc,
    kind: "portal",
    mode: "puppets",
    password: undefined,
    linkedBy: "@juliet:hs.test" as UserId,
    archiveId: undefined,
    isAnonymous: true,
  });
  await refused({}, juliet, /has a portal on Matrix already/);
  await refused(
    { muc: "hall@conference.xmpp.test" as BareJid },
    juliet,
    /as many rooms as one person may \(1\)/,
  );
});
