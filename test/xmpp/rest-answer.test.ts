import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { readReason, readRestAnswer } from "../../src/xmpp/rest-answer.ts";
import { serialize } from "../../src/xmpp/stanza.ts";
import { handedOver2019, page, streamError } from "../support/recorded-answers.ts";

test("202 and an empty 200 are acceptance, whatever stands in the first", () => {
  for (const answer of [
    { status: 202, body: "" },
    { status: 202, body: "<message/>" },
    { status: 200, body: " \n" },
  ]) {
    assert.deepEqual(readRestAnswer(answer), { kind: "accepted" });
  }
});

test("one stanza, and several in a wrapper, are read in their order", () => {
  const read = (body: string) => {
    const answer = readRestAnswer({ status: 200, body });
    return answer.kind === "stanzas" ? answer.stanzas.map(serialize) : answer.kind;
  };
  assert.deepEqual(read("<iq to='bridge.xmpp.test' from='xmpp.test' id='p1' type='result'/>"), [
    '<iq to="bridge.xmpp.test" from="xmpp.test" id="p1" type="result"/>',
  ]);
  assert.deepEqual(
    read("<xmpp><message id='1'><result xmlns='urn:xmpp:mam:2'/></message><iq id='2'/></xmpp>"),
    ['<message id="1"><result xmlns="urn:xmpp:mam:2"/></message>', '<iq id="2"/>'],
  );
  for (const body of ["OK", "<xmpp/>", "<xmpp><iq/><p/></xmpp>", "<iq/><iq/>", "{}", "<!DOCTYPE iq><iq/>"]) {
    assert.equal(read(body), "unreadable", body);
  }
});

test("a page that is not Prosody's is a proxy's, whatever its status says", () => {
  const maintenance = "<!DOCTYPE html>\n<html><head><title>Down for maintenance</title></head></html>";
  const nginx = "<html>\r\n<head><title>400 Bad Request</title></head>\r\n</html>";
  const rows: [number, string, boolean, string | undefined][] = [
    [200, maintenance, true, "Down for maintenance"],
    [400, nginx, true, "Bad Request"],
    [400, page("400 Bad Request", "Oh no.", "Invalid destination JID"), false, "Invalid destination JID"],
    [400, streamError("bad-format", "XML parse error"), false, "XML parse error"],
    [400, "", false, undefined],
  ];
  for (const [status, body, isProxys, text] of rows) {
    const answer = readRestAnswer({ status, body });
    assert.deepEqual(answer, { kind: "refused", status, reason: readReason(body), isProxys });
    assert.equal(readReason(body).text, text);
  }
});

test("why mod_rest refuses is read out of XML, JSON and pages", () => {
  const evicted = { condition: "resource-constraint", text: "evicted from iq tracking cache" };
  const rows: [string, ReturnType<typeof readReason>][] = [
    [streamError("resource-constraint", "evicted from iq tracking cache"), evicted],
    [
      streamError("not-authorized", "Not authorized to send stanza with requested &apos;from&apos;"),
      { condition: "not-authorized", text: "Not authorized to send stanza with requested 'from'" },
    ],
    [streamError("bad-format"), { condition: "bad-format" }],
    [streamError(), {}],
    [
      '{"error":{"condition":"remote-server-timeout","text":"IQ stanza timed out","type":"wait"},"code":500,"type":"error"}',
      { condition: "remote-server-timeout", text: "IQ stanza timed out" },
    ],
    ['{"code":404,"type":"error"}', {}],
    [
      page(
        "415 Unsupported Media Type",
        "That&apos;s all I know.",
        "&apos;application/xmpp+xml&apos; expected",
      ),
      { text: "'application/xmpp+xml' expected" },
    ],
    [handedOver2019, { text: "Internal Server Error" }],
    ["<html><head><title>502 Bad Gateway</title></head></html>", { text: "Bad Gateway" }],
    ["upstream\n  is away", { text: "upstream is away" }],
    ["", {}],
    ["{", {}],
    ["<error", {}],
    [`<title>${"x".repeat(300)}</title>`, { text: "x".repeat(200) }],
  ];
  for (const [body, reason] of rows) assert.deepEqual(readReason(body), reason, body.slice(0, 80));
});

test("whatever a server answers is read without failing, and what comes of it is short", () => {
  const parts = [
    "<error",
    ">",
    "<text>",
    "</text>",
    '{"error":',
    "{",
    "}",
    '"text":',
    '"a"',
    "<title>",
    "<xmpp>",
    "<iq/>",
  ];
  const body = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...parts)).map((some) => some.join("")),
    fc.json(),
  );
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 599 }), body, (status, text) => {
      const answer = readRestAnswer({ status, body: text });
      if (answer.kind !== "refused") return;
      for (const value of Object.values(answer.reason)) assert.ok(value.length > 0 && value.length <= 200);
    }),
  );
});
