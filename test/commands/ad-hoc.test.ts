import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAdHoc } from "../../src/commands/ad-hoc.ts";
import { createCommands } from "../../src/commands/commands.ts";
import { type Element, parseStanza, serialize } from "../../src/xmpp/stanza.ts";
import { createLogLines } from "../support/log-lines.ts";
import { waitFor } from "../support/wait-for.ts";
import { all, list, ringToken, romeo } from "./sample.ts";

const bridge = "bridge.xmpp.example";
const speech = { ...list, name: "speech", run: async () => ({ text: "But soft!\n\n```\nWhat light\n```" }) };
let finish = (): void => undefined;
const siege = {
  ...list,
  name: "siege",
  run: async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return { text: "Verona is taken." };
  },
};
const told: string[] = [];
const { log, lines } = createLogLines();
/** Whether what is told arrives. */
let isReached = true;
let answered = 0;
const adHoc = createAdHoc({
  commands: createCommands({ list: [...all, speech, siege], log: createLogLines().log }),
  async tell(jid, text) {
    if (!isReached) throw new Error("nobody is there");
    told.push(`${jid}: ${text}`);
  },
  log,
  patienceMs: 50,
  callerOf: (jid) => (jid.startsWith("tybalt@") ? undefined : romeo),
  mayAsk: async () => {
    answered += 1;
    return answered < 1000;
  },
  newId: () => "s1",
  sign: (text) => Buffer.from(text).toString("base64url"),
});

const iq = (payload: string, from = "romeo@xmpp.example/balcony", type = "set"): Element =>
  parseStanza(`<iq type='${type}' from='${from}' to='${bridge}' id='q1'>${payload}</iq>`);
const command = (attrs: string, inside = "") =>
  `<command xmlns='http://jabber.org/protocol/commands' ${attrs}>${inside}</command>`;
const submit = (...fields: [string, string][]) =>
  `<x xmlns='jabber:x:data' type='submit'>${fields
    .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join("")}</x>`;

/** The payload of the answer, whose envelope is asserted here. */
async function ask(payload: string, from?: string, type?: string): Promise<string> {
  const request = iq(payload, from, type);
  const { attrs, ...answer } = await adHoc.answer(request);
  const kind = attrs.type === "error" ? "error" : "result";
  assert.deepEqual(attrs, { type: kind, from: bridge, to: request.attrs.from, id: "q1" });
  return answer.children.map(String).join("");
}

const sessionOf = (answer: string): string => /sessionid="([^"]*)"/.exec(answer)?.[1] ?? "";
const refused = (type: string, condition: string, detail?: string) =>
  `<error type="${type}"><${condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>` +
  `${detail ? `<${detail} xmlns="http://jabber.org/protocol/commands"/>` : ""}</error>`;
const badRequest = (detail?: string) => refused("modify", "bad-request", detail);
const inSession = (node: string, status: string, session: string, inside: string) =>
  `<command xmlns="http://jabber.org/protocol/commands" node="${node}" sessionid="${session}" status="${status}">` +
  `${inside}</command>`;

test("a command without fields is done at once, and its answer is a note", async () => {
  const answer = await ask(command("node='list' action='execute'"));
  assert.equal(answer, inSession("list", "completed", sessionOf(answer), '<note type="info">list {}</note>'));
});

test("a command that takes long is answered at once, and what comes of it is a message", async () => {
  const answer = await ask(command("node='siege'"));
  assert.match(answer, /<note type="info">This takes a while; the outcome comes as a message\.<\/note>/);
  finish();
  await waitFor(() => told.length > 0, "the outcome");
  assert.deepEqual(told, ["romeo@xmpp.example/balcony: Verona is taken."]);
});

test("an outcome that was promised as a message and cannot be told is seen in the log", async () => {
  isReached = false;
  await ask(command("node='siege'"));
  finish();
  await waitFor(() => lines.length > 0, "a line");
  isReached = true;
  assert.deepEqual(lines, ["warn the outcome of a command was not told"]);
});

test("an answer of several lines is a note and a result, without fences", async () => {
  const answer = await ask(command("node='speech'"));
  assert.equal(
    answer,
    inSession(
      "speech",
      "completed",
      sessionOf(answer),
      '<note type="info">But soft!</note><x xmlns="jabber:x:data" type="result">' +
        '<field var="result" type="text-multi"><value>What light</value></field></x>',
    ),
  );
});

test("a command with fields shows a form, and runs once that is handed in", async () => {
  const form = await ask(command("node='ring-token'"));
  const session = sessionOf(form);
  assert.equal(
    form,
    inSession(
      "ring-token",
      "executing",
      session,
      '<actions execute="complete"><complete/></actions><x xmlns="jabber:x:data" type="form">' +
        "<title>ring token</title><instructions>The bridge does ring token.</instructions>" +
        '<field var="token" label="Access token" type="text-private"><required/></field></x>',
    ),
  );
  for (const action of ["", "action='execute'", "action='complete'"]) {
    const done = await ask(
      command(`node='ring-token' sessionid='${session}' ${action}`, submit(["token", "syt_1"])),
    );
    const note = '<note type="info">ring token {"token":"syt_1"}</note>';
    assert.equal(done.replaceAll("&quot;", '"'), inSession("ring-token", "completed", session, note));
  }
});

test("a form that lacks what is required comes back with what was given, secrets left out", async () => {
  const session = sessionOf(await ask(command("node='woo'")));
  const again = await ask(command(`node='woo' sessionid='${session}'`, submit(["words", "O she"])));
  assert.equal(
    again,
    inSession(
      "woo",
      "executing",
      session,
      '<actions execute="complete"><complete/></actions><note type="error">Missing: Address</note>' +
        '<x xmlns="jabber:x:data" type="form"><title>woo</title><instructions>The bridge does woo.</instructions>' +
        '<field var="address" label="Address" type="text-single"><required/></field>' +
        '<field var="words" label="Words" type="text-single"><value>O she</value></field></x>',
    ),
  );
});

test("a command that fails is completed with a note of type error", async () => {
  const answer = await ask(command("node='stumble'"));
  const note = '<note type="error">The bridge could not do this now; try again later.</note>';
  assert.equal(answer, inSession("stumble", "completed", sessionOf(answer), note));
});

test("a command can be cancelled", async () => {
  const session = sessionOf(await ask(command("node='ring'")));
  const answer = await ask(command(`node='ring' sessionid='${session}' action='cancel'`));
  assert.equal(answer, inSession("ring", "canceled", session, "").replace("></command>", "/>"));
});

test("a client that cancels the form has not given the command", async () => {
  const session = sessionOf(await ask(command("node='ring-off'")));
  const form = "<x xmlns='jabber:x:data' type='cancel'/>";
  const answer = await ask(command(`node='ring-off' sessionid='${session}' action='complete'`, form));
  assert.equal(answer, inSession("ring-off", "canceled", session, "").replace("></command>", "/>"));
});

test("what makes no sense is refused with the condition that XEP-0050 has for it", async () => {
  const session = sessionOf(await ask(command("node='ring'")));
  const of = (attrs: string, inside?: string) => ask(command(attrs, inside));
  assert.equal(await of("node='fly'"), refused("cancel", "item-not-found"));
  assert.equal(await of(""), refused("cancel", "item-not-found"));
  assert.equal(await of("node='banish'"), refused("cancel", "item-not-found"));
  assert.equal(await of("node='list' action='leap'"), badRequest("malformed-action"));
  assert.equal(await of("node='list' action='cancel'"), badRequest("bad-action"));
  assert.equal(await of(`node='ring' sessionid='${session}' action='prev'`), badRequest("bad-action"));
  assert.equal(await of("node='ring' sessionid='guess'", submit()), badRequest("bad-sessionid"));
  assert.equal(await of(`node='ring' sessionid='${session}'`), badRequest("bad-payload"));
  assert.equal(await ask(command("node='list'"), undefined, "get"), badRequest());
});

test("a session is its requester's and its command's alone", async () => {
  const session = sessionOf(await ask(command("node='ring'")));
  const stolen = command(`node='ring' sessionid='${session}'`, submit(["address", "x"]));
  assert.equal(await ask(stolen, "mercutio@xmpp.example/street"), badRequest("bad-sessionid"));
  const other = command(`node='woo' sessionid='${session}'`, submit(["address", "x"]));
  assert.equal(await ask(other), badRequest("bad-sessionid"));
});

test("who may not use the bridge gets no command and sees none", async () => {
  const tybalt = "tybalt@xmpp.example/street";
  assert.equal(await ask(command("node='list'"), tybalt), refused("auth", "forbidden"));
  assert.deepEqual(adHoc.discover(iq("<a/>", tybalt), "items", "http://jabber.org/protocol/commands"), []);
});

test("service discovery lists the commands that one may give, and knows each", () => {
  const discover = (kind: "info" | "items", node: string) =>
    adHoc.discover(iq("<a/>"), kind, node)?.map(serialize);
  const item = (node: string, name = node) => `<item jid="${bridge}" node="${node}" name="${name}"/>`;
  assert.deepEqual(discover("items", "http://jabber.org/protocol/commands"), [
    item("ring"),
    item("ring-off", "ring off"),
    item("ring-token", "ring token"),
    item("woo"),
    item("list"),
    item("stumble"),
    item("speech"),
    item("siege"),
  ]);
  assert.deepEqual(discover("info", "http://jabber.org/protocol/commands"), [
    '<identity category="automation" type="command-list" name="Commands"/>',
  ]);
  assert.deepEqual(discover("info", "ring-token"), [
    `<identity category="automation" type="command-node" name="${ringToken.name}"/>`,
    '<feature var="http://jabber.org/protocol/commands"/>',
    '<feature var="jabber:x:data"/>',
  ]);
  assert.deepEqual(discover("items", "ring-token"), []);
  assert.equal(discover("info", "banish"), undefined);
  assert.equal(discover("info", "__proto__"), undefined);
});

test("whatever a form holds, the answer is one of those that are declared", async () => {
  const text = fc.stringMatching(/^[a-z_]{0,12}$/);
  const session = sessionOf(await ask(command("node='woo'")));
  await fc.assert(
    fc.asyncProperty(text, text, text, async (action, name, value) => {
      const attrs = `node='woo' sessionid='${session}' action='${action}'`;
      const answer = await ask(command(attrs, submit([name, value], ["__proto__", value])));
      assert.match(answer, /^<(command|error) /);
    }),
    { numRuns: 50 },
  );
});
