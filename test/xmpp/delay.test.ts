import assert from "node:assert/strict";
import { test } from "node:test";
import { sentAtOf, withDelay } from "../../src/xmpp/delay.ts";
import { parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const minute = 60_000;
const sentAt = (delays: string, acceptedAt?: number) =>
  sentAtOf(parseStanza(`<message from='romeo@xmpp.example/x'>${delays}</message>`), acceptedAt, now);
const delay = (stamp: string, from = "xmpp.example") =>
  `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='${stamp}'/>`;

test("a stanza was sent when its sender or the sender's server says, at the earliest of those times", () => {
  const [ten, eleven] = ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"];
  assert.equal(sentAt(delay(ten)), Date.parse(ten));
  assert.equal(sentAt(delay("2026-01-01T11:00:00+01:00", "romeo@xmpp.example")), Date.parse(ten));
  assert.equal(sentAt(`<delay xmlns='urn:xmpp:delay' stamp='${ten}'/>`), Date.parse(ten));
  assert.equal(sentAt(delay(eleven) + delay(ten)), Date.parse(ten));
});

test("others, times that are none and times to come have no say", () => {
  assert.equal(sentAt(delay("2026-01-01T10:00:00Z", "mercutio@xmpp.example")), undefined);
  assert.equal(sentAt(delay("2026-01-01T10:00:00Z", "muc.xmpp.example")), undefined);
  for (const stamp of [
    "",
    "yesterday",
    "2026",
    "2026-13-01T10:00:00Z",
    "1776-07-04T02:56:15Z",
    "2027-01-01T00:00:00Z",
  ]) {
    assert.equal(sentAt(delay(stamp)), undefined, stamp);
  }
  assert.equal(sentAt("<delay stamp='2026-01-01T10:00:00Z'/>"), undefined);
});

test("what the bridge could not deliver for long was sent when it came", () => {
  assert.equal(sentAt("", now - minute), undefined);
  assert.equal(sentAt("", now - 5 * minute), now - 5 * minute);
  assert.equal(sentAt(delay("2026-01-01T10:00:00Z"), now - 5 * minute), Date.parse("2026-01-01T10:00:00Z"));
});

test("a message says when it was written where that was five minutes ago or longer", () => {
  const stanza = () => xml("message", { from: "juliet%hs.example@bridge.xmpp.example" });
  const plain = serialize(stanza());
  assert.equal(serialize(withDelay(stanza(), now - 5 * minute + 1, now)), plain);
  assert.equal(serialize(withDelay(stanza(), 0, now)), plain);
  assert.equal(
    serialize(withDelay(stanza(), now - 5 * minute, now)),
    plain.replace(
      "/>",
      '><delay xmlns="urn:xmpp:delay" from="bridge.xmpp.example" stamp="2026-01-01T11:55:00.000Z"/></message>',
    ),
  );
});
