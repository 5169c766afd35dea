import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { joinRefusalOf } from "../../src/mapping/join-errors.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";

const muc = "verona@conference.xmpp.test" as BareJid;
const jid = "juliet%hs.test@bridge.xmpp.test" as BareJid;
const of = (type: string, condition: string) => joinRefusalOf({ type, condition }, muc, jid);

test("a nick that is taken, or that the room cannot say, leads to another one", () => {
  assert.deepEqual(of("cancel", "conflict"), { kind: "nick" });
  assert.deepEqual(of("modify", "jid-malformed"), { kind: "nick" });
  assert.deepEqual(of("modify", "not-acceptable"), { kind: "reserved" });
});

test("a full room, a lost server and one that does not answer are tried again", () => {
  assert.deepEqual(of("wait", "service-unavailable"), { kind: "later" });
  assert.deepEqual(of("wait", "resource-constraint"), { kind: "later" });
  assert.deepEqual(of("cancel", "remote-server-not-found"), { kind: "later" });
  assert.deepEqual(of("wait", "remote-server-timeout"), { kind: "later" });
});

for (const [type, condition, isBan, sentence] of [
  ["auth", "forbidden", true, `${jid} is banned from ${muc}. Ask one of its administrators to lift that.`],
  [
    "auth",
    "registration-required",
    false,
    `Only members may enter ${muc}. Ask one of its administrators to make ${jid} a member.`,
  ],
  [
    "auth",
    "not-authorized",
    false,
    `${muc} asks for a password, or for another one than it was given. Give it with the command that joins or links the room.`,
  ],
  ["cancel", "item-not-found", false, `There is no room ${muc}, or it is not open yet.`],
  ["cancel", "gone", false, `${muc} no longer exists.`],
] as const) {
  test(`${condition} is final, and says what to do`, () => {
    assert.deepEqual(of(type, condition), {
      kind: "lasting",
      isBan,
      failure: { type, condition, retry: false, sentence },
    });
  });
}

test("every refusal has a meaning, whatever it says", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (type, condition) => {
      const refusal = of(type, condition);
      if (refusal.kind === "lasting") assert.ok(refusal.failure.sentence.endsWith("."));
    }),
  );
});
