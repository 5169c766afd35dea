import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { fileContent, fileToStanzas, linkContent } from "../../src/mapping/files.ts";
import type { Content, MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../src/xmpp/stanza.ts";

const head = { from: "juliet%hs.test@bridge.xmpp.test" as BareJid, to: "romeo@xmpp.test" as BareJid };
const linkOf = ({ name }: { name: string }) => `https://bridge.example/media/t/${encodeURIComponent(name)}`;
const media = { linkOf, maxBytes: 1024 * 1024 };
const mxc = "mxc://hs.test/GCmhgzMPRjqgpODLsNQzVuHZ";

const eventOf = (content: Content, type = "m.room.message"): MatrixEvent => ({
  event_id: "$1" as EventId,
  type,
  room_id: "!r:hs.test" as RoomId,
  sender: "@juliet:hs.test" as UserId,
  origin_server_ts: 0,
  content,
});
const crossingOf = (content: Content, type?: string) => fileToStanzas(eventOf(content, type), head, media);
function stanzasOf(content: Content, type?: string): string[] {
  const crossing = crossingOf(content, type);
  assert.equal(crossing?.kind, "stanzas");
  return crossing.kind === "stanzas" ? crossing.stanzas.map(serialize) : [];
}

const message = (id: string, ...inner: string[]): string =>
  `<message type="chat" from="${head.from}" to="${head.to}" id="${id}">${inner.join("")}</message>`;
const originId = (id: string): string => `<origin-id xmlns="urn:xmpp:sid:0" id="${id}"/>`;
/** @param facts the metadata inside `<file/>`. */
const shared = (url: string, facts: string, disposition = "inline"): string =>
  message(
    "$1",
    `<body>${url}</body>`,
    originId("$1"),
    '<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:sfs:0"><body/></fallback>',
    `<file-sharing xmlns="urn:xmpp:sfs:0" disposition="${disposition}">`,
    `<file xmlns="urn:xmpp:file:metadata:0">${facts}</file>`,
    `<sources><url-data xmlns="http://jabber.org/protocol/url-data" target="${url}"/></sources></file-sharing>`,
    `<x xmlns="jabber:x:oob"><url>${url}</url></x>`,
  );

suite("files from Matrix", () => {
  test("an image is its link, with what is known of it beside", () => {
    const info = { mimetype: "image/jpeg", size: 3032, w: 400, h: 300 };
    assert.deepEqual(stanzasOf({ msgtype: "m.image", body: "summit.jpg", url: mxc, info }), [
      shared(
        "https://bridge.example/media/t/summit.jpg",
        "<media-type>image/jpeg</media-type><name>summit.jpg</name><size>3032</size><width>400</width><height>300</height>",
      ),
    ]);
  });

  test("a caption is a message after its file", () => {
    const content = { msgtype: "m.file", body: "My will & <testament>", filename: "will.pdf", url: mxc };
    assert.deepEqual(stanzasOf(content), [
      shared("https://bridge.example/media/t/will.pdf", "<name>will.pdf</name>", "attachment"),
      message("caption-$1", "<body>My will &amp; &lt;testament&gt;</body>", originId("caption-$1")),
    ]);
  });

  test("a voice message is audio with its length, and says nothing beside", () => {
    const content = {
      msgtype: "m.audio",
      body: "Voice message",
      filename: "Voice message.ogg",
      url: mxc,
      info: { mimetype: "audio/ogg", duration: 4200 },
      "org.matrix.msc3245.voice": {},
    };
    assert.deepEqual(stanzasOf(content), [
      shared(
        "https://bridge.example/media/t/Voice%20message.ogg",
        "<media-type>audio/ogg</media-type><name>Voice message.ogg</name><length>4200</length>",
      ),
    ]);
  });

  test("a sticker is an image, its name completed", () => {
    const content = { body: "A rose", url: mxc, info: { mimetype: "image/png" } };
    assert.deepEqual(stanzasOf(content, "m.sticker"), [
      shared(
        "https://bridge.example/media/t/A%20rose.png",
        "<media-type>image/png</media-type><name>A rose.png</name>",
      ),
    ]);
  });

  test("an encrypted file is refused in words", () => {
    assert.deepEqual(crossingOf({ msgtype: "m.image", body: "x", file: { url: mxc } }), {
      kind: "refused",
      sentence: "The bridge cannot read encrypted files; send it in a room without encryption.",
    });
  });

  test("a file that is too large is refused in words", () => {
    const content = { msgtype: "m.file", body: "x", url: mxc, info: { size: 1024 * 1024 + 1 } };
    assert.deepEqual(crossingOf(content), {
      kind: "refused",
      sentence: "The file is larger than the 1 MiB that the bridge carries.",
    });
  });

  test("what has no file that could be linked to is left to others", () => {
    for (const content of [
      { msgtype: "m.text", body: "x", url: mxc },
      { msgtype: "constructor", body: "x", url: mxc },
      { msgtype: "m.image", body: "x" },
      { msgtype: "m.image", body: "x", url: "https://hs.test/a" },
      { msgtype: "m.image", body: "x", url: "mxc://hs.test/../a" },
      { msgtype: "m.image", body: "x", url: 5 },
      {},
    ])
      assert.equal(crossingOf(content), undefined);
  });

  test("whatever a content holds, what comes of it is a stanza", () => {
    const anything = fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.double(), fc.constant(null));
    const contents = fc.record({
      msgtype: fc.constantFrom("m.image", "m.file", "m.audio", "m.video"),
      url: fc.constant(mxc),
      body: anything,
      filename: anything,
      info: fc.oneof(
        anything,
        fc.dictionary(fc.constantFrom("mimetype", "size", "w", "h", "duration", "__proto__"), anything),
      ),
    });
    fc.assert(
      fc.property(contents, (content) => {
        const crossing = crossingOf(content);
        assert.ok(crossing);
        if (crossing.kind === "refused") return;
        for (const stanza of crossing.stanzas)
          assert.equal(serialize(parseStanza(serialize(stanza))), serialize(stanza));
      }),
    );
  });
});

suite("files in the media repository", () => {
  const stored = {
    mxc,
    name: "a.bin",
    type: "application/octet-stream",
    isImage: false,
    isVoice: false,
    description: undefined,
  };

  test("an image has its dimensions, and its description for a caption", () => {
    const image = {
      ...stored,
      name: "a.png",
      type: "image/png",
      isImage: true,
      size: 9,
      width: 2,
      height: 3,
    };
    assert.deepEqual(fileContent({ ...image, description: "The summit" }), {
      msgtype: "m.image",
      body: "The summit",
      filename: "a.png",
      url: mxc,
      info: { mimetype: "image/png", size: 9, w: 2, h: 3 },
    });
  });

  test("a voice message is marked as one", () => {
    assert.deepEqual(
      fileContent({ ...stored, name: "v.ogg", type: "audio/ogg", isVoice: true, durationMs: 5 }),
      {
        msgtype: "m.audio",
        body: "v.ogg",
        filename: "v.ogg",
        url: mxc,
        info: { mimetype: "audio/ogg", duration: 5 },
        "org.matrix.msc3245.voice": {},
        "org.matrix.msc1767.audio": { duration: 5 },
      },
    );
  });

  test("what only calls itself an image is a file", () => {
    assert.equal(fileContent(stored).msgtype, "m.file");
    assert.equal(fileContent({ ...stored, type: "video/mp4" }).msgtype, "m.video");
  });

  test("a file that was not copied is its link, with the reason", () => {
    assert.deepEqual(linkContent({ url: "https://up.example/a" }, "it is too large"), {
      msgtype: "m.text",
      body: "https://up.example/a\n(not copied: it is too large)",
    });
    assert.deepEqual(linkContent({ url: "https://up.example/a" }), {
      msgtype: "m.text",
      body: "https://up.example/a",
    });
  });

  test("what was said of a file that was not copied is not lost", () => {
    assert.deepEqual(linkContent({ url: "https://up.example/a", description: "The balcony" }, "too large"), {
      msgtype: "m.text",
      body: "The balcony\nhttps://up.example/a\n(not copied: too large)",
    });
  });
});
