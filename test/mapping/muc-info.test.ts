import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readMucInfo } from "../../src/mapping/muc-info.ts";
import { parseElement } from "../../src/xmpp/stanza.ts";

const info = (inner: string) =>
  readMucInfo(parseElement(`<query xmlns="http://jabber.org/protocol/disco#info">${inner}</query>`));
const muc =
  '<identity category="conference" type="text" name="Orchard"/><feature var="http://jabber.org/protocol/muc"/>';
const field = (name: string, value: string) => `<field var="${name}"><value>${value}</value></field>`;
const form = (...fields: string[]) =>
  `<x xmlns="jabber:x:data" type="result">${field("FORM_TYPE", "http://jabber.org/protocol/muc#roominfo")}${fields.join("")}</x>`;

test("a room says what it is called, who may come in, and what is shown of whom", () => {
  const { features, ...rest } = info(
    `${muc}<feature var="muc_membersonly"/><feature var="muc_passwordprotected"/><feature var="muc_moderated"/>` +
      '<feature var="muc_nonanonymous"/><feature var="muc_public"/><feature var="muc_persistent"/>' +
      '<feature var="urn:xmpp:occupant-id:0"/>' +
      form(
        field("muc#roominfo_description", "Walls are high"),
        field("muc#roominfo_subject", "What light"),
        field("muc#roominfo_occupants", "12"),
        field("muc#roominfo_avatarhash", "ABC"),
      ),
  );
  assert.deepEqual(rest, {
    isMuc: true,
    name: "Orchard",
    description: "Walls are high",
    subject: "What light",
    isMembersOnly: true,
    isPasswordProtected: true,
    isModerated: true,
    isAnonymous: false,
    isPublic: true,
    isPersistent: true,
    occupants: 12,
    avatarHash: "abc",
  });
  assert.equal(features.has("urn:xmpp:occupant-id:0"), true);
});

test("a room that says nothing of real addresses is taken to keep them, and hidden wins over public", () => {
  const { isAnonymous, isPublic } = info(`${muc}<feature var="muc_public"/><feature var="muc_hidden"/>`);
  assert.deepEqual({ isAnonymous, isPublic }, { isAnonymous: true, isPublic: false });
});

test("a room that has pictures and tells of none has none", () => {
  assert.equal(info(`${muc}<feature var="vcard-temp"/>`).avatarHash, "");
  assert.equal(info(muc).avatarHash, undefined);
});

test("people, services and rooms of other kinds are no rooms", () => {
  assert.equal(info('<identity category="account" type="registered"/>').isMuc, false);
  assert.equal(info('<identity category="conference" type="irc"/>').isMuc, false);
  assert.equal(info('<feature var="http://jabber.org/protocol/muc"/>').isMuc, false);
});

test("the fields of another form are not the room's", () => {
  const other = `<x xmlns="jabber:x:data">${field("FORM_TYPE", "urn:other")}${field("muc#roominfo_subject", "No")}</x>`;
  assert.equal(info(muc + other).subject, undefined);
});

test("whatever answers, it is read without an error", () => {
  const name = fc.constantFrom("identity", "feature", "x", "field", "value");
  const attrs = fc.dictionary(fc.constantFrom("var", "category", "type", "name", "xmlns"), fc.string());
  fc.assert(
    fc.property(fc.array(fc.tuple(name, attrs)), (children) => {
      const query = parseElement('<query xmlns="http://jabber.org/protocol/disco#info"/>');
      for (const [child, given] of children) query.c(child, given);
      assert.equal(typeof readMucInfo(query).isMuc, "boolean");
    }),
  );
});
