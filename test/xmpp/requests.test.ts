import assert from "node:assert/strict";
import test from "node:test";
import { NoAnswerError } from "../../src/http/client.ts";
import { type IqAnswer, IqTimeoutError, RestError, type XmppClient } from "../../src/xmpp/client.ts";
import type { Jid } from "../../src/xmpp/jid.ts";
import { createIqRequests, maxOutstanding } from "../../src/xmpp/requests.ts";
import { type Element, parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";

const component = "bridge.xmpp.example";
const juliet = "juliet%hs.example@bridge.xmpp.example" as Jid;
const romeo = "romeo@xmpp.example/balcony" as Jid;
const ping = xml("ping", { xmlns: "urn:xmpp:ping" });
const empty: IqAnswer = { result: xml("iq", { type: "result" }), messages: [] };

function setUp(ask: XmppClient["ask"], lateMs = 5000) {
  let ids = 0;
  const newId = () => {
    ids += 1;
    return `id${ids}`;
  };
  return createIqRequests({ xmpp: { ask }, component, newId, lateMs });
}

/** Asks, and resolves as soon as the HTTP call has ended, so that only the callback can bring the answer. */
async function askedTooLong(error: Error = new IqTimeoutError(), lateMs?: number) {
  const requests = setUp(() => Promise.reject(error), lateMs);
  const answer = requests.request({ from: juliet, to: romeo, payload: ping });
  answer.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  return { ...requests, answer };
}

const late = (attrs: string, inner = "") => parseStanza(`<iq to='${juliet}' ${attrs}>${inner}</iq>`);

test("an IQ has its own ID, and a time limit of half a minute unless another is given", async () => {
  const asked: [string, number][] = [];
  const requests = setUp(async (iq, timeoutSeconds) => {
    asked.push([serialize(iq), timeoutSeconds]);
    return { result: iq, messages: [ping] };
  });
  await requests.request({ from: juliet, to: romeo, payload: ping });
  const payload = xml("query", { xmlns: "urn:xmpp:mam:2" });
  const all = await requests.requestAll({ from: juliet, to: romeo, type: "set", payload, timeoutSeconds: 5 });
  assert.deepEqual(asked, [
    [`<iq type="get" from="${juliet}" to="${romeo}" id="id1"><ping xmlns="urn:xmpp:ping"/></iq>`, 30],
    [`<iq type="set" from="${juliet}" to="${romeo}" id="id2"><query xmlns="urn:xmpp:mam:2"/></iq>`, 5],
  ]);
  assert.equal(serialize(all.result), asked[1]?.[0]);
  assert.deepEqual(all.messages, [ping]);
});

test("an answer through the callback is not held up by an HTTP call that goes on waiting for one", async () => {
  const call = Promise.withResolvers<IqAnswer>();
  const requests = setUp(() => call.promise);
  const answer = requests.request({ from: juliet, to: romeo, payload: ping });
  const refused = requests.request({ from: juliet, to: romeo, payload: ping });
  await new Promise((resolve) => setImmediate(resolve));
  requests.settle(late(`from='${romeo}' id='id1' type='result'`, "<pong/>"));
  const gone = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  requests.settle(late(`from='${romeo}' id='id2' type='error'`, gone));
  assert.ok((await answer).getChild("pong"));
  await assert.rejects(refused, { message: "refused with cancel/gone" });
  assert.equal(requests.outstanding(), 2);
  call.reject(new IqTimeoutError());
  await waitFor(() => requests.outstanding() === 0, "the calls to be over");
});

test("the messages of an archive are waited for, whatever comes through the callback", async () => {
  const call = Promise.withResolvers<IqAnswer>();
  const requests = setUp(() => call.promise);
  const answer = requests.requestAll({ from: juliet, to: romeo, payload: ping });
  requests.settle(late(`from='${romeo}' id='id1' type='result'`));
  call.resolve({ ...empty, messages: [ping] });
  assert.deepEqual((await answer).messages, [ping]);
});

test("no IQ goes to an address of the bridge or from one of others", async () => {
  const requests = setUp(() => Promise.reject(new Error("it was sent")));
  for (const [from, to] of [
    [juliet, component],
    [juliet, juliet],
    [component, juliet],
    [romeo, romeo],
  ] as [Jid, Jid][]) {
    await assert.rejects(
      requests.request({ from, to, payload: ping }),
      /from an address of the bridge to one of others/,
    );
  }
});

test("more IQs than Prosody should hold wait until others are answered", async () => {
  const open: (() => void)[] = [];
  const requests = setUp(
    () =>
      new Promise((resolve) => {
        open.push(() => resolve(empty));
      }),
  );
  const count = maxOutstanding + 5;
  const all = Array.from({ length: count }, () =>
    requests.request({ from: juliet, to: romeo, payload: ping }),
  );
  await waitFor(() => open.length === maxOutstanding, "the first to be sent");
  for (let done = 0; done < count; done += 1) (await waitFor(() => open[done], "the next to be sent"))();
  assert.equal((await Promise.all(all)).length, count);
});

test("a result that comes through the callback after the time limit is the answer", async () => {
  const { answer, settle } = await askedTooLong();
  const strangers = [
    "from='mercutio@xmpp.example' id='id1' type='result'",
    `from='${romeo}' id='id2' type='result'`,
  ];
  for (const stranger of strangers) settle(late(stranger));
  settle(late(`from='${romeo}' id='id1' type='result'`, "<x/>"));
  const result: Element = await answer;
  assert.equal(result.getChildElements()[0]?.name, "x");
  settle(late(`from='${romeo}' id='id1' type='result'`));
});

test("an error that comes through the callback after the time limit is the answer", async () => {
  const { answer, settle } = await askedTooLong();
  const gone = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  settle(late(`from='${romeo}' id='id1' type='error'`, gone));
  await assert.rejects(answer, { name: "StanzaRefusedError", message: "refused with cancel/gone" });
});

test("an IQ fails with what its HTTP call ended with: in the end, at a restart of Prosody, or at once", async () => {
  await assert.rejects((await askedTooLong(undefined, 1)).answer, { name: "IqTimeoutError" });
  const broken = await askedTooLong(new NoAnswerError("ECONNRESET", true, undefined));
  broken.abandon();
  await assert.rejects(broken.answer, { message: "no answer (ECONNRESET)" });
  const closed = await askedTooLong();
  closed.close();
  await assert.rejects(closed.answer, { name: "IqTimeoutError" });
  await assert.rejects(closed.request({ from: juliet, to: romeo, payload: ping }), {
    name: "IqTimeoutError",
  });
  const refused = await askedTooLong(new NoAnswerError("ECONNREFUSED", false, undefined));
  await assert.rejects(refused.answer, { message: "no answer (ECONNREFUSED)" });
  const conflict = await askedTooLong(new RestError(500, { condition: "conflict" }));
  await assert.rejects(conflict.answer, { message: "mod_rest answered 500: conflict" });
});
