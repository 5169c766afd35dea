import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { passedByEvent, passedByStanza, viaContent, withVia } from "../../src/mapping/via.ts";
import { parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";

const rooms = fc.uniqueArray(fc.constantFrom("!a:hs.example", "!b", "x@muc.example", "y@muc.example"));

test("the rooms that a message has passed are read as they were written, on either side", () => {
  fc.assert(
    fc.property(rooms, (passed) => {
      assert.deepEqual(passedByEvent({ content: viaContent(passed) }), passed);
      const stanza = withVia(xml("message"), passed);
      assert.deepEqual(passedByStanza(parseStanza(serialize(stanza))), passed);
    }),
  );
});

test("whatever stands in their place is no room", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const passed = passedByEvent({ content: { "causeway.via": value } });
      assert.ok(passed.length <= 20 && passed.every((room) => typeof room === "string" && room !== ""));
    }),
  );
  const wrong = parseStanza(
    "<message><via xmlns='urn:x-causeway:via'><room/><place id='!a'/></via></message>",
  );
  assert.deepEqual(passedByStanza(wrong), []);
  assert.deepEqual(passedByStanza(xml("message")), []);
});
