import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { archiveQuery, queryIdOf, readArchived, readArchivePage } from "../../src/mapping/archives.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../src/xmpp/stanza.ts";

const muc = "verona@conference.xmpp.test" as BareJid;
const bot = "bridge.xmpp.test/causeway" as FullJid;

const carrier = (inner: string, { from = muc as string, id = "7" } = {}) =>
  parseStanza(
    `<message from='${from}' to='${bot}'><result xmlns='urn:xmpp:mam:2' queryid='q' id='${id}'>` +
      `<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z'/>${inner}` +
      "</forwarded></result></message>",
  );
const messageOf = (inner: string, more = {}) => {
  const archived = readArchived(carrier(inner, more), muc, bot);
  return archived?.message && serialize(archived.message);
};

test("an archived message is as the room gave it out, with its place in the archive and its time", () => {
  const inner =
    `<message xmlns='jabber:client' type='groupchat' from='${muc}/Romeo' id='m1' to='somebody'>` +
    `<body>But soft</body><stanza-id xmlns='urn:xmpp:sid:0' by='${muc}' id='forged'/>` +
    "<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='3'/>" +
    "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='r'/></message>";
  assert.equal(
    messageOf(inner),
    `<message type="groupchat" from="${muc}/Romeo" id="m1" to="${bot}"><body>But soft</body>` +
      '<stanza-id xmlns="urn:xmpp:sid:0" by="elsewhere.example" id="3"/>' +
      '<occupant-id xmlns="urn:xmpp:occupant-id:0" id="r"/>' +
      `<stanza-id xmlns="urn:xmpp:sid:0" by="${muc}" id="7"/>` +
      `<delay xmlns="urn:xmpp:delay" from="${muc}" stamp="2026-01-02T03:04:05Z"/></message>`,
  );
});

test("of several addresses in an archived message only the archive's own is kept, which is the last", () => {
  const x = (jid: string) => `<x xmlns="http://jabber.org/protocol/muc#user"><item jid="${jid}"/></x>`;
  const from = `type='groupchat' from='${muc}/Mercutio'`;
  assert.equal(
    messageOf(`<message ${from}>${x("romeo@xmpp.test")}<body>I</body>${x("mercutio@xmpp.test")}</message>`),
    `<message type="groupchat" from="${muc}/Mercutio" to="${bot}"><body>I</body>${x("mercutio@xmpp.test")}` +
      `<stanza-id xmlns="urn:xmpp:sid:0" by="${muc}" id="7"/>` +
      `<delay xmlns="urn:xmpp:delay" from="${muc}" stamp="2026-01-02T03:04:05Z"/></message>`,
  );
});

for (const [title, inner, more] of [
  [
    "of another room",
    `<message type='groupchat' from='other@conference.xmpp.test/Romeo'><body>x</body></message>`,
  ],
  ["that is private", `<message type='chat' from='${muc}/Romeo'><body>x</body></message>`],
  ["without a sender", "<message type='groupchat'><body>x</body></message>"],
  ["that is none", "<presence/>"],
  [
    "from somebody who is not the archive",
    `<message type='groupchat' from='${muc}/Romeo'><body>x</body></message>`,
    { from: `${muc}/Mercutio` },
  ],
] as const) {
  test(`a message ${title} is not taken from an archive`, () => {
    assert.equal(messageOf(inner, more), undefined);
  });
}

test("a query asks for what comes after a message, from a time on, or for the newest", () => {
  assert.equal(
    serialize(archiveQuery("q", { after: "7", max: 50 })),
    '<query xmlns="urn:xmpp:mam:2" queryid="q"><set xmlns="http://jabber.org/protocol/rsm"><max>50</max><after>7</after></set></query>',
  );
  assert.equal(
    serialize(archiveQuery("q", { before: "", max: 1 })),
    '<query xmlns="urn:xmpp:mam:2" queryid="q"><set xmlns="http://jabber.org/protocol/rsm"><max>1</max><before/></set></query>',
  );
  assert.equal(
    serialize(archiveQuery("q", { since: "2026-01-02T03:04:05.000Z", max: 50 })),
    '<query xmlns="urn:xmpp:mam:2" queryid="q"><x xmlns="jabber:x:data" type="submit">' +
      '<field var="FORM_TYPE" type="hidden"><value>urn:xmpp:mam:2</value></field>' +
      '<field var="start"><value>2026-01-02T03:04:05.000Z</value></field></x>' +
      '<set xmlns="http://jabber.org/protocol/rsm"><max>50</max></set></query>',
  );
});

test("a page says where it begins and ends, and whether it is the last", () => {
  const fin = (attrs: string, set: string) =>
    readArchivePage(
      parseStanza(
        `<iq type='result'><fin xmlns='urn:xmpp:mam:2'${attrs}><set xmlns='http://jabber.org/protocol/rsm'>${set}</set></fin></iq>`,
      ),
    );
  assert.deepEqual(fin("", "<first>1</first><last>9</last>"), { first: "1", last: "9", isComplete: false });
  assert.deepEqual(fin(" complete='true'", ""), { first: undefined, last: undefined, isComplete: true });
});

test("whatever a message carries, it is read or is no result", () => {
  const text = fc.oneof(fc.constantFrom(muc, `${muc}/Romeo`, "", "a@b/c", "__proto__"), fc.string());
  fc.assert(
    fc.property(text, text, text, fc.constantFrom("groupchat", "chat", "error"), (from, id, sender, type) => {
      const stanza = carrier("<message/>", {});
      stanza.attrs.from = from;
      const result = stanza.getChild("result");
      Object.assign(result?.attrs ?? {}, { id });
      Object.assign(result?.getChild("forwarded")?.getChild("message")?.attrs ?? {}, { from: sender, type });
      const archived = readArchived(stanza, muc, bot);
      assert.equal(archived !== undefined, from === muc && id !== "");
      if (archived?.message) assert.ok(sender.startsWith(muc) && type === "groupchat");
      assert.equal(queryIdOf(stanza), "q");
    }),
  );
});
