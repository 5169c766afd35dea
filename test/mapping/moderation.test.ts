import assert from "node:assert/strict";
import test from "node:test";
import { moderatedStanzas, moderationRequest, readModeration } from "../../src/mapping/moderation.ts";
import type { EventId } from "../../src/matrix/ids.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../src/xmpp/stanza.ts";

const room = "verona@conference.xmpp.example" as BareJid;
const part = (id: string | undefined) => ({
  eventId: "$1" as EventId,
  jid: undefined,
  messageId: "m1",
  originId: undefined,
  stanzaId: id === undefined ? undefined : { id, by: room },
});

test("a room is asked to remove a message by its own ID of it", () => {
  assert.equal(
    serialize(moderationRequest("a1", "Peace!")),
    '<moderate xmlns="urn:xmpp:message-moderate:1" id="a1"><retract xmlns="urn:xmpp:message-retract:1"/><reason>Peace!</reason></moderate>',
  );
});

test("what the room tells is read again, and of an occupant's lips it is nothing", () => {
  const head = { from: `${room}/Prince` as FullJid, to: room, id: "$2" };
  const stanzas = moderatedStanzas(head, [part("a1"), part(undefined), part("a2")], "Peace & quiet");
  assert.deepEqual(
    stanzas.map(({ attrs }) => [attrs.type, attrs.from, attrs.id]),
    [
      ["groupchat", room, "$2"],
      ["groupchat", room, "part-2-$2"],
    ],
  );
  const [first] = stanzas.map((stanza) => parseStanza(serialize(stanza)));
  assert.ok(first);
  assert.equal(first.getChild("retract")?.getChild("moderated")?.attrs.by, `${room}/Prince`);
  assert.deepEqual(readModeration(first), { id: "a1", reason: "Peace & quiet" });
  first.attrs.from = `${room}/Romeo`;
  assert.equal(readModeration(first), "nothing");
});

test("a retraction of one's own is no moderation", () => {
  const own = "<message type='groupchat'><retract xmlns='urn:xmpp:message-retract:1' id='a1'/></message>";
  assert.equal(readModeration(parseStanza(own)), undefined);
});
