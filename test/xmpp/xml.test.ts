import assert from "node:assert/strict";
import test from "node:test";
import { Element } from "@xmpp/xml";
import fc from "fast-check";
import { xml, xmlSafe } from "../../src/xmpp/stanza.ts";
import { parseXml } from "../../src/xmpp/xml.ts";
import { wildTexts } from "../support/xml-text.ts";

const refusals: [why: string, text: string][] = [
  ["nothing at all", ""],
  ["white space", " \n"],
  ["plain text", "romeo"],
  ["a document type", "<!DOCTYPE a><a/>"],
  ["a document type that declares an entity", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'],
  ["entities that grow", '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><a>&b;</a>'],
  ["an external entity", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'],
  ["a document type inside", "<a><!DOCTYPE a></a>"],
  ["a comment", "<a><!-- x --></a>"],
  ["a comment before the element", "<!-- x --><a/>"],
  ["a comment behind the element", "<a/><!-- x -->"],
  ["a processing instruction", "<a><?php x ?></a>"],
  ["a processing instruction behind the element", "<a/><?x?>"],
  ["an XML declaration", '<?xml version="1.0"?><a/>'],
  ["an XML declaration inside", '<a><?xml version="1.0"?></a>'],
  ["an entity that is not predefined", "<a>&nbsp;</a>"],
  ["an entity that every object inherits", "<a>&constructor;</a>"],
  ["an entity in an attribute that is not predefined", "<a b='&eacute;'/>"],
  ["an ampersand by itself", "<a>a & b</a>"],
  ["an entity without an end", "<a>&amp</a>"],
  ["a reference to a character that XML cannot carry", "<a>&#0;</a>"],
  ["a reference to a surrogate", "<a>&#xD800;</a>"],
  ["a reference beyond Unicode", "<a>&#x110000;</a>"],
  ["an empty reference", "<a>&#;</a>"],
  ["a control character", "<a>\u0001</a>"],
  ["a lone surrogate", "<a>\ud800</a>"],
  ["an end that is missing", "<a><b></b>"],
  ["an end without a start", "</a>"],
  ["an end too many", "<a/></a>"],
  ["an end too many inside", "<a></b></a>"],
  ["an end in another case", "<a></A>"],
  ["an end with an attribute", "<a></a b='c'>"],
  ["ends that are crossed", "<a><b><c></b></c></a>"],
  ["a tag without an end", "<a"],
  ["a tag inside of a tag", "<a <b/>>"],
  ["a tag without a name", "<></>"],
  ["a name that begins with a digit", "<1/>"],
  ["two elements", "<a/><b/>"],
  ["text behind the element", "<a/>x"],
  ["text before the element", "x<a/>"],
  ["the end of a CDATA section in text", "<a>]]></a>"],
  ["a CDATA section without an end", "<a><![CDATA[x</a>"],
  ["a CDATA section behind the element", "<a/><![CDATA[x]]>"],
  ["two attributes of one name", "<a b='1' b='2'/>"],
  ["two attributes of one name by two prefixes", "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>"],
  ["an attribute without a value", "<a b/>"],
  ["an attribute without quotes", "<a b=c/>"],
  ["an attribute whose quote does not end", "<a b='c/>"],
  ["attributes without white space between them", "<a b='1'c='2'/>"],
  ["markup in an attribute", "<a b='<'/>"],
  ["an element whose prefix is not declared", "<p:a/>"],
  ["an attribute whose prefix is not declared", "<a p:b='c'/>"],
  ["a prefix that is declared only inside", "<p:a><b xmlns:p='u'/></p:a>"],
  ["a prefix that is taken back", "<a xmlns:p='u'><b xmlns:p=''/></a>"],
  ["the prefix xmlns for an element", "<xmlns:a/>"],
  ["another namespace for the prefix xml", "<a xmlns:xml='u'/>"],
  ["two colons in a name", "<a xmlns:p='u'><p:b:c/></a>"],
];
for (const [why, text] of refusals) {
  test(`${why} is refused`, () => {
    assert.throws(() => parseXml(text), Error);
  });
}

const deep = (levels: number): string => "<a>".repeat(levels) + "</a>".repeat(levels);
const attributes = (count: number): string => Array.from({ length: count }, (_, n) => ` a${n}=''`).join("");

test("64 levels, 64 attributes and 10,000 elements are taken, one more of each is refused", () => {
  parseXml(deep(64));
  parseXml(`<a${attributes(64)}/>`);
  parseXml(`<a>${"<b/>".repeat(9999)}</a>`);
  assert.throws(() => parseXml(deep(65)), /nested more than 64 deep/);
  assert.throws(() => parseXml(`<a${attributes(65)}/>`), /more than 64 attributes/);
  assert.throws(() => parseXml(`<a>${"<b/>".repeat(10_000)}</a>`), /more than 10000 elements/);
});

test("a megabyte of depth, attributes, elements or namespaces is refused at its beginning", () => {
  const megabyte = 1024 * 1024;
  const hostile = [
    "<a>".repeat(megabyte / 3),
    `<a${attributes(megabyte / 9)}`,
    `<a>${"<b/>".repeat(megabyte / 4)}</a>`,
    `<a${" xmlns:p='u'".repeat(megabyte / 12)}/>`,
    `<a>${"&amp".repeat(megabyte / 4)}</a>`,
  ];
  for (const text of hostile) {
    const started = performance.now();
    assert.throws(() => parseXml(text), Error);
    // A thousandth of what it would take if the cost grew with the square; far from what a busy machine takes.
    assert.ok(performance.now() - started < 1000, text.slice(0, 20));
  }
});

test("elements, attributes, text, CDATA sections and predefined entities are read", () => {
  const element = parseXml(
    "\n<p:a xmlns:p='u' b='&lt;&#x26;\"' xml:lang='en'>x &amp; &quot;y&quot;<c xmlns='v'><![CDATA[<z>&amp;]]></c>&#33;</p:a> ",
  );
  assert.equal(
    element.toString(),
    '<p:a xmlns:p="u" b="&lt;&amp;&quot;" xml:lang="en">x &amp; "y"<c xmlns="v">&lt;z&gt;&amp;amp;</c>!</p:a>',
  );
  assert.deepEqual([element.getNS(), element.getName(), element.parent], ["u", "a", null]);
  assert.equal(element.getChild("c", "v")?.getText(), "<z>&amp;");
});

test("an attribute called __proto__ changes nothing but itself", () => {
  const { attrs } = parseXml("<a __proto__='x' constructor='y'/>");
  assert.equal(Object.getPrototypeOf(attrs), Object.prototype);
  assert.equal(attrs.constructor, "y");
});

const names = fc.stringMatching(/^[a-z_][a-z0-9._-]{0,8}$/);
const { tree } = fc.letrec<{ tree: Element }>((tie) => ({
  tree: fc
    .record({
      name: names,
      attrs: fc.dictionary(names, wildTexts.map(xmlSafe), { maxKeys: 5, noNullPrototype: true }),
      children: fc.oneof(
        { depthSize: "small", maxDepth: 10 },
        fc.array(
          wildTexts.map(xmlSafe).filter((text) => text !== ""),
          { maxLength: 1 },
        ),
        fc.array(tie("tree"), { maxLength: 4 }),
      ),
    })
    .map(({ name, attrs, children }) => {
      const element = new Element(name, attrs);
      for (const child of children) element.cnode(child as Element);
      return element;
    }),
}));

test("what is written is read again as the same tree", () => {
  const escaped = (element: Element): string =>
    element
      .toString()
      .replaceAll("\r", "&#13;")
      .replace(/<[^<>]*>/g, (tag) => tag.replaceAll("\n", "&#10;").replaceAll("\t", "&#9;"));
  fc.assert(
    fc.property(tree, (element) => {
      assert.equal(parseXml(escaped(element)).toString(), element.toString());
    }),
  );
});

test("whatever comes in is an element or an Error", () => {
  const pieces = fc.constantFrom(
    ..."<a> </a> <b c=' ' \" > /> & ; &amp; &#65; <![CDATA[ ]]> <!-- --> <? ?> <!DOCTYPE [ ] xmlns= xmlns:p= p: x \u0000 \ud800 __proto__".split(
      " ",
    ),
    " ",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        wildTexts,
        fc.array(pieces).map((parts) => parts.join("")),
      ),
      (text) => {
        try {
          assert.ok(parseXml(text) instanceof Element);
        } catch (error) {
          assert.ok(error instanceof Error && error.name === "Error", String(error));
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("what was read is found in what it is put into", () => {
  const read = parseXml("<body>Good night</body>");
  const made = xml("message", {}, read, xml("subject", {}, "Night"));
  assert.deepEqual(
    made.getChildElements().map(({ name }) => name),
    ["body", "subject"],
  );
});
