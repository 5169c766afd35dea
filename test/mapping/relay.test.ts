import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { fileToStanzas } from "../../src/mapping/files.ts";
import { toStanza } from "../../src/mapping/messages.ts";
import { looksLike, relayedName, relayedStanzas } from "../../src/mapping/relay.ts";
import type { Content, MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { readText } from "../../src/xmpp/stanza.ts";

const juliet = "@juliet:hs.example" as UserId;
const way = {
  from: "bridge.xmpp.example" as BareJid,
  to: "verona@conference.xmpp.example" as BareJid,
  type: "groupchat" as const,
};

function spoken(content: Content, template = "{name}: {message}", name = "Juliet"): string[] {
  const event: MatrixEvent = {
    event_id: "$1" as EventId,
    type: "m.room.message",
    room_id: "!r:hs.example" as RoomId,
    sender: juliet,
    origin_server_ts: 0,
    content,
  };
  const media = { linkOf: () => "https://bridge.example/rose.png", maxBytes: 1024 };
  const crossing = fileToStanzas(event, way, media) ?? toStanza(event, way);
  assert.ok(crossing.kind === "stanza" || crossing.kind === "stanzas");
  const stanzas = crossing.kind === "stanza" ? [crossing.stanza] : crossing.stanzas;
  return relayedStanzas(stanzas, event, template, { name, mxid: juliet }).map(
    (stanza) => `${stanza.attrs.id} ${readText(stanza, "body")}`,
  );
}

test("words stand in the template, and a name that looks like one of its places changes nothing", () => {
  const text = { msgtype: "m.text", body: "Ay me!" };
  assert.deepEqual(spoken(text), ["$1 Juliet: Ay me!"]);
  assert.deepEqual(spoken(text, "[{mxid}] {message} ({name})", "{message} $& {mxid}"), [
    "$1 [@juliet:hs.example] Ay me! ({message} $& {mxid})",
  ]);
});

test("what Juliet does is told of her, and a bot's command crosses as it is", () => {
  assert.deepEqual(spoken({ msgtype: "m.emote", body: "sighs" }), ["$1 * Juliet sighs"]);
  for (const command of ["!help", ".ping me", "/roll 2d6", "!füge hinzu"])
    assert.deepEqual(spoken({ msgtype: "m.text", body: command }), [`$1 ${command}`]);
  for (const none of ["!", "... well", "!help\n!more", "/ 2", "1/2", `!${"a".repeat(500)}`])
    assert.deepEqual(spoken({ msgtype: "m.text", body: none }), [`$1 Juliet: ${none}`]);
});

test("a file stays a link by itself, and the words below it say whose it is", () => {
  const file = { msgtype: "m.image", url: "mxc://hs.example/rose", filename: "rose.png", body: "rose.png" };
  assert.deepEqual(spoken(file), ["$1 https://bridge.example/rose.png", "caption-$1 Juliet: rose.png"]);
  assert.deepEqual(spoken({ ...file, body: "By any other name" }), [
    "$1 https://bridge.example/rose.png",
    "caption-$1 Juliet: By any other name",
  ]);
});

test("a name never turns a line round, ends it or passes for that of another", () => {
  const nameOf = (name: string | undefined, taken: string[] = []) =>
    relayedName(name, juliet, (candidate) => taken.some((other) => looksLike(other, candidate)));
  assert.equal(nameOf("Juliet\n<Romeo>\u202e"), "JulietRomeo");
  assert.equal(nameOf("  Juliet \u00a0 Capulet "), "Juliet Capulet");
  assert.equal(nameOf("Ｒomeo\u200b", ["romeo"]), "Ｒomeo (@juliet:hs.example)");
  for (const none of [undefined, "", "\u202e", "@romeo:hs.example"]) assert.equal(nameOf(none), "juliet");
});

test("every name is one line that can be seen", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      const shown = relayedName(name, juliet, () => false);
      assert.match(shown, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}<>]+$/u);
      assert.ok([...shown].length <= 60);
    }),
  );
});
