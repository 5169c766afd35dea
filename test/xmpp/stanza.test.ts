import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  copyOf,
  errorReply,
  parseStanza,
  readChild,
  readError,
  readText,
  StanzaSyntaxError,
  serialize,
  xml,
  xmlSafe,
} from "../../src/xmpp/stanza.ts";
import { wildTexts } from "../support/xml-text.ts";

const refusals: [why: string, text: string][] = [
  ["nothing at all", ""],
  ["plain text", "romeo"],
  ["an element that is no stanza", "<stream/>"],
  ["a name that every object inherits", "<constructor/>"],
  ["an end that is missing", "<message><body>"],
  ["ends that are crossed", "<message><a><b></a></b></message>"],
  ["a document type", '<!DOCTYPE a [<!ENTITY e "x">]><message><body>&e;</body></message>'],
  ["a comment", "<message><!-- x --></message>"],
  ["a processing instruction", "<message><?php x ?></message>"],
  ["an XML declaration", '<?xml version="1.0"?><message/>'],
  ["a stanza in the namespace of something else", "<message xmlns='urn:x'/>"],
];
for (const [why, text] of refusals) {
  test(`${why} is refused`, () => {
    assert.throws(() => parseStanza(text), StanzaSyntaxError);
  });
}

test("whatever comes in is a stanza or a StanzaSyntaxError", () => {
  const pieces = fc.constantFrom(
    "<message>",
    "</message>",
    "<iq ",
    "a='",
    "'",
    ">",
    "/>",
    "&",
    ";",
    "x",
    "<body>",
  );
  const texts = fc.oneof(
    wildTexts,
    fc.array(pieces).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        assert.ok(["message", "presence", "iq"].includes(parseStanza(text).name));
      } catch (error) {
        assert.ok(error instanceof StanzaSyntaxError);
      }
    }),
  );
});

test("any text survives writing and parsing, but for what XML cannot carry, which becomes U+FFFD", () => {
  fc.assert(
    fc.property(wildTexts, wildTexts, (body, id) => {
      const stanza = xml("message", { id }, xml("body", {}, body), xml("x", { xmlns: "urn:x", note: id }));
      const back = parseStanza(serialize(stanza));
      assert.equal(back.attrs.id, xmlSafe(id));
      assert.equal(readText(back, "body"), xmlSafe(body));
      assert.equal(readChild(back, "urn:x")?.attrs.note, xmlSafe(id));
      assert.deepEqual(
        back.getChildElements().map(({ name }) => name),
        ["body", "x"],
      );
    }),
  );
});

test("what XML can carry stays as it is, the rest and each lone surrogate becomes U+FFFD", () => {
  assert.equal(xmlSafe("\ta\nb\r😀\ue000\x7f<&"), "\ta\nb\r😀\ue000\x7f<&");
  assert.equal(xmlSafe("\0\x08\x0b\x1f\ufffe\uffff\ud800x\udc00"), `${"\ufffd".repeat(7)}x\ufffd`);
});

test("line ends and white space are kept where a parser would normalise them", () => {
  const text = serialize(xml("message", { id: "a\tb\nc\rd" }, xml("body", {}, "e\r\nf\tg")));
  assert.equal(text, '<message id="a&#9;b&#10;c&#13;d"><body>e&#13;\nf\tg</body></message>');
});

test("a stanza may name the namespace that its stream has", () => {
  for (const namespace of ["jabber:client", "jabber:component:accept"]) {
    assert.equal(parseStanza(`<message xmlns='${namespace}'><body>x</body></message>`).name, "message");
  }
});

test("markup in a body is text on the other side", () => {
  const body = "</body></message><message to='mercutio@xmpp.example'><body>&amp;";
  const text = serialize(xml("message", {}, xml("body", {}, body)));
  assert.equal(readText(parseStanza(text), "body"), body);
});

test("what comes before or behind a stanza makes the whole no stanza", () => {
  for (const text of [
    "<message id='1'/><message id='2'/>",
    "<message/>text",
    "text<message/>",
    "<message/></stanzas><stanzas>",
    "",
  ]) {
    assert.throws(() => parseStanza(text), StanzaSyntaxError, text);
  }
});

test("a body of a megabyte is read whole", () => {
  const body = "x<".repeat(500_000);
  assert.equal(readText(parseStanza(serialize(xml("message", {}, xml("body", {}, body)))), "body"), body);
});

test("the body without a language is chosen, else the first", () => {
  const both = parseStanza("<message><body xml:lang='it'>ciao</body><body>hello</body></message>");
  const tagged = parseStanza(
    "<message><body xml:lang='it'>ciao</body><body xml:lang='en'>hello</body></message>",
  );
  assert.equal(readText(both, "body"), "hello");
  assert.equal(readText(tagged, "body"), "ciao");
  assert.equal(readText(parseStanza("<message><body/></message>"), "body"), "");
  assert.equal(readText(parseStanza("<message/>"), "body"), undefined);
  assert.equal(readText(parseStanza("<message><body xmlns='urn:x'>no</body></message>"), "body"), undefined);
});

test("an error reply goes back to the sender under the same ID and can be read again", () => {
  const stanza = parseStanza(
    "<message from='romeo@xmpp.example/a' to='b@bridge.example' id='1'><body>x</body></message>",
  );
  const error = { type: "wait", condition: "resource-constraint", text: "Busy <now>." };
  const reply = parseStanza(serialize(errorReply(stanza, error)));
  assert.equal(reply.name, "message");
  assert.deepEqual(
    { ...reply.attrs },
    { type: "error", from: "b@bridge.example", to: "romeo@xmpp.example/a", id: "1" },
  );
  assert.deepEqual(readError(reply), error);
});

test("an error reply to a stanza without addresses has none either", () => {
  const reply = errorReply(parseStanza("<iq/>"), { type: "cancel", condition: "gone" });
  assert.equal(
    serialize(reply),
    '<iq type="error"><error type="cancel"><gone xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>',
  );
});

test("an error without a condition is an undefined one that cancels", () => {
  const expected = { type: "cancel", condition: "undefined-condition" };
  assert.deepEqual(readError(parseStanza("<message type='error'/>")), expected);
  assert.deepEqual(
    readError(parseStanza("<message><error><gone xmlns='urn:x'/></error></message>")),
    expected,
  );
});

test("what is added to the copy of a stanza is seen in it, and not in the stanza", () => {
  const stanza = parseStanza("<message><body>a<b/></body></message>");
  const copy = copyOf(stanza);
  copy.append(xml("gone", { xmlns: "urn:x" }));
  assert.equal(readChild(copy, "urn:x")?.name, "gone");
  assert.equal(serialize(copy), '<message><body>a<b/></body><gone xmlns="urn:x"/></message>');
  assert.equal(serialize(stanza), "<message><body>a<b/></body></message>");
});
