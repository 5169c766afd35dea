import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller, Command } from "../../src/commands/command.ts";
import { createCommands } from "../../src/commands/commands.ts";
import { createHelp } from "../../src/commands/help.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import { createLogLines } from "../support/log-lines.ts";
import { banish, juliet, ring, ringOff, ringToken, romeo, woo } from "./sample.ts";

const addresses = createAddresses({
  homeserverDomain: "hs.example",
  component: "bridge.xmpp.example",
  userPrefix: "_xmpp_",
  digest: () => "0".repeat(64),
});
const wooing: Command = { ...woo, examples: ["woo Juliet", "woo Juliet with words"] };
const secretly: Command = { ...woo, name: "whisper", private: true };
const serenade: Command = { ...woo, name: "serenade", permits: ({ place }) => place !== undefined };
const help = createHelp({ list: [wooing, secretly, serenade, banish], addresses });
const inGarden: Caller = { ...juliet, place: { roomId: "!garden:hs.example" as RoomId } };
const say = async (caller: Caller, command?: string): Promise<string> =>
  (await help.run(caller, { command })).text;
const named = (text: string): string[] => [...text.matchAll(/^• (\w+)/gm)].map(([, name = ""]) => name);

test("help lists what the asker may do there, and nothing else", async () => {
  assert.deepEqual(named(await say(juliet)), ["help", "woo", "whisper"]);
  assert.deepEqual(named(await say(inGarden)), ["help", "woo", "serenade"]);
  assert.deepEqual(named(await say({ ...romeo, level: "admin" })), ["help", "woo", "whisper", "banish"]);
});

test("help for one command shows examples as they are written there", async () => {
  assert.equal(
    await say(juliet, "WOO"),
    "woo ADDRESS [WORDS] – does woo\nFor example:\n• woo Juliet\n• woo Juliet with words",
  );
  assert.match(await say(inGarden, "woo"), /^!xmpp woo ADDRESS .*\n.*\n• !xmpp woo Juliet\n/);
  assert.match(await say(juliet, "banish"), /^There is no command banish for you here/);
  assert.match(await say(juliet, "constructor"), /^There is no command constructor for you here/);
});

test("commands that begin with the same word are one line of the list", async () => {
  const { text } = await createHelp({ list: [ring, ringOff, ringToken], addresses }).run(inGarden, {});
  assert.deepEqual(text.split("\n").slice(1, 3), [
    "• help [COMMAND] – lists the commands, or says more about one",
    "• ring ADDRESS – does ring; more: !xmpp help ring",
  ]);
});

test("a wrong use shows the right one", async () => {
  const commands = createCommands({ list: [wooing], log: createLogLines().log });
  assert.deepEqual(await commands.runLine(inGarden, "woo", false), {
    text: "Usage: !xmpp woo ADDRESS [WORDS]\n• !xmpp woo Juliet\n• !xmpp woo Juliet with words",
    failed: true,
  });
});
