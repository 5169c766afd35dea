import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { createAddresses } from "../../src/mapping/addresses.ts";
import {
  locationAt,
  locationsFor,
  protocol,
  readAddress,
  userAt,
  usersFor,
} from "../../src/mapping/third-party.ts";
import { parseRoomAlias, type RoomAlias, type UserId } from "../../src/matrix/ids.ts";
import { type BareJid, localOf } from "../../src/xmpp/jid.ts";
import { bareJids } from "../support/identifiers.ts";

const component = "bridge.xmpp.test";
const addresses = createAddresses({
  homeserverDomain: "hs.test",
  component,
  userPrefix: "_xmpp_",
  digest: (text) => createHash("sha256").update(text).digest("hex"),
});
const network = { addresses, component };
const romeo = "romeo@xmpp.test" as BareJid;
const orchard = "orchard@conference.xmpp.test" as BareJid;

test("an address is read from whatever a client calls it", () => {
  for (const fields of [
    { jid: "romeo@xmpp.test" },
    { jid: " Romeo@XMPP.test " },
    { jid: "romeo@xmpp.test/balcony" },
    { jid: "xmpp:romeo@xmpp.test" },
    { jid: "XMPP:romeo%40xmpp.test?message;body=hello" },
    { username: "romeo", domain: "xmpp.test" },
    { user: "romeo", server: "xmpp.test" },
    { room: "romeo", domain: "xmpp.test" },
    { search: "romeo@xmpp.test" },
    { jid: "", query: "romeo@xmpp.test" },
    { jid: "romeo", other: "x", search: "romeo@xmpp.test" },
  ]) {
    assert.equal(readAddress(fields as Record<string, string>), romeo, JSON.stringify(fields));
  }
});

test("what names no address of a user or room is none", () => {
  for (const fields of [
    {},
    { jid: "" },
    { jid: "romeo" },
    { jid: "xmpp.test" },
    { jid: "@xmpp.test" },
    { jid: "romeo@" },
    { jid: "xmpp:%ff@xmpp.test" },
    { jid: `${"r".repeat(2000)}@xmpp.test` },
    { username: "romeo" },
    { domain: "xmpp.test" },
    { search: "Romeo Montague" },
  ]) {
    assert.equal(readAddress(fields as Record<string, string>), undefined, JSON.stringify(fields));
  }
});

test("an XMPP user is found as the ghost, and a room as its alias", () => {
  assert.deepEqual(userAt(romeo, network), {
    userid: "@_xmpp_romeo=40xmpp.test:hs.test",
    protocol: "xmpp",
    fields: { jid: romeo },
  });
  assert.deepEqual(locationAt(orchard, network), {
    alias: "#_xmpp_orchard=40conference.xmpp.test:hs.test",
    protocol: "xmpp",
    fields: { jid: orchard },
  });
});

test("an address on the bridge's own component is the Matrix user or room that it stands for", () => {
  const at = (local: string) => `${local}@${component}` as BareJid;
  assert.equal(userAt(at("juliet%other.test"), network)?.userid, "@juliet:other.test");
  assert.equal(userAt(at("juliet"), network)?.userid, "@juliet:hs.test");
  assert.equal(locationAt(at("#cafe%hs.test"), network)?.alias, "#cafe:hs.test");
  for (const local of ["#cafe%hs.test", "\\zz", "_xmpp_bot", "_xmpp_romeo=40xmpp.test"]) {
    assert.equal(userAt(at(local), network), undefined, local);
  }
  // The Matrix side has no alias for a user, a room ID or what is an XMPP room already.
  for (const local of ["juliet%hs.test", "!a%hs.test", "#_xmpp_orchard=40conference.xmpp.test%hs.test"]) {
    assert.equal(locationAt(at(local), network), undefined, local);
  }
});

test("the way back gives the address, and nothing where there is none", () => {
  const userid = addresses.ghostOf(romeo);
  assert.deepEqual(usersFor(userid, romeo), [{ userid, protocol: "xmpp", fields: { jid: romeo } }]);
  assert.deepEqual(usersFor("@juliet:hs.test" as UserId, undefined), []);
  const alias = addresses.aliasOf(orchard);
  assert.deepEqual(locationsFor(alias, network), [{ alias, protocol: "xmpp", fields: { jid: orchard } }]);
  assert.deepEqual(locationsFor("#cafe:hs.test" as RoomAlias, network), []);
  assert.deepEqual(locationsFor(addresses.aliasOf(`a@${component}` as BareJid), network), []);
});

test("every address of a user or room that is found leads back to itself", () => {
  fc.assert(
    fc.property(bareJids, (jid) => {
      fc.pre(localOf(jid) !== undefined);
      const asked = readAddress({ jid });
      assert.equal(asked, jid);
      assert.equal(userAt(jid, network)?.userid, addresses.ghostOf(jid));
      const { alias } = locationAt(jid, network) ?? {};
      assert.ok(alias && parseRoomAlias(alias));
      if (!addresses.isShortened(alias)) assert.equal(locationsFor(alias, network)[0]?.fields.jid, jid);
    }),
  );
});

test("no field and no value of a field is more than an address or nothing", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (fields, jid) => {
      const found = readAddress({ ...fields, jid });
      assert.ok(found === undefined || localOf(found) !== undefined);
    }),
  );
});

test("every field is described, its example fits its pattern, and the last of each list takes what is typed", () => {
  const { field_types: types, user_fields: users, location_fields: locations } = protocol;
  for (const field of [...users, ...locations]) {
    const { regexp, placeholder } =
      (types as Record<string, { regexp: string; placeholder: string }>)[field] ?? {};
    assert.match(placeholder ?? "", new RegExp(`^(?:${regexp})$`));
    assert.ok(readAddress({ [field]: placeholder ?? "" }));
  }
});
