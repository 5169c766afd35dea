import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { toContents, toStanza } from "../../src/mapping/messages.ts";
import type { Content, MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize, xmlSafe } from "../../src/xmpp/stanza.ts";
import { wildTexts } from "../support/xml-text.ts";

const way = {
  from: "juliet%hs.example@bridge.xmpp.example" as BareJid,
  to: "romeo@xmpp.example" as BareJid,
};
const eventOf = (type: string, content: Content): MatrixEvent => ({
  event_id: "$1" as EventId,
  type,
  room_id: "!r:hs.example" as RoomId,
  sender: "@juliet:hs.example" as UserId,
  origin_server_ts: 0,
  content,
});
/** What crosses of a Matrix event, as XML, or the kind of crossing that is none. */
const crossed = (type: string, content: Content): string => {
  const crossing = toStanza(eventOf(type, content), way);
  if (crossing.kind === "stanza") return serialize(crossing.stanza);
  return crossing.kind === "refused" ? `refused: ${crossing.sentence}` : crossing.kind;
};
const message = (body: string): string =>
  `<message type="chat" from="${way.from}" to="${way.to}" id="$1"><body>${body}</body>` +
  '<origin-id xmlns="urn:xmpp:sid:0" id="$1"/></message>';
const said = (inside: string, attributes = "type='chat'"): Content | undefined =>
  toContents(parseStanza(`<message ${attributes}>${inside}</message>`))[0];

suite("Matrix to XMPP", () => {
  const rows: [title: string, type: string, content: Content, body: string][] = [
    ["a text is its body", "m.room.message", { msgtype: "m.text", body: "a <b> & c" }, "a &lt;b&gt; &amp; c"],
    ["an emote is a /me command", "m.room.message", { msgtype: "m.emote", body: "sighs" }, "/me sighs"],
    ["a notice is its body", "m.room.message", { msgtype: "m.notice", body: "x" }, "x"],
    ["a message type of the future is its body", "m.room.message", { msgtype: "org.x", body: "x" }, "x"],
    ["an inherited property name is no file", "m.room.message", { msgtype: "constructor", body: "x" }, "x"],
    ["an image is named", "m.room.message", { msgtype: "m.image", body: "a.png" }, "[image] a.png"],
    ["a video is named", "m.room.message", { msgtype: "m.video", body: "a.mp4" }, "[video] a.mp4"],
    ["a sound is named", "m.room.message", { msgtype: "m.audio", body: "a.ogg" }, "[audio] a.ogg"],
    ["a file is named", "m.room.message", { msgtype: "m.file", body: "a.pdf" }, "[file] a.pdf"],
    ["a sticker is named", "m.sticker", { body: "rose" }, "[sticker] rose"],
    ["a sticker may have no name", "m.sticker", {}, "[sticker]"],
    ["a reaction is told", "m.reaction", { "m.relates_to": { key: "❤" } }, "/me reacted with ❤"],
    ["a reaction with nothing is told", "m.reaction", { "m.relates_to": [] }, "/me reacted with something"],
    [
      "a poll is its question",
      "org.matrix.msc3381.poll.start",
      { "org.matrix.msc3381.poll.start": { question: { "org.matrix.msc1767.text": "Balcony?" } } },
      "Poll: Balcony?",
    ],
    ["an extensible event is its text", "org.x", { "org.matrix.msc1767.text": "x" }, "x"],
    ["an event of an unknown type is its body", "org.x", { body: "x" }, "x"],
    ["a text without a type is its body", "m.room.message", { body: "x" }, "x"],
    ["a text of a type that is none is its body", "m.room.message", { msgtype: 1, body: "x" }, "x"],
  ];
  for (const [title, type, content, body] of rows) {
    test(title, () => assert.equal(crossed(type, content), message(body)));
  }

  test("a message that was redacted before it came is nothing", () => {
    assert.equal(crossed("m.room.message", {}), "nothing");
    assert.equal(crossed("org.x", {}), "nothing");
  });

  test("what has no words is not left out in silence", () => {
    assert.match(crossed("m.room.message", { msgtype: "m.text", body: 1 }), /^refused: There are no words/);
    assert.match(crossed("m.poll.start", { "m.poll": 1 }), /^refused: There are no words/);
    assert.match(crossed("org.x", { x: 1 }), /^refused: .*of the type org\.x/);
  });

  test("a call rings by whichever event it begins with, and Element's signalling is nobody's message", () => {
    const notification = { notification_type: "ring", lifetime: 30000 };
    assert.match(crossed("org.matrix.msc4075.rtc.notification", notification), /^refused: Calls cannot/);
    for (const type of [
      "org.matrix.call.sdp_stream_metadata_changed",
      "io.element.call.encryption_keys",
      "org.matrix.msc4310.rtc.decline",
      "m.key.verification.cancel",
      "org.matrix.msc3672.beacon",
    ]) {
      assert.equal(crossed(type, { x: 1 }), "nothing");
    }
  });

  test("an encrypted message and a call are refused in words, a call's signalling is nothing", () => {
    assert.match(crossed("m.room.encrypted", {}), /^refused: .*cannot read encrypted messages/);
    assert.match(crossed("m.call.invite", {}), /^refused: Calls cannot cross/);
    for (const type of ["m.call.candidates", "m.call.hangup", "m.call.answer"]) {
      assert.equal(crossed(type, {}), "nothing");
    }
  });

  test("any event of any content crosses, is nothing or is refused, and nothing throws", () => {
    const types = fc.oneof(
      fc.constantFrom("m.room.message", "m.reaction", "m.sticker", "m.poll.start"),
      fc.string(),
    );
    const contents = fc.dictionary(
      fc.constantFrom("body", "msgtype", "m.relates_to", "m.poll.start", "org.matrix.msc1767.text"),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(types, contents, (type, content) => {
        const crossing = toStanza(eventOf(type, content as Content), way);
        if (crossing.kind === "stanza") assert.equal(parseStanza(serialize(crossing.stanza)).name, "message");
      }),
    );
  });
});

suite("XMPP to Matrix", () => {
  const rows: [title: string, inside: string, content: Content | undefined][] = [
    ["a body is a text", "<body>a &lt;b&gt;</body>", { msgtype: "m.text", body: "a <b>" }],
    ["a /me command is an emote", "<body>/me sighs</body>", { msgtype: "m.emote", body: "sighs" }],
    ["/me in another word is a text", "<body>/means</body>", { msgtype: "m.text", body: "/means" }],
    ["/me within a text is a text", "<body> /me x</body>", { msgtype: "m.text", body: " /me x" }],
    [
      "a subject comes before the body",
      "<subject>Tonight</subject><body>/me x</body>",
      { msgtype: "m.text", body: "Subject: Tonight\n\n/me x" },
    ],
    [
      "a subject alone is told",
      "<subject>Tonight</subject>",
      { msgtype: "m.text", body: "Subject: Tonight" },
    ],
    [
      "a link out of band without a body is the text",
      "<x xmlns='jabber:x:oob'><url>https://xmpp.example/a.png</url></x>",
      { msgtype: "m.text", body: "https://xmpp.example/a.png" },
    ],
    [
      "a link out of band that the body repeats is told once",
      "<body>https://xmpp.example/a.png</body><x xmlns='jabber:x:oob'><url>https://xmpp.example/a.png</url></x>",
      { msgtype: "m.text", body: "https://xmpp.example/a.png" },
    ],
    [
      "reactions are told",
      "<reactions xmlns='urn:xmpp:reactions:0' id='$1'><reaction>👋</reaction><reaction>🐢</reaction></reactions>",
      { msgtype: "m.emote", body: "reacted with 👋 🐢" },
    ],
    [
      "reactions that were taken back are nothing",
      "<reactions xmlns='urn:xmpp:reactions:0' id='$1'/>",
      undefined,
    ],
    [
      "an invitation to a room is told",
      "<x xmlns='jabber:x:conference' jid='garden@muc.xmpp.example'/>",
      { msgtype: "m.emote", body: "invites you to the XMPP room garden@muc.xmpp.example" },
    ],
    ["an invitation to nowhere is nothing", "<x xmlns='jabber:x:conference'/>", undefined],
    ["a chat state is nothing", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", undefined],
    ["a receipt is nothing", "<received xmlns='urn:xmpp:receipts' id='1'/>", undefined],
    ["a marker is nothing", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", undefined],
    ["an empty body is nothing", "<body/>", undefined],
    ["no child at all is nothing", "", undefined],
    ["an empty subject, which clears that of a room, is nothing", "<subject/>", undefined],
  ];
  for (const [title, inside, content] of rows) {
    test(title, () => assert.deepEqual(said(inside), content));
  }

  test("a headline is a notice", () => {
    assert.deepEqual(said("<body>News</body>", "type='headline'"), { msgtype: "m.notice", body: "News" });
  });
});

suite("there and back", () => {
  const back = (content: Content): Content | undefined => {
    const crossing = toStanza(eventOf("m.room.message", content), way);
    if (crossing.kind !== "stanza") return undefined;
    return toContents(parseStanza(serialize(crossing.stanza)))[0];
  };

  test("an emote that is not empty is the same afterwards, but for what XML cannot carry", () => {
    fc.assert(
      fc.property(wildTexts, (body) => {
        fc.pre(body !== "");
        assert.deepEqual(back({ msgtype: "m.emote", body }), { msgtype: "m.emote", body: xmlSafe(body) });
      }),
    );
  });

  test("a text that is not empty and no /me command is the same afterwards", () => {
    fc.assert(
      fc.property(wildTexts, (body) => {
        fc.pre(body !== "" && !/^\/me\s/.test(body));
        assert.deepEqual(back({ msgtype: "m.text", body }), { msgtype: "m.text", body: xmlSafe(body) });
      }),
    );
  });

  test("a text that begins with /me becomes an emote, for XMPP has no way to quote it", () => {
    assert.deepEqual(back({ msgtype: "m.text", body: "/me sighs" }), { msgtype: "m.emote", body: "sighs" });
  });

  test("an empty text is nothing to send", () => {
    const empty = eventOf("m.room.message", { msgtype: "m.text", body: "" });
    assert.deepEqual(toStanza(empty, way), { kind: "nothing" });
  });
});
