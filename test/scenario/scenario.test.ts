/** The language of scenarios: what a script is read as, and what a stanza has to be like to match. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fillIn, mismatchOf, type Names, parsePattern } from "./pattern.ts";
import { parseScenario } from "./script.ts";

const mismatch = (pattern: string, stanza: string, names: Names = new Map()) =>
  mismatchOf(parsePattern(pattern), parsePattern(stanza), names);
const presence = (children: string) => `<presence from="a/b"><x xmlns="muc#user">${children}</x></presence>`;

test("a script is a title and steps, of which each may go on in indented lines", () => {
  const text = `# Romeo greets.
# More about it.

juliet makes a room
romeo/phone > <message to="{room}">
    <body>Hi</body></message>
romeo/phone <* <presence/>
romeo/phone < nothing
`;
  assert.deepEqual(parseScenario(text), {
    title: "Romeo greets",
    steps: [
      { line: 4, who: "juliet", kind: "act", text: "makes a room" },
      { line: 5, who: "romeo/phone", kind: "send", text: '<message to="{room}"><body>Hi</body></message>' },
      { line: 7, who: "romeo/phone", kind: "expect in any order", text: "<presence/>" },
      { line: 8, who: "romeo/phone", kind: "expect", text: "nothing" },
    ],
  });
});

test("a script without a title or a speaker is refused", () => {
  assert.throws(() => parseScenario("juliet makes a room"), /begins with a sentence/);
  assert.throws(() => parseScenario("# Title.\n  indented"), /line 2 goes on with nothing/);
  assert.throws(() => parseScenario("# Title.\nnobody"), /line 2: nobody does anything/);
});

test("a pattern matches what has more, and nothing that has less or something else", () => {
  const stanza = presence('<item role="participant" affiliation="none"/><status code="110"/>');
  assert.equal(mismatch('<presence from="a/b"/>', stanza), undefined);
  assert.equal(mismatch(presence('<status code="110"/><item role="*"/>'), stanza), undefined);
  assert.equal(mismatch('<presence from="a/c"/>', stanza), '<presence/> has from="a/b", not "a/c"');
  assert.match(String(mismatch(presence('<status code="100"/>'), stanza)), /^<presence\/> lacks <x/);
  assert.match(String(mismatch(presence('<item jid="*"/>'), stanza)), /lacks/);
  assert.equal(mismatch("<message/>", stanza), "<presence/> is no <message/>");
});

test("two children that are expected have to be two", () => {
  const twice = presence('<status code="110"/><status code="110"/>');
  assert.match(String(mismatch(twice, presence('<status code="110"/>'))), /lacks/);
  assert.equal(mismatch(twice, twice), undefined);
});

test("a stanza that is expected without a type has none", () => {
  assert.equal(mismatch("<presence/>", '<presence type="unavailable"/>'), "it is of type unavailable");
  assert.equal(mismatch('<presence type="unavailable"/>', '<presence type="unavailable"/>'), undefined);
});

test("what must not be there is found out", () => {
  const pattern = presence('<none name="status" code="110"/>');
  assert.equal(mismatch(pattern, presence('<status code="100"/>')), undefined);
  assert.match(String(mismatch(pattern, presence('<status code="110"/>'))), /lacks/);
});

test("namespaces count, by their short names too", () => {
  const pattern = '<iq id="1"><ping xmlns="ping"/></iq>';
  assert.equal(mismatch(pattern, '<iq id="1"><ping xmlns="urn:xmpp:ping"/></iq>'), undefined);
  assert.match(String(mismatch(pattern, '<iq id="1"><ping xmlns="urn:example"/></iq>')), /lacks/);
});

test("text counts where the pattern has some", () => {
  const said = "<message><body>Good night</body></message>";
  assert.equal(mismatch("<message><body/></message>", said), undefined);
  assert.equal(mismatch("<message><body>Good night</body></message>", said), undefined);
  assert.equal(mismatch("<message><body>*</body></message>", said), undefined);
  assert.match(String(mismatch("<message><body>Good</body></message>", said)), /lacks/);
  assert.match(String(mismatch("<message><body>*</body></message>", "<message><body/></message>")), /lacks/);
});

test("a name takes the value that it meets first, and only where the whole stanza matches", () => {
  const names: Names = new Map();
  assert.match(String(mismatch('<message id="{first}" to="x"/>', '<message id="1" to="y"/>', names)), /to=/);
  assert.equal(names.size, 0);
  assert.equal(mismatch('<message id="{first}"/>', '<message id="1"/>', names), undefined);
  assert.deepEqual([...names], [["first", "1"]]);
  assert.match(String(mismatch('<message id="{first}"/>', '<message id="2"/>', names)), /id="2"/);
  assert.equal(fillIn('<message id="{first}"/>', names), '<message id="1"/>');
  assert.throws(() => fillIn("{second}", names), /nothing is known as \{second\}/);
});

test("every scenario can be read, and no two prove the same", () => {
  const folder = new URL("../scenarios/", import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith(".txt"));
  const scenarios = files.map((file) => parseScenario(readFileSync(new URL(file, folder), "utf8")));
  assert.equal(new Set(scenarios.map(({ title }) => title)).size, files.length);
  for (const { steps } of scenarios) {
    for (const { kind, text } of steps) if (kind !== "act" && text !== "nothing") parsePattern(text);
  }
});
