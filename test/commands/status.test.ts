import assert from "node:assert/strict";
import { test } from "node:test";
import { createStatusCommands } from "../../src/commands/status.ts";
import type { ParkedJob } from "../../src/store/store.ts";
import { juliet } from "./sample.ts";

const minute = 60_000;
const say = async (name: string, problems: Record<string, string>, parked: ParkedJob[]): Promise<string> => {
  const commands = createStatusCommands({
    problems: () => problems,
    parked: async () => parked,
    now: () => 10_000 * minute,
  });
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) throw new Error(`no command ${name}`);
  assert.equal(command.level, "admin");
  return (await command.run(juliet, {})).text;
};
const job = (id: number, ageMinutes: number): ParkedJob => ({
  id,
  lane: "xmpp romeo@xmpp.example juliet%hs.example@bridge.xmpp.example",
  cause: `c${id}`,
  work: { kind: "stanza", xml: "<message/>" },
  acceptedAt: (10_000 - ageMinutes) * minute,
  attempts: 3,
  problem: "could not join: 403",
});

test("status names what is wrong, part by part, or says that nothing is", async () => {
  assert.equal(await say("status", {}, []), "All is well.");
  const problems = { homeserver: "not yet reached", database: "disk is full" };
  assert.equal(await say("status", problems, []), "homeserver: not yet reached\ndatabase: disk is full");
});

test("parked messages are listed with lane, age and problem, the newest first, and no more than twenty", async () => {
  const lane = "xmpp romeo@xmpp.example juliet%hs.example@bridge.xmpp.example";
  assert.equal(await say("parked", {}, []), "No message is parked.");
  assert.equal(
    await say("parked", {}, [job(1, 3 * 24 * 60), job(2, 150), job(3, 5)]),
    `3 messages are parked.\nc3 in ${lane}, 5 min ago: could not join: 403\n` +
      `c2 in ${lane}, 2 h ago: could not join: 403\nc1 in ${lane}, 3 days ago: could not join: 403`,
  );
  const many = Array.from({ length: 30 }, (_, index) => job(index, 1));
  assert.equal((await say("parked", {}, many)).split("\n").length, 21);
});
