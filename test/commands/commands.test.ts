import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../src/commands/command.ts";
import { createCommands } from "../../src/commands/commands.ts";
import { createLogLines } from "../support/log-lines.ts";
import { all, banish, juliet, lonely, romeo } from "./sample.ts";

const { log, lines } = createLogLines();
const commands = createCommands({ list: all, log });
const say = (caller: Caller, line: string, isPrivate = true) => commands.runLine(caller, line, isPrivate);

test("a line runs its command with what it gives", async () => {
  assert.deepEqual(await say(juliet, "ring token syt_1"), { text: 'ring token {"token":"syt_1"}' });
});

test("a line that is no command, or lacks a field, is answered with what to do", async () => {
  const unknown = { text: "That is no command; help lists what there is.", failed: true };
  assert.deepEqual(await say(juliet, "syt_1"), unknown);
  assert.deepEqual(await say(juliet, "woo"), { text: "Usage: woo ADDRESS [WORDS]", failed: true });
});

test("commands of the other network or of administrators are no commands to others", async () => {
  const admin: Caller = { ...juliet, level: "admin" };
  assert.equal(commands.allowed(juliet).includes(lonely), true);
  assert.equal(commands.allowed(romeo).includes(lonely), false);
  assert.equal(commands.allowed(juliet).includes(banish), false);
  assert.equal(commands.allowed(admin).includes(banish), true);
  assert.equal((await say(romeo, "banish")).failed, true);
  assert.deepEqual(await say(admin, "banish"), { text: "banish {}" });
});

test("a command that breaks is answered, and the log says why", async () => {
  const answer = { text: "The bridge could not do this now; try again later.", failed: true };
  assert.deepEqual(await say(juliet, "stumble"), answer);
  assert.equal(lines.at(-1), "warn a command failed");
});

test("a secret where others read along, or one that is lost, is asked for anew and not used", async () => {
  assert.deepEqual(await say(juliet, "ring token syt_1", false), {
    text: "This holds a secret that others here can read: renew it, and write to me alone.",
    failed: true,
  });
  assert.deepEqual(await say(juliet, "ring token [secret]"), {
    text: "The bridge was restarted before it got to this, and it keeps no secrets: send it again.",
    failed: true,
  });
  assert.equal(commands.holdsSecret(juliet, "ring token syt_1"), true);
  assert.equal(commands.holdsSecret(juliet, "ring off romeo@xmpp.example"), false);
});
