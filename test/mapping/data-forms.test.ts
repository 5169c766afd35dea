import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formElement, readFlag, readForm } from "../../src/mapping/data-forms.ts";
import { parseElement, serialize, xml, xmlSafe } from "../../src/xmpp/stanza.ts";
import { wildTexts } from "../support/xml-text.ts";

test("what is written into a form is read from it again", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z#_]{1,12}$/), fc.array(wildTexts)), (fields) => {
      const all = Object.entries(fields).map(([name, values]) => ({ name, values }));
      const form = formElement("submit", "urn:example", all);
      const read = readForm(parseElement(serialize(xml("query", {}, form))));
      assert.equal(read?.type, "submit");
      assert.equal(read?.formType, "urn:example");
      const safe = all.map(({ name, values }): [string, string[]] => [name, values.map(xmlSafe)]);
      assert.deepEqual(new Map(read?.values), new Map(safe));
    }),
  );
});

test("yes and no are said in two ways, and anything else is neither", () => {
  const flags = (value: string) => readFlag(new Map([["flag", [value]]]), "flag");
  assert.deepEqual(["1", "true", "0", "false", "yes", ""].map(flags), [
    true,
    true,
    false,
    false,
    undefined,
    undefined,
  ]);
  assert.equal(readFlag(new Map(), "flag"), undefined);
});

test("where there is no form there is nothing to read", () => {
  assert.equal(readForm(parseElement("<query><x xmlns='urn:example'/></query>")), undefined);
});
