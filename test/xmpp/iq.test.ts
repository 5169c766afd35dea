import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { capabilities } from "../../src/xmpp/discovery.ts";
import { createIqAnswers, type IqDeps } from "../../src/xmpp/iq.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { errorReply, parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";

const bridge = "bridge.xmpp.example";
const juliet = "juliet%matrix.example@bridge.xmpp.example" as BareJid;

const searches: string[][] = [];
const photo = { type: "image/png", bytes: Buffer.from("picture") };

const deps: IqDeps = {
  version: "1.2.3",
  now: () => 90_500,
  startedAt: 30_000,
  contact: { admin: ["mailto:admin@hs.example", "xmpp:admin@xmpp.example"], abuse: [] },
  permits: (from) => !from.startsWith("mercutio@"),
  photoOf: async () => undefined,
  jidOfTyped: (text) => (text === "@juliet:matrix.example" ? juliet : undefined),
  async search(term, asker) {
    searches.push([term, asker]);
    return term === "too often" ? undefined : [{ jid: juliet, name: "Juliet <C>" }];
  },
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
};

/** The payload of the answer, whose envelope is asserted here. */
async function ask(
  to: string,
  payload: string,
  type = "get",
  { from = "romeo@xmpp.example/a", more = {} }: { from?: string; more?: Partial<IqDeps> } = {},
): Promise<string> {
  const request = parseStanza(`<iq type='${type}' from='${from}' to='${to}' id='q1'>${payload}</iq>`);
  const answer = await createIqAnswers({ ...deps, ...more })(request);
  const { attrs } = answer;
  assert.deepEqual({ ...attrs, type: undefined }, { from: to, to: from, id: "q1", type: undefined });
  assert.ok(attrs.type === "result" || attrs.type === "error");
  return serialize(answer).replace(/^<iq[^>]*>|<\/iq>$/g, "");
}

const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";
const failure = (type: string, condition: string, text?: string): string =>
  `<error type="${type}"><${condition} xmlns="${stanzas}"/>${text ? `<text xmlns="${stanzas}">${text}</text>` : ""}</error>`;
const featureList = (names: string[]): string => names.map((name) => `<feature var="${name}"/>`).join("");
const common = [
  "http://jabber.org/protocol/disco#info",
  "http://jabber.org/protocol/disco#items",
  "jabber:iq:last",
  "urn:xmpp:ping",
  "urn:xmpp:time",
  "vcard-temp",
  "jabber:iq:version",
];
const features = featureList([
  ...common,
  "urn:xmpp:chat-markers:0",
  "http://jabber.org/protocol/chatstates",
  "urn:xmpp:message-correct:0",
  "urn:xmpp:fallback:0",
  "urn:xmpp:sfs:0",
  "jabber:x:oob",
  "urn:xmpp:reactions:0",
  "urn:xmpp:receipts",
  "urn:xmpp:reply:0",
  "urn:xmpp:message-retract:1",
]);
const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const infoOf = (identity: string): string =>
  `<query xmlns="http://jabber.org/protocol/disco#info"><identity ${identity}/>${features}</query>`;

test("the bridge is a gateway to Matrix, a user an account, and their resource a client", async () => {
  assert.equal(
    await ask(bridge, info, "get", { more: { contact: undefined, features: ["urn:example:more"] } }),
    `<query xmlns="http://jabber.org/protocol/disco#info"><identity category="gateway" type="matrix" name="Causeway"/><identity category="conference" type="text" name="Matrix rooms"/>${featureList([...common, "jabber:iq:gateway", "http://jabber.org/protocol/muc", "http://jabber.org/protocol/rsm", "jabber:iq:search", "urn:example:more"])}</query>`,
  );
  const name = 'name="Juliet &lt;C&gt;"';
  assert.equal(await ask(juliet, info), infoOf(`category="account" type="registered" ${name}`));
  assert.equal(await ask(`${juliet}/matrix`, info), infoOf('category="client" type="web" name="Causeway"'));
});

test("what presence says that a client of a Matrix user can do is what it says when asked", async () => {
  const { node, ver, hash } = capabilities().attrs;
  const answer = await ask(
    `${juliet}/matrix`,
    `<query xmlns='http://jabber.org/protocol/disco#info' node='${node}#${ver}'/>`,
  );
  const query = parseStanza(`<message>${answer}</message>`).getChildElements()[0];
  assert.equal(query?.attrs.node, `${node}#${ver}`);
  const vars = (query?.getChildren("feature") ?? []).map(({ attrs }) => String(attrs.var));
  const { category, type, name } = query?.getChild("identity")?.attrs ?? {};
  // XEP-0115 §5.1.
  const text = [`${category}/${type}//${name}`, ...vars.toSorted(), ""].join("<");
  assert.deepEqual([hash, ver], ["sha-1", createHash("sha1").update(text).digest("base64")]);
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
  assert.equal(await ask(juliet, ping, "set"), failure("cancel", "not-allowed"));
  assert.equal(await ask(juliet, "<vCard xmlns='vcard-temp'/>", "set"), failure("cancel", "not-allowed"));
  assert.equal(await ask("nobody@bridge.xmpp.example", ping), unavailable);
  assert.equal(await ask(juliet, ""), failure("modify", "bad-request"));
  assert.equal(await ask(juliet, ping + ping), failure("modify", "bad-request"));
});

test("whom to turn to about the bridge is told with what it is, without purposes that have nobody", async () => {
  const told = await ask(bridge, info);
  const form = told.slice(told.indexOf("<x "), -"</query>".length);
  assert.equal(
    form,
    '<x xmlns="jabber:x:data" type="result"><field var="FORM_TYPE" type="hidden"><value>http://jabber.org/network/serverinfo</value></field><field var="admin-addresses" type="list-multi"><value>mailto:admin@hs.example</value><value>xmpp:admin@xmpp.example</value></field></x>',
  );
  assert.doesNotMatch(await ask(juliet, info), /<x /);
});

test("a picture is in the vCard where there is one", async () => {
  const card = await ask(juliet, "<vCard xmlns='vcard-temp'/>", "get", {
    more: { photoOf: async () => photo },
  });
  assert.match(card, /<PHOTO><TYPE>image\/png<\/TYPE><BINVAL>cGljdHVyZQ==<\/BINVAL><\/PHOTO>/);
});

const items = (node: string, inner = ""): string =>
  `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${node}'>${inner}</items></pubsub>`;
const held = (node: string, id: string, inner: string): string =>
  `<pubsub xmlns="http://jabber.org/protocol/pubsub"><items node="${node}"><item id="${id}">${inner}</item></items></pubsub>`;

test("clients that read names and pictures by personal eventing find them too", async () => {
  const more = { photoOf: async () => photo };
  const sha1 = createHash("sha1").update(photo.bytes).digest("hex");
  const [metadata, data] = ["urn:xmpp:avatar:metadata", "urn:xmpp:avatar:data"];
  assert.equal(
    await ask(juliet, items(metadata), "get", { more }),
    held(
      metadata,
      sha1,
      `<metadata xmlns="${metadata}"><info bytes="7" id="${sha1}" type="image/png"/></metadata>`,
    ),
  );
  const bytes = held(data, sha1, `<data xmlns="${data}">cGljdHVyZQ==</data>`);
  assert.equal(await ask(juliet, items(data, `<item id='${sha1}'/>`), "get", { more }), bytes);
  const nick = "http://jabber.org/protocol/nick";
  assert.equal(
    await ask(juliet, items(nick)),
    held(nick, "current", `<nick xmlns="${nick}">Juliet &lt;C&gt;</nick>`),
  );
  assert.equal(
    await ask(juliet, items("urn:xmpp:vcard4")),
    held(
      "urn:xmpp:vcard4",
      "current",
      '<vcard xmlns="urn:ietf:params:xml:ns:vcard-4.0"><fn><text>Juliet &lt;C&gt;</text></fn><nickname><text>Juliet &lt;C&gt;</text></nickname><url><uri>https://matrix.to/#/@juliet:matrix.example</uri></url></vcard>',
    ),
  );
});

test("where there is no picture, no such node or no person, personal eventing says so", async () => {
  const metadata = items("urn:xmpp:avatar:metadata");
  assert.equal(await ask(juliet, metadata), failure("cancel", "item-not-found"));
  assert.equal(
    await ask(juliet, items("urn:xmpp:avatar:data", "<item id='other'/>"), "get", {
      more: { photoOf: async () => photo },
    }),
    '<pubsub xmlns="http://jabber.org/protocol/pubsub"><items node="urn:xmpp:avatar:data"/></pubsub>',
  );
  for (const node of ["constructor", "urn:xmpp:omemo:2:devices"]) {
    assert.equal(await ask(juliet, items(node)), failure("cancel", "service-unavailable"));
  }
  assert.equal(await ask(bridge, metadata), failure("cancel", "service-unavailable"));
  assert.equal(await ask(juliet, metadata, "set"), failure("cancel", "not-allowed"));
});

test("a gateway prompt turns a Matrix ID into an address, and says so where it is none", async () => {
  const gateway = (inner: string) => `<query xmlns='jabber:iq:gateway'>${inner}</query>`;
  assert.match(
    await ask(bridge, gateway("")),
    /^<query xmlns="jabber:iq:gateway"><desc>[^<]+<\/desc><prompt>Matrix ID<\/prompt><\/query>$/,
  );
  assert.equal(
    await ask(bridge, gateway("<prompt> @juliet:matrix.example </prompt>"), "set"),
    `<query xmlns="jabber:iq:gateway"><jid>${juliet}</jid></query>`,
  );
  assert.equal(
    await ask(bridge, gateway("<prompt>???</prompt>"), "set"),
    failure("modify", "jid-malformed", "A Matrix ID looks like @alice:matrix.example."),
  );
  const nothing = failure("modify", "bad-request", "There is no prompt with a Matrix ID.");
  assert.equal(await ask(bridge, gateway(""), "set"), nothing);
  assert.equal(await ask(bridge, gateway("<prompt> </prompt>"), "set"), nothing);
  assert.equal(await ask(juliet, gateway("")), failure("cancel", "service-unavailable"));
});

const search = (inner: string) => `<query xmlns='jabber:iq:search'>${inner}</query>`;
const submitted = (value: string) =>
  search(
    `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>jabber:iq:search</value></field><field var='nick'><value>${value}</value></field></x>`,
  );

test("a search offers its field both ways, and answers in the way it was asked", async () => {
  const form = parseStanza(`<iq>${await ask(bridge, search(""))}</iq>`).getChild("query");
  assert.deepEqual(
    form?.getChildElements().map(({ name }) => name),
    ["instructions", "nick", "x"],
  );
  assert.deepEqual(
    form
      ?.getChild("x")
      ?.getChildren("field")
      .map(({ attrs }) => attrs.var),
    ["FORM_TYPE", "nick"],
  );
  assert.equal(
    await ask(bridge, search("<nick> jul </nick>"), "set"),
    `<query xmlns="jabber:iq:search"><item jid="${juliet}"><nick>Juliet &lt;C&gt;</nick></item></query>`,
  );
  assert.equal(
    await ask(bridge, submitted("jul"), "set"),
    `<query xmlns="jabber:iq:search"><x xmlns="jabber:x:data" type="result"><field var="FORM_TYPE" type="hidden"><value>jabber:iq:search</value></field><reported><field type="jid-single" var="jid" label="Address"/><field type="text-single" var="nick" label="Name"/></reported><item><field var="jid"><value>${juliet}</value></field><field var="nick"><value>Juliet &lt;C&gt;</value></field></item></x></query>`,
  );
  assert.deepEqual(searches.splice(0), [
    ["jul", "romeo@xmpp.example/a"],
    ["jul", "romeo@xmpp.example/a"],
  ]);
});

test("a search for nothing, one of a stranger and one too many are refused", async () => {
  for (const empty of [
    search(""),
    search("<nick/>"),
    submitted(""),
    search(`<nick>${"x".repeat(256)}</nick>`),
  ]) {
    assert.match(await ask(bridge, empty, "set"), /^<error type="modify"><not-acceptable /);
  }
  assert.match(
    await ask(bridge, search("<nick>too often</nick>"), "set"),
    /^<error type="wait"><resource-constraint /,
  );
  searches.splice(0);
  const stranger = { from: "mercutio@xmpp.example/a" };
  const forbidden = failure("auth", "forbidden", "You may not use this bridge.");
  assert.equal(await ask(bridge, search("<nick>jul</nick>"), "set", stranger), forbidden);
  assert.equal(await ask(bridge, "<query xmlns='jabber:iq:gateway'/>", "get", stranger), forbidden);
  assert.match(await ask(bridge, "<ping xmlns='urn:xmpp:ping'/>", "get", stranger), /^<ping /);
  assert.match(await ask(bridge, info, "get", stranger), /^<query /);
  assert.deepEqual(searches, []);
});

test("more kinds of question and nodes can be added for the bridge's own address", async () => {
  const more: Partial<IqDeps> = {
    handlers: {
      "urn:example:more do": async (request) => errorReply(request, { type: "wait", condition: "gone" }),
    },
    discover: (_request, kind, node) => (node === "known" ? [xml("item", { kind })] : undefined),
  };
  const doing = "<do xmlns='urn:example:more'/>";
  assert.equal(await ask(bridge, doing, "set", { more }), failure("wait", "gone"));
  assert.equal(await ask(juliet, doing, "set", { more }), failure("cancel", "service-unavailable"));
  const items = "http://jabber.org/protocol/disco#items";
  const node = (name: string) => `<query xmlns='${items}' node='${name}'/>`;
  assert.equal(
    await ask(bridge, node("known"), "get", { more }),
    `<query xmlns="${items}" node="known"><item kind="items"/></query>`,
  );
  assert.equal(await ask(bridge, node("other"), "get", { more }), failure("cancel", "item-not-found"));
  assert.equal(await ask(juliet, node("known"), "get", { more }), failure("cancel", "item-not-found"));
});
