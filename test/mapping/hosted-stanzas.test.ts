import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  asOccupantMessage,
  readHistoryWish,
  refusedPresence,
  roomChanged,
  subjectMessage,
} from "../../src/mapping/hosted-stanzas.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";

const room = "#cafe%hs.test@bridge.xmpp.test" as BareJid;
const romeo = `${room}/Romeo` as FullJid;
const mercutio = "mercutio@xmpp.test/test" as FullJid;
const now = 1_700_000_000_000;

const same = (actual: { toString(): string }, expected: string): void =>
  assert.equal(serialize(parseStanza(actual.toString())), serialize(parseStanza(expected)));

test("what an occupant claims in the room's name is not passed on, and the room's own marks are", () => {
  const said = parseStanza(
    `<message type='groupchat' to='${room}' from='romeo@xmpp.test/balcony' id='m1'><body>hi</body>` +
      `<origin-id xmlns='urn:xmpp:sid:0' id='m1'/><stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='${room}'/>` +
      "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/><delay xmlns='urn:xmpp:delay' stamp='2000-01-01T00:00:00Z'/>" +
      "<x xmlns='http://jabber.org/protocol/muc#user'><item jid='a@b'/></x></message>",
  );
  const before = serialize(said);
  same(
    asOccupantMessage(said, "groupchat", {
      from: romeo,
      to: mercutio,
      occupantId: "r",
      stanzaId: { id: "$e", by: room },
    }),
    `<message type='groupchat' from='${romeo}' id='m1' to='${mercutio}'><body>hi</body><origin-id xmlns='urn:xmpp:sid:0' id='m1'/>` +
      `<stanza-id xmlns='urn:xmpp:sid:0' id='$e' by='${room}'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='r'/></message>`,
  );
  assert.equal(serialize(said), before);
});

test("a private message is marked as one of a room and has no ID of the archive", () => {
  const said = xml("message", { type: "chat", to: romeo, id: "p1" }, xml("body", {}, "psst"));
  same(
    asOccupantMessage(said, "chat", { from: romeo, to: mercutio, occupantId: "r" }),
    `<message type='chat' id='p1' from='${romeo}' to='${mercutio}'><body>psst</body>` +
      "<x xmlns='http://jabber.org/protocol/muc#user'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='r'/></message>",
  );
});

test("a subject that is empty is there all the same", () => {
  same(
    subjectMessage(room, mercutio, ""),
    `<message type='groupchat' from='${room}' to='${mercutio}'><subject/></message>`,
  );
  same(
    subjectMessage(romeo, mercutio, "Cats & dogs", "s1"),
    `<message type='groupchat' from='${romeo}' to='${mercutio}' id='s1'><subject>Cats &amp; dogs</subject></message>`,
  );
});

test("a change of the configuration is told by its status", () => {
  same(
    roomChanged(room, mercutio, [104]),
    `<message type='groupchat' from='${room}' to='${mercutio}'>` +
      "<x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x></message>",
  );
});

test("who is sent elsewhere is told where, as a link to enter by", () => {
  const join = xml("presence", { from: mercutio, to: romeo, id: "j1" });
  same(
    refusedPresence(
      join,
      { type: "cancel", condition: "gone", text: "Moved." },
      "a@conference.example" as BareJid,
    ),
    `<presence type='error' from='${romeo}' to='${mercutio}' id='j1'><error type='cancel' by='${room}'>` +
      "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@conference.example?join</gone>" +
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Moved.</text></error></presence>",
  );
});

const joinWith = (attrs: Record<string, string>) =>
  xml("presence", {}, xml("x", { xmlns: "http://jabber.org/protocol/muc" }, xml("history", attrs)));

test("wishes for history are read, and the later of two beginnings counts", () => {
  assert.deepEqual(readHistoryWish(joinWith({ maxstanzas: "20", maxchars: "0" }), now), {
    maxStanzas: 20,
    maxChars: 0,
  });
  assert.deepEqual(readHistoryWish(joinWith({ seconds: "60", since: "2023-11-14T22:13:00Z" }), now), {
    since: now - 20_000,
  });
  assert.deepEqual(readHistoryWish(xml("presence", {}), now), {});
});

test("a wish that is no wish asks for nothing special, whatever it is", () => {
  const text = fc.string().filter((value) => !/^\d{1,9}$/.test(value));
  fc.assert(
    fc.property(text, text, text, (maxstanzas, maxchars, seconds) => {
      assert.deepEqual(readHistoryWish(joinWith({ maxstanzas, maxchars, seconds, since: seconds }), now), {});
    }),
  );
});
