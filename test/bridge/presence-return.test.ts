import assert from "node:assert/strict";
import test from "node:test";
import { createPresenceReturn } from "../../src/bridge/presence-return.ts";
import { NoAnswerError } from "../../src/http/client.ts";
import type { UserId } from "../../src/matrix/ids.ts";
import type { Log } from "../../src/ops/log.ts";
import { RestError } from "../../src/xmpp/client.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { waitFor } from "../support/wait-for.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const people = ["juliet", "nurse", "tybalt"];
const away = new NoAnswerError("ECONNREFUSED", false, undefined);

function setUp(failing: (name: string, count: number) => Error | undefined = () => undefined) {
  const told: string[] = [];
  let calls = 0;
  const presence = createPresenceReturn({
    subscribers: {
      all: async () =>
        people.map((name) => ({
          userId: `@${name}:hs.example` as UserId,
          jid: "romeo@xmpp.example" as BareJid,
        })),
    },
    async isThere(userId) {
      if (userId === "@nurse:hs.example") throw away;
      return userId !== "@tybalt:hs.example";
    },
    async announce({ userId }) {
      calls += 1;
      const error = failing(userId, calls);
      if (error) throw error;
      told.push(userId);
    },
    log,
  });
  return { presence, told, calls: () => calls };
}

test("everybody is told once when Prosody is reached, those who no longer exist left out", async () => {
  const { presence, told } = setUp();
  presence.reached();
  presence.reached();
  await waitFor(() => told.length === 2, "both");
  presence.reached();
  assert.deepEqual(told.splice(0), ["@juliet:hs.example", "@nurse:hs.example"]);
  presence.lost();
  assert.deepEqual(told, []);
  presence.reached();
  await waitFor(() => told.length === 2, "both again");
  await presence.stop();
});

test("a loss while telling makes it begin anew", async () => {
  const { presence, told } = setUp((_name, count) => {
    if (count === 1) presence.lost();
    return undefined;
  });
  presence.reached();
  await waitFor(() => told.length === 3, "the first, and then both");
  await presence.stop();
  assert.deepEqual(told, ["@juliet:hs.example", "@juliet:hs.example", "@nurse:hs.example"]);
});

test("Prosody going away breaks it off until it is reached again, a refusal of one does not", async () => {
  const { presence, told, calls } = setUp((_name, count) => {
    if (count === 1) return new RestError(422, {});
    return count === 2 ? away : undefined;
  });
  presence.reached();
  await waitFor(() => calls() === 2, "it to be broken off");
  assert.deepEqual(told, []);
  presence.reached();
  await waitFor(() => told.length === 2, "both");
  await presence.stop();
});
