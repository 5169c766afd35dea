import assert from "node:assert/strict";
import { test } from "node:test";
import { hostedInfo } from "../../src/mapping/hosted-disco.ts";
import { readMucInfo } from "../../src/mapping/muc-info.ts";
import { parseElement, serialize, xml } from "../../src/xmpp/stanza.ts";

const read = (more: Partial<Parameters<typeof hostedInfo>[0]> = {}) => {
  const told = hostedInfo({
    name: "The Café",
    topic: "Light & yonder",
    occupants: 3,
    joinRule: "public",
    isPublic: true,
    isModerated: false,
    mayChangeTopic: false,
    avatarHash: "",
    historyMessages: 50,
    ...more,
  });
  const query = xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }, ...told);
  const { features, ...rest } = readMucInfo(parseElement(serialize(query)));
  return { ...rest, features: [...features] };
};

test("what a room says of itself is understood by one who asks rooms of other services", () => {
  const { features, ...rest } = read();
  assert.deepEqual(rest, {
    isMuc: true,
    name: "The Café",
    description: "Light & yonder",
    subject: "Light & yonder",
    isMembersOnly: false,
    isPasswordProtected: false,
    isModerated: false,
    isAnonymous: false,
    isPublic: true,
    isPersistent: true,
    occupants: 3,
    avatarHash: "",
  });
  for (const feature of ["urn:xmpp:mam:2", "urn:xmpp:occupant-id:0", "urn:xmpp:message-moderate:1"]) {
    assert.ok(features.includes(feature), feature);
  }
});

test("closed, moderated and hidden rooms say so, with the hash of their picture", () => {
  const { isMembersOnly, isModerated, isPublic, avatarHash } = read({
    joinRule: "knock",
    isModerated: true,
    isPublic: false,
    avatarHash: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
  });
  assert.deepEqual([isMembersOnly, isModerated, isPublic], [true, true, false]);
  assert.equal(avatarHash, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
});
