import assert from "node:assert/strict";
import test from "node:test";
import { createIqAnswers } from "../../src/xmpp/iq.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { parseStanza, serialize } from "../../src/xmpp/stanza.ts";

const bridge = "bridge.xmpp.example";
const juliet = "juliet%matrix.example@bridge.xmpp.example" as BareJid;

const answerIq = createIqAnswers({
  version: "1.2.3",
  now: () => 90_500,
  startedAt: 30_000,
  async lookUp(to) {
    if (to === bridge) return { kind: "bridge" };
    if (to.split("/")[0] !== juliet) return undefined;
    return {
      kind: "user",
      jid: juliet,
      name: "Juliet <C>",
      uri: "https://matrix.to/#/@juliet:matrix.example",
    };
  },
});

/** The payload of the answer, whose envelope is asserted here. */
async function ask(to: string, payload: string, type = "get"): Promise<string> {
  const request = parseStanza(
    `<iq type='${type}' from='romeo@xmpp.example/a' to='${to}' id='q1'>${payload}</iq>`,
  );
  const answer = await answerIq(request);
  const { attrs } = answer;
  assert.deepEqual(
    { ...attrs, type: undefined },
    { from: to, to: "romeo@xmpp.example/a", id: "q1", type: undefined },
  );
  assert.ok(attrs.type === "result" || attrs.type === "error");
  return serialize(answer).replace(/^<iq[^>]*>|<\/iq>$/g, "");
}

const failure = (type: string, condition: string): string =>
  `<error type="${type}"><${condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error>`;
const features = [
  "http://jabber.org/protocol/disco#info",
  "http://jabber.org/protocol/disco#items",
  "jabber:iq:last",
  "urn:xmpp:ping",
  "urn:xmpp:time",
  "vcard-temp",
  "jabber:iq:version",
]
  .map((feature) => `<feature var="${feature}"/>`)
  .join("");
const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const infoOf = (identity: string): string =>
  `<query xmlns="http://jabber.org/protocol/disco#info"><identity ${identity}/>${features}</query>`;

test("the bridge is a gateway to Matrix, a user an account, and their resource a client", async () => {
  assert.equal(await ask(bridge, info), infoOf('category="gateway" type="matrix" name="Causeway"'));
  const name = 'name="Juliet &lt;C&gt;"';
  assert.equal(await ask(juliet, info), infoOf(`category="account" type="registered" ${name}`));
  assert.equal(await ask(`${juliet}/matrix`, info), infoOf(`category="client" type="web" ${name}`));
});

test("there are no items, and a node that nobody offers is not found", async () => {
  const items = "http://jabber.org/protocol/disco#items";
  assert.equal(await ask(bridge, `<query xmlns='${items}'/>`), `<query xmlns="${items}"/>`);
  const node = "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>";
  assert.equal(await ask(bridge, node), failure("cancel", "item-not-found"));
});

test("ping, version, time and last activity are answered", async () => {
  assert.equal(await ask(juliet, "<ping xmlns='urn:xmpp:ping'/>"), '<ping xmlns="urn:xmpp:ping"/>');
  assert.equal(
    await ask(bridge, "<query xmlns='jabber:iq:version'/>"),
    '<query xmlns="jabber:iq:version"><name>Causeway</name><version>1.2.3</version></query>',
  );
  assert.equal(
    await ask(bridge, "<time xmlns='urn:xmpp:time'/>"),
    '<time xmlns="urn:xmpp:time"><tzo>+00:00</tzo><utc>1970-01-01T00:01:30.500Z</utc></time>',
  );
  const last = "<query xmlns='jabber:iq:last'/>";
  assert.equal(await ask(bridge, last), '<query xmlns="jabber:iq:last" seconds="60"/>');
  assert.equal(await ask(juliet, last), '<query xmlns="jabber:iq:last" seconds="0"/>');
});

test("a vCard says who a user is on Matrix", async () => {
  const card = "<vCard xmlns='vcard-temp'/>";
  assert.equal(
    await ask(juliet, card),
    `<vCard xmlns="vcard-temp"><FN>Juliet &lt;C&gt;</FN><NICKNAME>Juliet &lt;C&gt;</NICKNAME><JABBERID>${juliet}</JABBERID><URL>https://matrix.to/#/@juliet:matrix.example</URL></vCard>`,
  );
  assert.match(await ask(bridge, card), /<FN>Causeway<\/FN>/);
});

test("whatever else is asked gets an error, so that nobody waits for an answer", async () => {
  const ping = "<ping xmlns='urn:xmpp:ping'/>";
  const unavailable = failure("cancel", "service-unavailable");
  assert.equal(await ask(juliet, "<query xmlns='jabber:iq:private'/>"), unavailable);
  assert.equal(await ask(juliet, ping, "set"), unavailable);
  assert.equal(await ask("nobody@bridge.xmpp.example", ping), unavailable);
  assert.equal(await ask(juliet, ""), failure("modify", "bad-request"));
  assert.equal(await ask(juliet, ping + ping), failure("modify", "bad-request"));
});
