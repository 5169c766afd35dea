import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describe, softwareOf } from "../../src/mapping/descriptions.ts";
import { parseStanza, xml } from "../../src/xmpp/stanza.ts";

const info = (...identities: string[]) =>
  parseStanza(
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>${identities.join("")}` +
      "<feature var='urn:xmpp:ping'/></query></iq>",
  );
const identity = (category: string, type: string, name = "") =>
  `<identity category='${category}' type='${type}' name='${name}'/>`;

test("an identity is said in words, with the name that goes with it", () => {
  const cases: [string, string, string, boolean][] = [
    ["conference", "text", "a chat room", true],
    ["conference", "irc", "a chat room on IRC", true],
    ["gateway", "matrix", "a gateway to another network", false],
    ["server", "im", "an XMPP server", false],
    ["account", "registered", "a person's account", false],
    ["client", "bot", "a bot", false],
    ["client", "phone", "a client", false],
    ["pubsub", "service", "a service", false],
  ];
  for (const [category, type, kind, isRoom] of cases) {
    assert.deepEqual(describe(info(identity(category, type, "Verona"))), { kind, isRoom, name: "Verona" });
  }
});

test("of several identities the one that says most to a person counts", () => {
  const several = info(identity("pubsub", "pep", "no"), identity("account", "registered"));
  assert.deepEqual(describe(several), { kind: "a person's account", isRoom: false, name: undefined });
});

test("an unknown identity, or none, is no kind", () => {
  const unknown = { kind: undefined, isRoom: false, name: undefined };
  assert.deepEqual(describe(info(identity("balcony", "stone", "x"))), unknown);
  assert.deepEqual(describe(info()), unknown);
  assert.deepEqual(describe(parseStanza("<iq type='result'/>")), unknown);
});

test("software is its name and version, as far as they are told", () => {
  const version = (inside: string) =>
    parseStanza(`<iq type='result'><query xmlns='jabber:iq:version'>${inside}</query></iq>`);
  assert.equal(softwareOf(version("<name>Prosody</name><version>13.0.7</version>")), "Prosody 13.0.7");
  assert.equal(softwareOf(version("<name>Prosody</name>")), "Prosody");
  assert.equal(softwareOf(version("")), undefined);
});

test("no identity breaks it", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (category, type) => {
      const query = xml(
        "query",
        { xmlns: "http://jabber.org/protocol/disco#info" },
        xml("identity", { category, type }),
      );
      describe(xml("iq", {}, query));
    }),
  );
});
