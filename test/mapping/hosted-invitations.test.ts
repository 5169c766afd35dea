import assert from "node:assert/strict";
import { test } from "node:test";
import {
  invitation,
  readInvitees,
  readRefusal,
  refusedInvitation,
} from "../../src/mapping/hosted-invitations.ts";
import { readDecline, readInvitation } from "../../src/mapping/muc-invitations.ts";
import { readVoiceMessage, voiceForm } from "../../src/mapping/voice-requests.ts";
import type { BareJid, FullJid, Jid } from "../../src/xmpp/jid.ts";
import { parseElement } from "../../src/xmpp/stanza.ts";

const cafe = "#cafe%hs.test@bridge.xmpp.test" as BareJid;
const romeo = "romeo@xmpp.test" as BareJid;
const phone = "romeo@xmpp.test/phone" as FullJid;
const user = (inner: string) =>
  parseElement(`<message><x xmlns='http://jabber.org/protocol/muc#user'>${inner}</x></message>`);

test("the room is asked to invite one or several, and what is no address counts as none", () => {
  assert.deepEqual(
    readInvitees(
      user("<invite to='romeo@xmpp.test/phone'><reason> Come! </reason></invite><invite to='@'/><invite/>"),
    ),
    [{ to: romeo, reason: "Come!" }, undefined, undefined],
  );
  assert.deepEqual(readInvitees(user("")), []);
  assert.deepEqual(
    readInvitees(parseElement("<message><x xmlns='urn:example'><invite to='a@b'/></x></message>")),
    [],
  );
});

test("an invitation from the room is one for those who know either kind", () => {
  const sent = invitation(
    { from: cafe, to: romeo, id: "i1" },
    { from: "juliet%hs.test@bridge.xmpp.test" as Jid, reason: "Come!", roomName: "The Café" },
  );
  assert.equal(
    sent.getChildText("body"),
    "juliet%hs.test@bridge.xmpp.test invites you to the room The Café: Come!",
  );
  const expected = {
    muc: cafe,
    from: "juliet%hs.test@bridge.xmpp.test",
    reason: "Come!",
    password: undefined,
  };
  assert.deepEqual(readInvitation(sent), expected);
  assert.equal(sent.getChild("x", "jabber:x:conference")?.attrs.jid, cafe);
});

test("a refusal is read and handed on", () => {
  assert.deepEqual(readRefusal(user("<decline to='juliet@xmpp.test'><reason>Busy</reason></decline>")), {
    to: "juliet@xmpp.test",
    reason: "Busy",
  });
  assert.deepEqual(readRefusal(user("<decline/>")), { to: undefined, reason: undefined });
  assert.equal(readRefusal(user("<invite to='a@b'/>")), undefined);
  const head = { from: cafe, to: phone, id: "i2" };
  assert.deepEqual(readDecline(refusedInvitation(head, { from: romeo, reason: "Busy" })), {
    from: romeo,
    reason: "Busy",
  });
});

test("voice is asked for, the moderator's form comes back, and what it says is done", () => {
  const form = (fields: string, type = "submit") =>
    parseElement(
      `<message><x xmlns='jabber:x:data' type='${type}'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field>${fields}</x></message>`,
    );
  const role = "<field var='muc#role'><value>participant</value></field>";
  assert.deepEqual(readVoiceMessage(form(role)), { kind: "request" });
  assert.equal(readVoiceMessage(form("<field var='muc#role'><value>moderator</value></field>")), undefined);
  assert.equal(readVoiceMessage(form(role, "cancel")), undefined);
  assert.equal(readVoiceMessage(parseElement("<message><body>Hello</body></message>")), undefined);
  const asked = voiceForm({ from: cafe, to: phone, id: "v1" }, { jid: phone, nick: "Romeo" });
  assert.deepEqual(readVoiceMessage(asked), {
    kind: "approval",
    jid: romeo,
    nick: "Romeo",
    isAllowed: false,
  });
});
