import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type OccupantPresence,
  occupantPresence,
  readOccupantPresence,
} from "../../src/mapping/muc-presence.ts";
import { affiliations, roles } from "../../src/xmpp/affiliation.ts";
import type { BareJid, FullJid, Jid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../src/xmpp/stanza.ts";

const room = "orchard@muc.xmpp.test" as BareJid;
const juliet = "juliet%hs.test@bridge.xmpp.test/matrix" as FullJid;
const read = (inner: string, attributes = `from='${room}/Romeo'`) =>
  readOccupantPresence(parseStanza(`<presence to='${juliet}' ${attributes}>${inner}</presence>`));
const user = (inner: string) => `<x xmlns='http://jabber.org/protocol/muc#user'>${inner}</x>`;

test("an occupant is read with all that the room tells", () => {
  const presence = read(
    `${user("<item affiliation='admin' role='moderator' jid='romeo@xmpp.test/x'/><status code='110'/><status code='100'/>")}
     <occupant-id xmlns='urn:xmpp:occupant-id:0' id='o1'/>
     <x xmlns='vcard-temp:x:update'><photo>abc</photo></x>
     <nick xmlns='http://jabber.org/protocol/nick'>Romeo 🌹</nick>`,
  );
  assert.deepEqual(presence, {
    room,
    nick: "Romeo",
    isUnavailable: false,
    affiliation: "admin",
    role: "moderator",
    realJid: "romeo@xmpp.test/x",
    statuses: new Set([110, 100]),
    occupantId: "o1",
    photoHash: "abc",
    nickname: "Romeo 🌹",
  });
});

test("a kick, a ban, a new nick and the end of a room are read with who and why", () => {
  const kicked = read(
    user("<item role='none'><actor nick='Tybalt'/><reason>A plague</reason></item><status code='307'/>"),
    `from='${room}/Romeo' type='unavailable'`,
  );
  assert.equal(kicked?.isUnavailable, true);
  assert.deepEqual(
    [kicked?.actor, kicked?.reason, [...(kicked?.statuses ?? [])]],
    ["Tybalt", "A plague", [307]],
  );
  const renamed = read(
    user("<item nick='Montague' role='participant'/><status code='303'/>"),
    `from='${room}/Romeo' type='unavailable'`,
  );
  assert.equal(renamed?.newNick, "Montague");
  const destroyed = read(
    user("<item role='none'/><destroy jid='crypt@muc.xmpp.test'><reason>Dead</reason></destroy>"),
    `from='${room}/Romeo' type='unavailable'`,
  );
  assert.deepEqual(destroyed?.destroyed, { jid: "crypt@muc.xmpp.test", reason: "Dead" });
});

test("other presence is none of an occupant", () => {
  const inner = user("<item/>");
  assert.equal(read(inner, `from='${room}'`), undefined);
  assert.equal(read("", `from='${room}/Romeo'`), undefined);
  assert.equal(read(inner, `from='${room}/Romeo' type='error'`), undefined);
  assert.equal(read(inner, `from='${room}/Romeo' type='subscribe'`), undefined);
  assert.equal(read(inner, "from='@/Romeo'"), undefined);
});

test("what is written is read again", () => {
  const words = fc
    .string({ minLength: 1, unit: "grapheme" })
    .filter((text) => !/[\p{Cc}\ufffe\uffff]/u.test(text));
  const option = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const presences = fc
    .record({
      nick: words,
      isUnavailable: fc.boolean(),
      affiliation: fc.constantFrom(...affiliations),
      role: fc.constantFrom(...roles),
      realJid: option(fc.constant("romeo@xmpp.test/x" as Jid)),
      newNick: option(words),
      statuses: fc.uniqueArray(fc.integer({ min: 100, max: 999 })).map((codes) => new Set(codes)),
      occupantId: option(words),
      actor: option(words),
      reason: option(words),
      destroyed: option(
        fc.record(
          { jid: fc.constant("crypt@muc.xmpp.test" as BareJid), reason: words },
          { requiredKeys: [], noNullPrototype: true },
        ),
      ),
      photoHash: option(fc.constantFrom("", "da39a3ee5e6b4b0d3255bfef95601890afd80709")),
      nickname: option(words),
    })
    .map((presence) => {
      const known = Object.entries({ room, ...presence }).filter(([, value]) => value !== undefined);
      return Object.fromEntries(known) as unknown as OccupantPresence;
    });
  fc.assert(
    fc.property(presences, (presence) => {
      const stanza = parseStanza(serialize(occupantPresence(juliet, presence)));
      assert.equal(stanza.attrs.to, juliet);
      assert.deepEqual(readOccupantPresence(stanza), presence);
    }),
  );
});
