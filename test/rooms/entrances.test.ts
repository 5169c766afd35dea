import assert from "node:assert/strict";
import { test } from "node:test";
import { NoAnswerError } from "../../src/http/client.ts";
import { createEntrances } from "../../src/rooms/entrances.ts";
import { botJid, muc } from "./muc-room.ts";

test("an entrance that a stop of the bridge cuts off is nobody's refusal, and none begins after it", async () => {
  const entrances = createEntrances({ xmpp: { send: async () => undefined }, newId: () => "1" });
  const entering = entrances.ask(muc, botJid, "Causeway", []);
  entrances.close();
  await assert.rejects(entering, NoAnswerError);
  await assert.rejects(entrances.ask(muc, botJid, "Causeway", []), NoAnswerError);
});
