import assert from "node:assert/strict";
import { test } from "node:test";
import { unbridgedIn } from "../../src/mapping/unbridged.ts";
import { parseStanza } from "../../src/xmpp/stanza.ts";

const kindOf = (inside: string) => unbridgedIn(parseStanza(`<message>${inside}</message>`))?.kind;

test("whatever a message is encrypted with, the words beside it are not taken for what was said", () => {
  const hint = "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:example:new'/>";
  for (const inside of [
    "<body>This is OMEMO</body><encrypted xmlns='eu.siacs.conversations.axolotl'><payload>aGk=</payload></encrypted>",
    "<openpgp xmlns='urn:xmpp:openpgp:0'>aGk=</openpgp>",
    "<body>I sent you a PGP encrypted message</body><x xmlns='jabber:x:encrypted'>aGk=</x>",
    `<body>This is new</body>${hint}`,
    "<body>?OTR:AAMC</body>",
  ]) {
    assert.equal(kindOf(inside), "encrypted");
  }
});

test("what is signed, tends to keys or only speaks of encryption is not encrypted", () => {
  for (const inside of [
    "<body>signed</body><x xmlns='jabber:x:signed'>aGk=</x>",
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted><encryption xmlns='urn:xmpp:eme:0'/>",
    "<body>What is ?OTR: for</body>",
    "<body>plain</body>",
  ]) {
    assert.equal(kindOf(inside), undefined);
  }
});
