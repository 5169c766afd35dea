import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { bodyOf, type Notification, noteStanza, unreadStatus } from "../../src/mapping/notifications.ts";
import type { Content } from "../../src/matrix/event.ts";
import type { EventId, RoomId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../src/xmpp/stanza.ts";
import { wildTexts } from "../support/xml-text.ts";

const eventId = "$3957tyerfgewrf384" as EventId;
const roomId = "!slw48wfj34rtnrf:hs.example" as RoomId;

const notification = (more: Partial<Notification> = {}): Notification => ({
  eventId,
  roomId,
  type: "m.room.message",
  sender: "@juliet:hs.example",
  senderName: "Juliet",
  roomName: "Garden",
  roomAlias: undefined,
  isTarget: false,
  content: { msgtype: "m.text", body: "Art thou there?" },
  unread: undefined,
  ...more,
});
const shown = (more: Partial<Notification> = {}, highlight = false): string =>
  bodyOf(notification(more), { highlight });
const message = (content: Content): Partial<Notification> => ({ content });
const onlyIds: Partial<Notification> = {
  type: undefined,
  sender: undefined,
  senderName: undefined,
  roomName: undefined,
  content: {},
};
const reply = { "m.relates_to": { "m.in_reply_to": { event_id: "$0" } } };

suite("a notification in the reader's words", () => {
  const rows: [title: string, given: Partial<Notification>, body: string][] = [
    ["a message in a room", {}, "Juliet in Garden: Art thou there?"],
    ["in a direct chat", { roomName: undefined }, "Juliet: Art thou there?"],
    ["in a room named after the sender", { roomName: "Juliet" }, "Juliet: Art thou there?"],
    [
      "in a room that has only an alias",
      { roomName: undefined, roomAlias: "#garden:hs.example" },
      "Juliet in #garden:hs.example: Art thou there?",
    ],
    ["of someone without a name", { senderName: undefined }, "juliet in Garden: Art thou there?"],
    [
      "whose name is an MXID, as Synapse has it",
      { senderName: "@juliet:hs.example" },
      "juliet in Garden: Art thou there?",
    ],
    ["in a room whose name is an ID", { roomName: "!slw48wfj34rtnrf:hs.example" }, "Juliet: Art thou there?"],
    [
      "a notice",
      message({ msgtype: "m.notice", body: "The clock struck nine" }),
      "Juliet in Garden: The clock struck nine",
    ],
    ["an emote", message({ msgtype: "m.emote", body: "sighs" }), "* Juliet in Garden sighs"],
    [
      "a picture",
      message({ msgtype: "m.image", body: "rose.png", url: "mxc://hs.example/a" }),
      "Juliet in Garden sent a picture: rose.png",
    ],
    ["a picture without a name", message({ msgtype: "m.image" }), "Juliet in Garden sent a picture"],
    ["a video", message({ msgtype: "m.video", body: "a.mp4" }), "Juliet in Garden sent a video: a.mp4"],
    ["a file", message({ msgtype: "m.file", body: "a.pdf" }), "Juliet in Garden sent a file: a.pdf"],
    [
      "an audio file",
      message({ msgtype: "m.audio", body: "a.ogg" }),
      "Juliet in Garden sent an audio file: a.ogg",
    ],
    [
      "a voice message",
      message({ msgtype: "m.audio", body: "Voice message.ogg", "org.matrix.msc3245.voice": {} }),
      "Juliet in Garden sent a voice message",
    ],
    [
      "a location",
      message({ msgtype: "m.location", body: "geo:1,2", geo_uri: "geo:1,2" }),
      "Juliet in Garden shared a location",
    ],
    [
      "a verification",
      message({ msgtype: "m.key.verification.request", body: "x" }),
      "Juliet in Garden asks to verify a session",
    ],
    [
      "of a type that nobody knows",
      message({ msgtype: "example.new", body: "text" }),
      "Juliet in Garden: text",
    ],
    ["a message without a body", message({}), "Juliet in Garden: new message"],
    [
      "a reply, without the quoted message",
      message({ msgtype: "m.text", body: "> <@romeo:hs.example> Ay me!\n> Alack\n\nShe speaks", ...reply }),
      "Juliet in Garden: She speaks",
    ],
    [
      "a quotation that is no reply",
      message({ msgtype: "m.text", body: "> Ay me!" }),
      "Juliet in Garden: > Ay me!",
    ],
    [
      "an edit",
      message({ msgtype: "m.text", body: "* Ay me", "m.new_content": { msgtype: "m.text", body: "Ay me" } }),
      "Juliet in Garden edited a message: Ay me",
    ],
    [
      "an invitation",
      { type: "m.room.member", isTarget: true, content: { membership: "invite" } },
      "Juliet invited you to Garden",
    ],
    [
      "an invitation to a room without a name",
      { type: "m.room.member", isTarget: true, roomName: undefined, content: { membership: "invite" } },
      "Juliet invited you to a room",
    ],
    [
      "a removal",
      { type: "m.room.member", isTarget: true, content: { membership: "leave" } },
      "Juliet removed you from Garden",
    ],
    [
      "a ban",
      { type: "m.room.member", isTarget: true, content: { membership: "ban" } },
      "Juliet banned you from Garden",
    ],
    [
      "an invitation of another",
      { type: "m.room.member", content: { membership: "invite" } },
      "Juliet in Garden changed a membership",
    ],
    [
      "an encrypted message",
      { type: "m.room.encrypted", content: { ciphertext: "AwgA" } },
      "Juliet in Garden: encrypted message",
    ],
    [
      "a sticker",
      { type: "m.sticker", content: { body: "a rose" } },
      "Juliet in Garden sent a sticker: a rose",
    ],
    [
      "a reaction",
      { type: "m.reaction", content: { "m.relates_to": { key: "👍", rel_type: "m.annotation" } } },
      "Juliet in Garden reacted with 👍",
    ],
    ["a call", { type: "m.call.invite", roomName: undefined, content: { offer: {} } }, "Juliet is calling"],
    ["a call in a room", { type: "m.rtc.notification", content: {} }, "Juliet in Garden is calling"],
    [
      "a poll",
      { type: "m.poll.start", content: { "m.poll": { question: { "m.text": [{ body: "Montague?" }] } } } },
      "Juliet in Garden started a poll: Montague?",
    ],
    [
      "an older poll",
      {
        type: "org.matrix.msc3381.poll.start",
        content: { "org.matrix.msc3381.poll.start": { question: { body: "Montague?" } } },
      },
      "Juliet in Garden started a poll: Montague?",
    ],
    [
      "an event of an unknown type with a text",
      { type: "example.type", content: { body: "text" } },
      "Juliet in Garden: text",
    ],
    ["an event of an unknown type", { type: "example.type", content: {} }, "Juliet in Garden: new message"],
    ["content that the homeserver left out", { content: {} }, "Juliet in Garden: new message"],
    ["only IDs", onlyIds, "New message"],
    ["only IDs and one unread", { ...onlyIds, unread: 1 }, "New message"],
    ["only IDs and counts", { ...onlyIds, unread: 3 }, "New message (3 unread)"],
    ["counts beside a text", { unread: 3 }, "Juliet in Garden: Art thou there?"],
    [
      "links into Matrix",
      message({
        msgtype: "m.text",
        body: "see https://matrix.to/#/!a:b/$c?via=d and mxc://a/b, matrix:r/a:b.",
      }),
      "Juliet in Garden: see (link) and (file) (link)",
    ],
    [
      "other links",
      message({ msgtype: "m.text", body: "https://balcony.example/?a=b" }),
      "Juliet in Garden: https://balcony.example/?a=b",
    ],
    [
      "the IDs of event and room",
      message({ msgtype: "m.text", body: `${roomId} ${eventId}` }),
      "Juliet in Garden: … …",
    ],
    [
      "controls, line breaks and turned writing",
      { ...message({ msgtype: "m.text", body: "a\n\nb\u202e\tc\0d" }), senderName: " Ju\u2028liet\r\n" },
      "Ju liet in Garden: a b c\ufffdd",
    ],
    [
      "a long text",
      message({ msgtype: "m.text", body: "😀".repeat(600) }),
      `Juliet in Garden: ${"😀".repeat(499)}…`,
    ],
    [
      "long names",
      { senderName: "J".repeat(100), roomName: "G".repeat(100) },
      `${"J".repeat(59)}… in ${"G".repeat(59)}…: Art thou there?`,
    ],
  ];
  for (const [title, given, body] of rows)
    test(`${title}: ${body.slice(0, 60)}`, () => assert.equal(shown(given), body));

  test("a highlight says that the reader was mentioned", () => {
    assert.equal(shown({}, true), "Juliet mentioned you in Garden: Art thou there?");
    assert.equal(shown({ roomName: undefined }, true), "Juliet mentioned you: Art thou there?");
    assert.equal(shown(onlyIds, true), "New message");
    const invitation = { type: "m.room.member", isTarget: true, content: { membership: "invite" } };
    assert.equal(shown(invitation, true), "Juliet invited you to Garden");
  });

  test("whatever comes, it is one line of limited length that XML can carry, without the IDs of event and room", () => {
    const texts = fc.oneof(
      wildTexts,
      fc.constantFrom(
        eventId,
        roomId,
        `https://matrix.to/#/${roomId}/${eventId}`,
        "m.text",
        "m.emote",
        "m.image",
        "body",
      ),
      fc.string({ maxLength: 2000 }),
    );
    const mixed = fc.array(texts, { maxLength: 4 }).map((parts) => parts.join(" "));
    const contents = fc.dictionary(
      fc.constantFrom(
        "body",
        "msgtype",
        "m.relates_to",
        "m.new_content",
        "membership",
        "m.poll",
        "__proto__",
      ),
      fc.oneof(
        mixed,
        fc.jsonValue() as fc.Arbitrary<unknown>,
        fc.record({ body: mixed, key: mixed, question: fc.record({ body: mixed }) }),
      ),
    );
    const maybe = fc.option(mixed, { nil: undefined });
    const types = fc.constantFrom(
      "m.room.message",
      "m.room.member",
      "m.sticker",
      "m.reaction",
      "m.poll.start",
      "x.y",
      undefined,
    );
    const all = fc.record({
      eventId: fc.constant(eventId),
      roomId: fc.constant(roomId),
      type: types,
      sender: maybe,
      senderName: maybe,
      roomName: maybe,
      roomAlias: maybe,
      isTarget: fc.boolean(),
      content: contents,
      unread: fc.option(fc.nat(), { nil: undefined }),
    }) as fc.Arbitrary<Notification>;
    fc.assert(
      fc.property(all, fc.boolean(), (given, highlight) => {
        const body = bodyOf(given, { highlight });
        assert.ok(body !== "" && body.length < 1500, body);
        assert.doesNotMatch(body, /[\n\r\p{Cc}]|matrix\.to|mxc:/u);
        assert.ok(!body.includes(eventId) && !body.includes(roomId), body);
        const stanza = serialize(noteStanza(body, { from: "b" as BareJid, to: "a@b" as BareJid, id: "1" }));
        assert.equal(parseStanza(stanza).getChildText("body"), body);
      }),
    );
  });
});

test("a notification is one message of the bridge to the bare address, with its ID as origin ID", () => {
  const way = { from: "bridge.xmpp.example" as BareJid, to: "romeo@xmpp.example" as BareJid, id: "n1" };
  assert.equal(
    serialize(noteStanza("Juliet: <3", way)),
    '<message type="chat" from="bridge.xmpp.example" to="romeo@xmpp.example" id="n1"><body>Juliet: &lt;3</body>' +
      '<origin-id xmlns="urn:xmpp:sid:0" id="n1"/><store xmlns="urn:xmpp:hints"/></message>',
  );
});

test("the status names the number of unread messages, and nothing where there is none", () => {
  assert.deepEqual([0, 1, 3].map(unreadStatus), [
    undefined,
    "1 unread message on Matrix",
    "3 unread messages on Matrix",
  ]);
});
