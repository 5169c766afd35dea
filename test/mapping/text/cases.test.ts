/** The pairs of test/cases/text: a message on Matrix, the same message on XMPP, and the way that it goes. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { toContents, toStanza } from "../../../src/mapping/messages.ts";
import type { Content } from "../../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../../src/matrix/ids.ts";
import type { BareJid } from "../../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../../src/xmpp/stanza.ts";

interface Case {
  way: "both" | "to XMPP" | "to Matrix";
  content: Content;
  /** As `xmpp.xhtmlIm` of the configuration. */
  xhtmlIm?: boolean;
  /** What the message stanza holds, apart from its origin ID. */
  stanza: string;
}

const folder = new URL("../../cases/text/", import.meta.url);
const way = {
  from: "juliet%hs.example@bridge.xmpp.example" as BareJid,
  to: "romeo@xmpp.example" as BareJid,
};

const stanzaOf = (inside: string): string =>
  serialize(
    parseStanza(
      `<message type="chat" from="${way.from}" to="${way.to}" id="$1">${inside}` +
        '<origin-id xmlns="urn:xmpp:sid:0" id="$1"/></message>',
    ),
  );

function sent(content: Content, xhtmlIm = false): string {
  const event = {
    event_id: "$1" as EventId,
    type: "m.room.message",
    room_id: "!r:hs.example" as RoomId,
    sender: "@juliet:hs.example" as UserId,
    origin_server_ts: 0,
    content,
  };
  const crossing = toStanza(event, { ...way, xhtmlIm });
  return crossing.kind === "stanza" ? serialize(crossing.stanza) : crossing.kind;
}

for (const file of readdirSync(folder).sort()) {
  const title = basename(file, ".json").replaceAll("-", " ");
  const {
    way: ways,
    content,
    xhtmlIm,
    stanza,
  } = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Case;
  if (ways !== "to Matrix")
    test(`to XMPP: ${title}`, () => assert.equal(sent(content, xhtmlIm), stanzaOf(stanza)));
  if (ways !== "to XMPP") {
    test(`to Matrix: ${title}`, () => {
      assert.deepEqual(toContents(parseStanza(`<message type="chat">${stanza}</message>`)), [content]);
    });
  }
}
