/** Addresses of XMPP: what counts as one and how it comes apart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bareJid,
  bareOf,
  domainOf,
  fullJid,
  isFullJid,
  localOf,
  parseBareJid,
  parseFullJid,
  parseJid,
  resourceOf,
} from "../../src/xmpp/jid.ts";

test("a JID comes apart at its first slash and then at the at sign", () => {
  assert.deepEqual(parseJid("montague.example"), { domain: "montague.example" });
  assert.deepEqual(parseJid("romeo@montague.example"), { local: "romeo", domain: "montague.example" });
  assert.deepEqual(parseJid("montague.example/a@b/c"), { domain: "montague.example", resource: "a@b/c" });
  assert.deepEqual(parseJid("orchard@muc.montague.example/Romeo M."), {
    local: "orchard",
    domain: "muc.montague.example",
    resource: "Romeo M.",
  });
});

test("local and domain part are lowered and the resource keeps its case", () => {
  assert.deepEqual(parseJid("Romeo@Montague.EXAMPLE/Home"), {
    local: "romeo",
    domain: "montague.example",
    resource: "Home",
  });
});

test("a final dot is no part of the domain", () => {
  assert.equal(parseBareJid("romeo@montague.example."), "romeo@montague.example");
});

test("an IPv6 address is a domain in brackets only", () => {
  assert.equal(parseBareJid("romeo@[2001:db8::1]"), "romeo@[2001:db8::1]");
  assert.equal(parseBareJid("romeo@2001:db8::1"), undefined);
});

test("addresses of other scripts are accepted", () => {
  assert.equal(parseBareJid("ромео@монтекки.example"), "ромео@монтекки.example");
});

test("malformed addresses are refused", () => {
  for (const text of [
    "",
    "@",
    "/",
    "@montague.example",
    "romeo@",
    "romeo@/home",
    "romeo@montague.example/",
    "romeo@a@montague.example",
    "ro meo@montague.example",
    'ro"meo@montague.example',
    "ro&meo@montague.example",
    "ro'meo@montague.example",
    "ro:meo@montague.example",
    "ro<meo@montague.example",
    "ro>meo@montague.example",
    "ro\0meo@montague.example",
    "romeo@mon tague.example",
    "romeo@.example",
    "romeo@montague..example",
    "romeo@montague.example..",
    "romeo@.",
    "romeo@montague.example/\u0007",
    "ro\ud800meo@montague.example",
  ])
    assert.equal(parseJid(text), undefined, JSON.stringify(text));
});

test("each part has 1023 bytes at most", () => {
  const longest = "é".repeat(511);
  assert.ok(parseJid(`${longest}a@${longest}a/${longest}a`));
  for (const text of [`${longest}aa@a.example`, `a@${longest}aa`, `a@a.example/${longest}aa`])
    assert.equal(parseJid(text), undefined);
});

test("bare and full addresses are not taken for each other", () => {
  assert.equal(parseBareJid("romeo@montague.example/home"), undefined);
  assert.equal(parseFullJid("romeo@montague.example"), undefined);
  assert.equal(parseFullJid("ROMEO@montague.example/Home"), "romeo@montague.example/Home");
});

test("parts that are joined come apart again", () => {
  const room = bareJid("orchard", "muc.montague.example");
  const occupant = fullJid(room, "a@b/c");
  assert.deepEqual(
    [bareOf(occupant), localOf(occupant), domainOf(occupant), resourceOf(occupant), isFullJid(occupant)],
    [room, "orchard", "muc.montague.example", "a@b/c", true],
  );
  const server = bareJid(undefined, "montague.example");
  assert.deepEqual(
    [bareOf(server), localOf(server), domainOf(server), resourceOf(server), isFullJid(server)],
    [server, undefined, "montague.example", undefined, false],
  );
});

test("any text at all is refused or has one normal form", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.constantFrom("a", "İ.", "Σ", "[::1]"),
  );
  fc.assert(
    fc.property(piece, piece, piece, (local, domain, resource) => {
      for (const text of [`${local}@${domain}/${resource}`, `${local}@${domain}`, domain]) {
        const jid = parseFullJid(text) ?? parseBareJid(text);
        if (jid === undefined) {
          assert.equal(parseJid(text), undefined);
          continue;
        }
        assert.equal(parseFullJid(jid) ?? parseBareJid(jid), jid);
        const [local, resource] = [localOf(jid), resourceOf(jid)];
        assert.deepEqual(parseJid(jid), {
          ...(local === undefined ? {} : { local }),
          domain: domainOf(jid),
          ...(resource === undefined ? {} : { resource }),
        });
      }
    }),
  );
});
