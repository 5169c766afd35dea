/** Direct conversations between real users of a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { SyncEvent } from "../servers/matrix-sync.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const chat = (to: string, body: string, id?: string) =>
  xml("message", { type: "chat", to, ...(id && { id }) }, xml("body", {}, body));
const bodyOf = (stanza: { getChildText(name: string): string | null }) => stanza.getChildText("body");

/** The room's messages as a client shows them that scrolls up: a sync leaves out what was there before the join. */
async function messagesIn(user: MatrixUser, room: string): Promise<SyncEvent[]> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=1000`;
  const { chunk } = (await user.request("GET", path)) as { chunk: SyncEvent[] };
  return chunk.filter((event) => event.type === "m.room.message");
}

test("a Matrix user who invites a ghost and writes is answered in the same room", { skip }, async () => {
  const juliet = await stage.matrixUser("juliet");
  const romeo = await stage.xmppUser("romeo");
  const room = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_romeo=40xmpp.test:hs.test"] });
  const sent = await juliet.sendText(room, "Art thou not Romeo, & a <b>Montague</b>? \u{1F339}");
  const heard = await romeo.waitFor((stanza) => stanza.is("message") && bodyOf(stanza) !== null, 20_000);
  assert.deepEqual(
    { from: heard.attrs.from, id: heard.attrs.id, type: heard.attrs.type, body: bodyOf(heard) },
    {
      from: "juliet%hs.test@bridge.xmpp.test",
      id: sent,
      type: "chat",
      body: "Art thou not Romeo, & a <b>Montague</b>? \u{1F339}",
    },
  );
  await romeo.send(chat("juliet%hs.test@bridge.xmpp.test", "Neither, fair saint, if <either> thee dislike."));
  const answer = await juliet.waitFor(
    (event) => event.sender === "@_xmpp_romeo=40xmpp.test:hs.test" && event.type === "m.room.message",
  );
  assert.equal(answer.room_id, room);
  assert.equal(answer.content.body, "Neither, fair saint, if <either> thee dislike.");
  assert.equal(answer.content.msgtype, "m.text");
});

test("an XMPP user who writes first is found in a new direct room, and emotes and notices cross", {
  skip,
}, async () => {
  const nurse = await stage.matrixUser("nurse");
  const peter = await stage.xmppUser("peter");
  await peter.send(chat("nurse@bridge.xmpp.test", "/me bows"));
  const room = await nurse.waitForInvite("@_xmpp_peter=40xmpp.test:hs.test", 20_000);
  await nurse.join(room);
  const emote = await nurse.waitFor((event) => event.type === "m.room.message");
  assert.deepEqual([emote.content.msgtype, emote.content.body], ["m.emote", "bows"]);
  await nurse.send(room, "m.room.message", { msgtype: "m.emote", body: "sighs" });
  await nurse.send(room, "m.room.message", { msgtype: "m.notice", body: "My fan, Peter." });
  await peter.waitFor((stanza) => bodyOf(stanza) === "My fan, Peter.");
  assert.deepEqual(peter.messages.map(bodyOf).filter(Boolean), ["/me sighs", "My fan, Peter."]);
});

test("ten first messages in one instant make one room and keep their order", { skip }, async () => {
  const paris = await stage.matrixUser("paris");
  const tybalt = await stage.xmppUser("tybalt");
  const bodies = Array.from({ length: 10 }, (_, n) => `first ${n}`);
  await Promise.all(bodies.map((body) => tybalt.send(chat("paris%hs.test@bridge.xmpp.test", body))));
  const room = await paris.waitForInvite("@_xmpp_tybalt=40xmpp.test:hs.test", 20_000);
  await paris.join(room);
  await paris.waitFor((event) => event.content.body === "first 9", 20_000);
  const arrived = await messagesIn(paris, room);
  assert.deepEqual(
    arrived.map((event) => event.content.body),
    bodies,
  );
  assert.deepEqual([...new Set(arrived.map((event) => event.room_id))], [room]);
  assert.deepEqual([...paris.invites], []);
});

test("a Matrix user who has left is invited back by the next message", { skip }, async () => {
  const escalus = await stage.matrixUser("escalus");
  const abram = await stage.xmppUser("abram");
  await abram.send(chat("escalus%hs.test@bridge.xmpp.test", "one"));
  const room = await escalus.waitForInvite("@_xmpp_abram=40xmpp.test:hs.test", 20_000);
  await escalus.join(room);
  await escalus.waitFor((event) => event.content.body === "one");
  await escalus.leave(room);
  await abram.send(chat("escalus%hs.test@bridge.xmpp.test", "two"));
  // Synapse tells of the leave before or after; only an invitation that comes later counts.
  await waitFor(() => escalus.invites.has(room), "the invitation", 30_000);
  assert.deepEqual([...escalus.invites], [room]);
  await escalus.join(room);
  await escalus.waitFor((event) => event.content.body === "two");
});

test("a message to an XMPP user who does not exist is answered with a notice, as a reply to it", {
  skip,
}, async () => {
  const juliet = await stage.matrixUser("juliet2");
  const room = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_nobody=40xmpp.test:hs.test"] });
  const sent = await juliet.sendText(room, "Is anybody there?");
  const notice = await juliet.waitFor((event) => event.content.msgtype === "m.notice", 20_000);
  assert.equal(notice.sender, "@_xmpp_nobody=40xmpp.test:hs.test");
  assert.deepEqual(notice.content["m.relates_to"], { "m.in_reply_to": { event_id: sent } });
  assert.match(String(notice.content.body), /^Your message was not delivered to nobody@xmpp\.test\. /);
});

test("a message to a Matrix user who does not exist comes back as item-not-found", { skip }, async () => {
  const benvolio = await stage.xmppUser("benvolio");
  await benvolio.send(chat("nosuch%hs.test@bridge.xmpp.test", "Hello?", "b1"));
  const refusal = await benvolio.waitFor((stanza) => stanza.attrs.type === "error", 20_000);
  const error = refusal.getChild("error");
  assert.deepEqual(
    [
      refusal.attrs.from,
      refusal.attrs.id,
      error?.attrs.type,
      error?.getChildElements().map(({ name }) => name),
    ],
    ["nosuch%hs.test@bridge.xmpp.test", "b1", "cancel", ["item-not-found", "text"]],
  );
});

test("a Matrix user can be added to an XMPP roster, shows as online and answers like a contact", {
  skip,
}, async () => {
  const rosaline = await stage.matrixUser("rosaline");
  assert.ok(rosaline);
  const sampson = await stage.xmppUser("sampson");
  const contact = "rosaline%hs.test@bridge.xmpp.test";
  // Prosody tells of subscriptions only those who have asked for their roster.
  await sampson.request(xml("iq", { type: "get" }, xml("query", { xmlns: "jabber:iq:roster" })));
  await sampson.send(xml("presence", { type: "subscribe", to: contact }));
  await sampson.waitFor((stanza) => stanza.is("presence") && stanza.attrs.type === "subscribed");
  const online = await sampson.waitFor(
    (stanza) =>
      stanza.is("presence") &&
      stanza.attrs.type === undefined &&
      String(stanza.attrs.from).startsWith(contact),
  );
  assert.equal(online.attrs.from, `${contact}/matrix`);
  const ask = (name: string, xmlns: string) =>
    sampson.request(xml("iq", { type: "get", to: contact }, xml(name, { xmlns })));
  assert.equal((await ask("ping", "urn:xmpp:ping")).attrs.type, "result");
  const vcard = (await ask("vCard", "vcard-temp")).getChild("vCard");
  assert.equal(vcard?.getChildText("FN"), "rosaline");
  const info = (await ask("query", "http://jabber.org/protocol/disco#info")).getChild("query");
  assert.deepEqual(info?.getChild("identity")?.attrs, {
    category: "account",
    type: "registered",
    name: "rosaline",
  });
  await assert.rejects(ask("query", "urn:example:unknown"), /service-unavailable/);
});

test("200 messages each way in turn arrive in order, each once", { skip, timeout: 120_000 }, async () => {
  const juliet = await stage.matrixUser("juliet3");
  const romeo = await stage.xmppUser("romeo3");
  const address = "juliet3%hs.test@bridge.xmpp.test";
  const room = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_romeo3=40xmpp.test:hs.test"] });
  await juliet.sendText(room, "begin");
  await romeo.waitFor((stanza) => bodyOf(stanza) === "begin", 20_000);
  const turns = Array.from({ length: 200 }, (_, n) => n);
  for (const n of turns) {
    await romeo.send(chat(address, `x${n}`));
    await juliet.sendText(room, `m${n}`);
  }
  await romeo.waitFor((stanza) => bodyOf(stanza) === "m199", 60_000);
  await juliet.waitFor((event) => event.content.body === "x199", 60_000);
  assert.deepEqual(romeo.messages.map(bodyOf).filter(Boolean), ["begin", ...turns.map((n) => `m${n}`)]);
  const fromRomeo = juliet.events.filter(
    (event) => event.sender.startsWith("@_xmpp_romeo3") && event.type === "m.room.message",
  );
  assert.deepEqual(
    fromRomeo.map((event) => event.content.body),
    turns.map((n) => `x${n}`),
  );
});
