import assert from "node:assert/strict";
import { test } from "node:test";
import { toChatState } from "../../src/mapping/chat-states.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { serialize } from "../../src/xmpp/stanza.ts";

const ends = { from: "juliet%hs.test@bridge.xmpp.test" as BareJid, to: "romeo@xmpp.test" as BareJid };
const head = '<message type="chat" from="juliet%hs.test@bridge.xmpp.test" to="romeo@xmpp.test">';

test("typing is composing, and no longer typing is paused; neither is worth storing", () => {
  const [state, hint] = [
    'xmlns="http://jabber.org/protocol/chatstates"',
    '<no-store xmlns="urn:xmpp:hints"/>',
  ];
  assert.equal(serialize(toChatState(true, ends)), `${head}<composing ${state}/>${hint}</message>`);
  assert.equal(serialize(toChatState(false, ends)), `${head}<paused ${state}/>${hint}</message>`);
});
