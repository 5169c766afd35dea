import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mention, mentionedIn } from "../../src/mapping/mentions.ts";
import { reactionsIn } from "../../src/mapping/reactions.ts";
import {
  idsOfStanza,
  referencesOfEvent,
  referencesOfStanza,
  stanzaIdOf,
} from "../../src/mapping/references.ts";
import { relateContent, relateStanzas, saidBy, saidIn } from "../../src/mapping/relations.ts";
import type { Content, MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";
import { bareJids } from "../support/identifiers.ts";

const eventOf = (type: string, content: Content): MatrixEvent => ({
  event_id: "$1" as EventId,
  type,
  room_id: "!r:hs.example" as RoomId,
  sender: "@juliet:hs.example" as UserId,
  origin_server_ts: 0,
  content,
});
const refersTo = (inside: string) => referencesOfStanza(parseStanza(`<message>${inside}</message>`));

test("an event refers to what its relation says, and a reply that is a fallback is none", () => {
  const message = (relation: unknown, more: Content = {}) =>
    referencesOfEvent(eventOf("m.room.message", { "m.relates_to": relation, ...more }));
  const reply = { "m.in_reply_to": { event_id: "$r" } };
  assert.deepEqual(message(reply), { repliesTo: "$r" });
  assert.deepEqual(message({ rel_type: "m.thread", event_id: "$t", is_falling_back: true, ...reply }), {
    thread: "$t",
  });
  assert.deepEqual(message({ rel_type: "m.thread", event_id: "$t", ...reply }), {
    repliesTo: "$r",
    thread: "$t",
  });
  const edit = { rel_type: "m.replace", event_id: "$e" };
  assert.deepEqual(message(edit, { "m.new_content": {} }), { replaces: "$e" });
  assert.deepEqual(message(edit), {});
  const reaction = { "m.relates_to": { rel_type: "m.annotation", event_id: "$e", key: "👍" } };
  assert.deepEqual(referencesOfEvent(eventOf("m.reaction", reaction)), { reactsTo: "$e" });
  assert.deepEqual(referencesOfEvent(eventOf("m.room.redaction", { redacts: "$e" })), { redacts: "$e" });
});

test("a stanza refers to what its payloads say, and one that retracts does nothing else", () => {
  const reply = "<reply xmlns='urn:xmpp:reply:0' id='r' to='Romeo@XMPP.example/x'/>";
  const correct = "<replace xmlns='urn:xmpp:message-correct:0' id='c'/>";
  const set = "<reactions xmlns='urn:xmpp:reactions:0' id='s'/>";
  assert.deepEqual(refersTo(`${reply}${correct}${set}<thread>t</thread>`), {
    reactsTo: "s",
    replaces: "c",
    repliesTo: { id: "r", to: "romeo@xmpp.example" },
    thread: "t",
  });
  const retract = "<retract xmlns='urn:xmpp:message-retract:1' id='x'/>";
  assert.deepEqual(refersTo(`${retract}${reply}`), { retracts: "x" });
  assert.deepEqual(refersTo("<reply xmlns='urn:xmpp:reply:0' id='r' to='@'/>"), {
    repliesTo: { id: "r", to: undefined },
  });
  assert.deepEqual(
    refersTo(`<reply id='r'/><replace xmlns='urn:xmpp:message-correct:0' id='${"x".repeat(1001)}'/>`),
    {},
  );
});

test("a stanza's IDs are those that its sender gives; what others call it counts for nothing", () => {
  const stanza = parseStanza(
    "<message id='m'><origin-id xmlns='urn:xmpp:sid:0' id='o'/><stanza-id xmlns='urn:xmpp:sid:0' id='s' by='b.example'/></message>",
  );
  assert.deepEqual(idsOfStanza(stanza), { messageId: "m", originId: "o" });
  assert.deepEqual(idsOfStanza(parseStanza("<message/>")), { messageId: undefined, originId: undefined });
});

test("a file of Dino goes by the ID under which it was shared, and not by that of its link", () => {
  const attached = "<attach-to xmlns='urn:xmpp:message-attaching:1' id='shared'/>";
  const ids = (inside: string) => idsOfStanza(parseStanza(`<message id='link'>${inside}</message>`));
  assert.deepEqual(ids(attached), { messageId: "shared", originId: "link" });
  assert.deepEqual(ids(`${attached}<origin-id xmlns='urn:xmpp:sid:0' id='o'/>`), {
    messageId: "shared",
    originId: "o",
  });
});

test("whoever is mentioned is found again, whatever their address", () => {
  fc.assert(
    fc.property(bareJids, (jid) => {
      const stanza = parseStanza(serialize(xml("message", {}, mention(jid, 0, 1))));
      assert.deepEqual(mentionedIn(stanza), [jid]);
    }),
  );
  const uris = ["xmpp:", "xmpp:%", "https://xmpp.example", "xmpp:a@b@c", "", "xmpp:%00@x"];
  const wrong = uris.map((uri) => xml("reference", { xmlns: "urn:xmpp:reference:0", type: "mention", uri }));
  assert.deepEqual(mentionedIn(xml("message", {}, ...wrong)), []);
});

test("any event with any relations becomes stanzas that can be parsed, and nothing throws", () => {
  const keys = ["rel_type", "event_id", "key", "m.in_reply_to", "is_falling_back", "m.relates_to", "body"];
  const values = fc.oneof(
    fc.constantFrom("m.replace", "m.thread", "m.annotation", "$x", true, {}, [], { event_id: "$x" }),
    fc.jsonValue(),
  );
  const objects = fc.dictionary(fc.constantFrom(...keys, "msgtype", "__proto__"), values);
  const contents = fc.record({ body: values, "m.relates_to": objects, "m.new_content": objects });
  const known = {
    eventId: "$x" as EventId,
    jid: "a@b.example" as BareJid,
    messageId: "x",
    originId: undefined,
  };
  const body = xml("message", {}, xml("body", {}, "words"));
  fc.assert(
    fc.property(
      fc.constantFrom("m.room.message", "m.reaction", "m.room.redaction"),
      contents,
      (type, content) => {
        const event = eventOf(type, content);
        referencesOfEvent(event);
        assert.equal(saidBy(event).event_id, "$1");
        const facts = { first: [known], reply: { target: known, quote: { name: "x", body: "y\u0000" } } };
        for (const stanza of relateStanzas([body], event, facts)) parseStanza(serialize(stanza));
      },
    ),
  );
});

test("any payloads of any attributes refer to something or nothing, and nothing throws", () => {
  const names = fc.constantFrom(
    "reply",
    "replace",
    "reactions",
    "retract",
    "fallback",
    "reference",
    "thread",
  );
  const namespaces = fc.constantFrom(
    "urn:xmpp:reply:0",
    "urn:xmpp:message-correct:0",
    "urn:xmpp:reactions:0",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:fallback:0",
    "urn:xmpp:reference:0",
  );
  const attributes = fc.dictionary(
    fc.constantFrom("id", "to", "for", "start", "end", "uri", "type"),
    fc.string(),
  );
  const payloads = fc.tuple(names, namespaces, attributes, fc.string());
  fc.assert(
    fc.property(fc.array(payloads), (list) => {
      const children = list.map(([name, xmlns, attrs, text]) => xml(name, { ...attrs, xmlns }, text));
      const stanza = parseStanza(
        serialize(xml("message", {}, xml("body", {}, "> words\nmore"), ...children)),
      );
      const { repliesTo } = referencesOfStanza(stanza);
      reactionsIn(stanza);
      mentionedIn(stanza);
      const facts = { ...(repliesTo && { repliesTo: "$x" as EventId }), original: "words" };
      const content = relateContent({ msgtype: "m.text", body: "x" }, facts);
      assert.equal(typeof content.body, "string");
      assert.match(serialize(saidIn(stanza, facts)), /more/);
    }),
  );
});

test("what a room calls a message counts where the room itself says so", () => {
  const room = "verona@conference.xmpp.example" as BareJid;
  const called = (inside: string) => stanzaIdOf(parseStanza(`<message>${inside}</message>`), room);
  const stanzaId = (id: string, by: string) => `<stanza-id xmlns='urn:xmpp:sid:0' id='${id}' by='${by}'/>`;
  assert.equal(called(stanzaId("forged", "romeo@xmpp.example") + stanzaId("a1", room)), "a1");
  assert.equal(called(stanzaId("", room)), undefined);
  assert.equal(called(`<stanza-id id='a1' by='${room}'/>`), undefined);
});
