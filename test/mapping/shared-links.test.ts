import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { readSharedLinks } from "../../src/mapping/shared-links.ts";
import { parseStanza, serialize, xml, xmlSafe } from "../../src/xmpp/stanza.ts";

const url = "https://up.example/a/summit.jpg";
const none = { type: undefined, size: undefined, width: undefined, height: undefined, durationMs: undefined };
const plain = { url, name: undefined, description: undefined, ...none, hashes: {} };

const stanzaOf = (inner: string) => parseStanza(`<message from="a@b" to="c@d" id="m1">${inner}</message>`);
/** The files, without what is not known of them, and what is left of the stanza. */
function read(inner: string) {
  const shared = readSharedLinks(stanzaOf(inner));
  return (
    shared && { files: shared.files, rest: shared.rest.children.map((child) => serialize(child as never)) }
  );
}
const body = (text: string): string => `<body>${text}</body>`;
const oob = (target = url): string => `<x xmlns="jabber:x:oob"><url>${target}</url></x>`;
const sfs = (target = url, facts = ""): string =>
  `<file-sharing xmlns="urn:xmpp:sfs:0" disposition="inline"><file xmlns="urn:xmpp:file:metadata:0">${facts}</file>` +
  `<sources><url-data xmlns="http://jabber.org/protocol/url-data" target="${target}"/></sources></file-sharing>`;
const fallback = (range = "", of = "urn:xmpp:sfs:0"): string =>
  `<fallback xmlns="urn:xmpp:fallback:0" for="${of}"><body${range}/></fallback>`;

suite("files that a stanza shares", () => {
  test("a link alone, out of band as well, is a file", () => {
    const bare = [{ url, description: undefined, hashes: {} }];
    assert.deepEqual(read(body(url) + oob()), { files: bare, rest: [] });
    assert.deepEqual(read(oob()), { files: bare, rest: [] });
  });

  test("a link in the text alone is text", () => assert.equal(read(body(url)), undefined));

  test("a link beside other words is no file", () =>
    assert.equal(read(body(`See ${url}`) + oob()), undefined));

  test("stateless file sharing brings everything that is known", () => {
    const facts =
      "<media-type>image/jpeg</media-type><name>../summit.jpg</name><size>3032449</size><width>4096</width>" +
      "<height>2160</height><length>5</length><desc>From the summit</desc>" +
      '<hash xmlns="urn:xmpp:hashes:2" algo="sha-256">aGFzaA==</hash>';
    assert.deepEqual(read(body(url) + oob() + sfs(url, facts) + fallback()), {
      files: [
        {
          url,
          name: "summit.jpg",
          description: "From the summit",
          type: "image/jpeg",
          size: 3032449,
          width: 4096,
          height: 2160,
          durationMs: 5,
          hashes: { "sha-256": "aGFzaA==" },
        },
      ],
      rest: [fallback()],
    });
  });

  test("the text beside a file is kept, its fallback is not", () => {
    const text = `Look \u{1F339}\n${url}`;
    const range = ` start="7" end="${7 + url.length}"`;
    assert.deepEqual(read(body(text) + sfs() + fallback(range)), {
      files: [plain],
      rest: [fallback(' start="7" end="7"'), "<body>Look \u{1F339}</body>"],
    });
  });

  test("ranges that make no sense cut nothing out", () => {
    for (const range of [' start="x"', ' start="900" end="1000"', ' start="-5" end="-1"', ' end="1.5"']) {
      assert.deepEqual(read(body("Look") + sfs() + fallback(range))?.rest.at(-1), "<body>Look</body>");
    }
  });

  test("inline media sharing is understood", () => {
    const sims =
      '<reference xmlns="urn:xmpp:reference:0" begin="0" end="3" type="data"><media-sharing xmlns="urn:xmpp:sims:1">' +
      '<file xmlns="urn:xmpp:jingle:apps:file-transfer:5"><media-type>image/jpeg</media-type><name>s.jpg</name></file>' +
      `<sources><reference xmlns="urn:xmpp:reference:0" type="data" uri="xmpp:a@b?jingle"/>` +
      `<reference xmlns="urn:xmpp:reference:0" type="data" uri="${url}"/></sources></media-sharing></reference>`;
    assert.deepEqual(read(body(url) + oob() + sims), {
      files: [{ ...plain, name: "s.jpg", type: "image/jpeg" }],
      rest: [],
    });
    assert.deepEqual(read(body("The summit") + sims)?.rest, ["<body>The summit</body>"]);
  });

  test("several files are several, and of very many the rest are links", () => {
    const urls = Array.from({ length: 12 }, (_, n) => `https://up.example/${n}`);
    const shared = read(body("All of it") + urls.map((one) => sfs(one)).join(""));
    assert.deepEqual(
      shared?.files.map((file) => file.url),
      urls.slice(0, 10),
    );
    assert.deepEqual(shared?.rest, [`<body>All of it\n${urls.slice(10).join("\n")}</body>`]);
  });

  test("other schemes and credentials are not followed", () => {
    for (const other of [
      "aesgcm://up.example/a#00",
      "file:///etc/passwd",
      "ftp://up.example/a",
      "https://user:secret@up.example/a",
      "javascript:alert(1)",
      "http://",
      `https://up.example/${"a".repeat(5000)}`,
    ])
      assert.equal(read(body(other) + oob(other) + sfs(other)), undefined);
  });

  test("half-valid elements are no files", () => {
    for (const inner of [
      '<file-sharing xmlns="urn:xmpp:sfs:0"/>',
      '<file-sharing xmlns="urn:xmpp:sfs:0"><sources/></file-sharing>',
      '<x xmlns="jabber:x:oob"/>',
      '<reference xmlns="urn:xmpp:reference:0"><media-sharing xmlns="urn:xmpp:sims:1"/></reference>',
    ])
      assert.equal(read(body("Hello") + inner), undefined);
  });

  test("whatever the text and its ranges, a stanza is left", () => {
    const texts = fc.string({ unit: "binary" }).map(xmlSafe);
    const bounds = fc.oneof(fc.integer({ min: -10, max: 40 }).map(String), fc.constant("x"));
    fc.assert(
      fc.property(texts, bounds, bounds, (text, start, end) => {
        const stanza = stanzaOf(sfs() + fallback(` start="${start}" end="${end}"`));
        stanza.append(xml("body", {}, text));
        const shared = readSharedLinks(stanza);
        assert.ok(shared);
        const rest = serialize(shared.rest);
        assert.equal(serialize(parseStanza(rest)), rest);
      }),
    );
  });
});
