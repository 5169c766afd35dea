import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  archiveEnd,
  archiveForm,
  archiveIdOf,
  archiveMetadata,
  archiveResult,
  eventOfArchiveId,
  readArchiveQuery,
} from "../../src/mapping/hosted-archive.ts";
import type { EventId } from "../../src/matrix/ids.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { parseElement } from "../../src/xmpp/stanza.ts";
import { wildTexts } from "../support/xml-text.ts";

const query = (inner: string, attributes = ""): ReturnType<typeof readArchiveQuery> =>
  readArchiveQuery(parseElement(`<query xmlns='urn:xmpp:mam:2' ${attributes}>${inner}</query>`));
const form = (fields: Record<string, string | string[]>, type = "urn:xmpp:mam:2"): string => {
  const all = Object.entries({ FORM_TYPE: type, ...fields }).map(
    ([name, values]) =>
      `<field var='${name}'>${[values]
        .flat()
        .map((value) => `<value>${value}</value>`)
        .join("")}</field>`,
  );
  return `<x xmlns='jabber:x:data' type='submit'>${all.join("")}</x>`;
};
const page = (inner: string): string => `<set xmlns='http://jabber.org/protocol/rsm'>${inner}</set>`;
const nothing = {
  queryId: undefined,
  start: undefined,
  end: undefined,
  with: undefined,
  after: undefined,
  before: undefined,
  ids: undefined,
  max: 50,
  isFromEnd: false,
  isFlipped: false,
};

test("a query that says nothing asks for the first page of all", () => {
  assert.deepEqual(query(""), nothing);
});

test("everything that a query may say is read", () => {
  const fields = form({
    start: "2026-01-01T00:00:00Z",
    end: "2026-01-02T00:00:00.5Z",
    with: "cafe@bridge.xmpp.test/Juliet",
    "after-id": "$first",
    "before-id": "$last#2",
  });
  assert.deepEqual(query(`${fields}${page("<max>7</max>")}<flip-page/>`, "queryid='q1'"), {
    ...nothing,
    queryId: "q1",
    start: Date.parse("2026-01-01T00:00:00Z"),
    end: Date.parse("2026-01-02T00:00:00.5Z"),
    with: "cafe@bridge.xmpp.test/Juliet",
    after: "$first",
    before: "$last",
    max: 7,
    isFlipped: true,
  });
  assert.deepEqual(query(form({ ids: ["$one", "$two#1"] })), { ...nothing, ids: ["$one", "$two"] });
});

test("the last page is asked for by an empty before, a page before or after a message by its ID", () => {
  assert.deepEqual(query(page("<max>5</max><before/>")), { ...nothing, max: 5, isFromEnd: true });
  assert.deepEqual(query(page("<before>$x</before>")), { ...nothing, before: "$x", isFromEnd: true });
  assert.deepEqual(query(page("<after>$x</after>")), { ...nothing, after: "$x" });
});

test("nobody gets more than a hundred results at once", () => {
  assert.deepEqual(query(page("<max>5000</max>")), { ...nothing, max: 100 });
});

test("a query that is none is refused as the specification says", () => {
  const conditionOf = (inner: string): unknown => {
    const read = query(inner);
    return "condition" in read ? read.condition : read;
  };
  assert.equal(conditionOf(form({ start: "yesterday" })), "bad-request");
  assert.equal(conditionOf(form({ end: "2026-01-01" })), "bad-request");
  assert.equal(conditionOf(form({ with: "@" })), "bad-request");
  assert.equal(conditionOf(form({ color: "red" })), "feature-not-implemented");
  assert.equal(conditionOf(form({}, "urn:xmpp:mam:1")), "bad-request");
  assert.equal(conditionOf(form({ "after-id": "no event" })), "item-not-found");
  assert.equal(conditionOf(page("<after>28482-98726-73623</after>")), "item-not-found");
  assert.equal(conditionOf(form({ ids: ["$a", "b"] })), "item-not-found");
  assert.equal(conditionOf(form({ ids: Array.from({ length: 101 }, (_, n) => `$${n}`) })), "bad-request");
});

test("reading a query never throws, whatever it holds", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("start", "with", "ids", "x", "__proto__"), wildTexts),
      (fields) => {
        const element = parseElement("<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data'/></query>");
        for (const [name, value] of Object.entries(fields)) {
          element.getChild("x")?.c("field", { var: name }).c("value").t(value);
        }
        assert.ok(readArchiveQuery(element));
      },
    ),
  );
});

test("the ID of each message of an event leads back to the event", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\$[A-Za-z0-9_-]{1,43}$/), fc.nat(99), (eventId, part) => {
      assert.equal(eventOfArchiveId(archiveIdOf(eventId as EventId, part)), eventId);
    }),
  );
});

test("a result carries the message with its ID and time", () => {
  const message = parseElement(
    "<message from='cafe@bridge.xmpp.test/Juliet' type='groupchat'><body>Ay me!</body></message>",
  );
  const result = archiveResult(
    { id: "$said", at: Date.parse("2026-01-01T00:00:00Z"), message },
    { from: "cafe@bridge.xmpp.test" as BareJid, to: "romeo@xmpp.test/phone" as FullJid, id: "m1" },
    "q1",
  );
  assert.equal(
    result.toString(),
    '<message from="cafe@bridge.xmpp.test" to="romeo@xmpp.test/phone" id="m1">' +
      '<result xmlns="urn:xmpp:mam:2" id="$said" queryid="q1"><forwarded xmlns="urn:xmpp:forward:0">' +
      '<delay xmlns="urn:xmpp:delay" stamp="2026-01-01T00:00:00.000Z"/>' +
      '<message from="cafe@bridge.xmpp.test/Juliet" type="groupchat" xmlns="jabber:client"><body>Ay me!</body></message>' +
      "</forwarded></result></message>",
  );
});

test("the end says where the page began and ended, and whether it was the last one", () => {
  const set = (inner: string): string => `<set xmlns="http://jabber.org/protocol/rsm">${inner}</set>`;
  assert.equal(
    archiveEnd(true, { first: "$a", last: "$b" }).toString(),
    `<fin xmlns="urn:xmpp:mam:2" complete="true">${set("<first>$a</first><last>$b</last>")}</fin>`,
  );
  assert.equal(
    archiveEnd(false, {}).toString(),
    `<fin xmlns="urn:xmpp:mam:2"><set xmlns="http://jabber.org/protocol/rsm"/></fin>`,
  );
});

test("metadata name the first and the last message, or nothing", () => {
  assert.equal(archiveMetadata().toString(), '<metadata xmlns="urn:xmpp:mam:2"/>');
  const ends = { start: { id: "$a", at: 0 }, end: { id: "$b", at: 1000 } };
  assert.equal(
    archiveMetadata(ends).toString(),
    '<metadata xmlns="urn:xmpp:mam:2"><start id="$a" timestamp="1970-01-01T00:00:00.000Z"/>' +
      '<end id="$b" timestamp="1970-01-01T00:00:01.000Z"/></metadata>',
  );
});

test("the form tells which fields there are, and that any ID may be asked for", () => {
  const fields = archiveForm().getChild("x")?.getChildren("field") ?? [];
  assert.deepEqual(
    fields.map(({ attrs }) => [attrs.var, attrs.type]),
    [
      ["FORM_TYPE", "hidden"],
      ["with", "jid-single"],
      ["start", "text-single"],
      ["end", "text-single"],
      ["before-id", "text-single"],
      ["after-id", "text-single"],
      ["ids", "list-multi"],
    ],
  );
  assert.ok(fields.at(-1)?.getChild("validate")?.getChild("open"));
});
