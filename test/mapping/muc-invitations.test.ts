import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  declinedInvitation,
  mediatedInvitation,
  readDecline,
  readInvitation,
} from "../../src/mapping/muc-invitations.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize, xml, xmlSafe } from "../../src/xmpp/stanza.ts";

const muc = "orchard@conference.xmpp.test" as BareJid;
const juliet = "juliet%hs.test@bridge.xmpp.test" as BareJid;
const read = (text: string) => readInvitation(parseStanza(text));
const user = "http://jabber.org/protocol/muc#user";

test("an invitation that the room hands on is the room's, with whoever has asked for it", () => {
  assert.deepEqual(
    read(
      `<message from="${muc}" to="${juliet}"><x xmlns="${user}"><invite from="romeo@xmpp.test/balcony">` +
        `<reason>Come</reason></invite><password>rose</password></x>` +
        `<x xmlns="jabber:x:conference" jid="${muc}"/></message>`,
    ),
    { muc, from: "romeo@xmpp.test/balcony", reason: "Come", password: "rose" },
  );
});

test("a direct invitation is its sender's", () => {
  assert.deepEqual(
    read(
      `<message from="romeo@xmpp.test/balcony" to="${juliet}">` +
        `<x xmlns="jabber:x:conference" jid="${muc}" reason="Come" password="rose"/></message>`,
    ),
    { muc, from: "romeo@xmpp.test", reason: "Come", password: "rose" },
  );
});

test("only a room hands on invitations, and errors and what is said to all are none", () => {
  const invite = `<x xmlns="${user}"><invite from="romeo@xmpp.test"/></x>`;
  const direct = `<x xmlns="jabber:x:conference" jid="${muc}"/>`;
  assert.equal(read(`<message from="${muc}/Romeo" to="${juliet}">${invite}</message>`), undefined);
  for (const type of ["error", "groupchat"]) {
    assert.equal(read(`<message type="${type}" from="${muc}" to="${juliet}">${invite}</message>`), undefined);
    assert.equal(read(`<message type="${type}" from="a@b" to="${juliet}">${direct}</message>`), undefined);
  }
  for (const jid of ["", "@", "orchard@conference.xmpp.test/Romeo"]) {
    assert.equal(
      read(`<message from="a@b" to="${juliet}"><x xmlns="jabber:x:conference" jid="${jid}"/></message>`),
      undefined,
    );
  }
});

test("invitations and refusals are written as XEP-0045 has them, whatever the reason", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (reason) => {
      const invitation = mediatedInvitation(
        `${juliet}/matrix` as FullJid,
        muc,
        "romeo@xmpp.test" as BareJid,
        reason,
      );
      const decline = declinedInvitation(juliet, muc, "romeo@xmpp.test" as BareJid, reason);
      for (const [stanza, name] of [
        [invitation, "invite"],
        [decline, "decline"],
      ] as const) {
        const element = parseStanza(serialize(stanza)).getChild("x", user)?.getChild(name);
        assert.equal(element?.attrs.to, "romeo@xmpp.test");
        assert.equal(element?.getChildText("reason"), xmlSafe(reason));
      }
    }),
  );
});

test("a refusal is read with its reason, and nothing else is one", () => {
  const decline = (child: ReturnType<typeof xml>) =>
    readDecline(xml("message", { from: muc, to: juliet }, xml("x", { xmlns: user }, child)));
  assert.deepEqual(decline(xml("decline", { from: "romeo@xmpp.test" }, xml("reason", {}, "Vowed"))), {
    from: "romeo@xmpp.test",
    reason: "Vowed",
  });
  assert.equal(decline(xml("decline", {})), undefined);
  assert.equal(decline(xml("invite", { from: "romeo@xmpp.test" })), undefined);
});
