import assert from "node:assert/strict";
import { test } from "node:test";
import { createRoomStates } from "../../src/bridge/room-state.ts";
import type { Content, MatrixEvent } from "../../src/matrix/event.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";

const room = "!garden:hs.test" as RoomId;
const juliet = "@juliet:hs.test" as UserId;
const nurse = "@nurse:hs.test" as UserId;
const tybalt = "@tybalt:hs.test" as UserId;

let number = 0;
const state = (type: string, content: Content, stateKey = "", sender = juliet): MatrixEvent => {
  number += 1;
  return {
    event_id: `$${number}` as MatrixEvent["event_id"],
    type,
    room_id: room,
    sender,
    state_key: stateKey,
    origin_server_ts: number,
    content,
  };
};
const member = (userId: UserId, membership: string, displayname?: string) =>
  state("m.room.member", { membership, ...(displayname && { displayname }) }, userId);

const roomOf = (events: readonly MatrixEvent[]) => {
  let reads = 0;
  const states = createRoomStates({
    matrix: {
      fullState: async () => {
        reads += 1;
        return [...events];
      },
    },
  });
  return { states, of: () => states.of(juliet, room), reads: () => reads };
};

const powers = { users: { [juliet]: 100, [nurse]: 50 }, kick: 50, events: { "m.room.topic": 60 } };

test("a room is read once, however many ask", async () => {
  const { of, reads } = roomOf([state("m.room.name", { name: "Garden" })]);
  const [one, other] = await Promise.all([of(), of()]);
  assert.equal(one.name, "Garden");
  assert.equal(one, other);
  await of();
  assert.equal(reads(), 1);
});

test("what nobody has set is as the specification says", async () => {
  const now = await roomOf([state("m.room.create", { room_version: "11" })]).of();
  assert.deepEqual(
    [now.name, now.topic, now.avatarUrl, now.canonicalAlias, now.successor],
    [undefined, undefined, undefined, undefined, undefined],
  );
  assert.deepEqual([now.joinRule, now.historyVisibility, now.isEncrypted], ["invite", "shared", false]);
});

test("pushed events change it, those of a room that is not known do nothing", async () => {
  const { states, of } = roomOf([member(juliet, "join", "Juliet")]);
  states.note(member(nurse, "join"));
  const now = await of();
  assert.equal(now.members.has(nurse), false);
  states.note(member(nurse, "join", "Nurse"));
  states.note(state("m.room.topic", { topic: "Roses" }));
  assert.equal(now.members.get(nurse)?.displayName, "Nurse");
  assert.equal(now.topic, "Roses");
});

test("what comes while it is read is not lost", async () => {
  const { states, of } = roomOf([member(nurse, "join")]);
  const reading = of();
  states.note(member(nurse, "leave"));
  assert.equal((await reading).members.get(nurse)?.membership, "leave");
});

test("after a doubt it is read anew", async () => {
  const { states, of, reads } = roomOf([]);
  await of();
  states.doubt(room);
  await of();
  states.doubt();
  await of();
  assert.equal(reads(), 3);
});

test("what is read while there is a doubt is not remembered", async () => {
  const { states, of, reads } = roomOf([]);
  const reading = of();
  states.doubt(room);
  await reading;
  await of();
  assert.equal(reads(), 2);
});

test("a topic or a name that was redacted is not shown any longer", async () => {
  const topic = state("m.room.topic", { topic: "Rude words" });
  const named = member(nurse, "join", "Rude name");
  const events = [topic, named];
  const { states, of, reads } = roomOf(events);
  const redact = (redacts: string) => {
    const { state_key, ...event } = state("m.room.redaction", { redacts });
    states.note(event);
  };
  await of();
  redact("$another");
  assert.equal((await of()).topic, "Rude words");
  events[0] = { ...topic, content: {} };
  redact(topic.event_id);
  assert.equal((await of()).topic, undefined);
  events[1] = { ...named, content: { membership: "join" } };
  redact(named.event_id);
  assert.equal((await of()).members.get(nurse)?.displayName, undefined);
  assert.equal(reads(), 3);
});

test("a topic that is redacted while it is read is read anew", async () => {
  const topic = state("m.room.topic", { topic: "Rude words" });
  const { states, of, reads } = roomOf([topic]);
  const reading = of();
  const { state_key, ...redaction } = state("m.room.redaction", { redacts: topic.event_id });
  states.note(redaction);
  await reading;
  await of();
  assert.equal(reads(), 2);
});

test("who may do what follows the power levels", async () => {
  const now = await roomOf([
    state("m.room.create", { room_version: "11" }),
    state("m.room.power_levels", powers),
  ]).of();
  assert.deepEqual(
    [juliet, nurse, tybalt].map((userId) => now.may(userId, "kick")),
    [true, true, false],
  );
  assert.equal(now.may(nurse, "kick", tybalt), true);
  assert.equal(now.may(nurse, "kick", juliet), false);
  assert.equal(now.may(nurse, "ban", nurse), false);
  assert.equal(now.may(tybalt, "invite"), true);
  assert.deepEqual(
    [now.maySetState(nurse, "m.room.topic"), now.maySetState(nurse, "m.room.name")],
    [false, true],
  );
});

test("a creator of a room of version 12 is above all levels, an earlier one is not", async () => {
  const create = (version: string) =>
    state("m.room.create", { room_version: version, additional_creators: [tybalt] }, "", nurse);
  const late = await roomOf([create("12"), state("m.room.power_levels", powers)]).of();
  assert.deepEqual(
    [nurse, tybalt, juliet].map((userId) => late.levelOf(userId)),
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 100],
  );
  const early = await roomOf([create("11"), state("m.room.power_levels", powers)]).of();
  assert.deepEqual(
    [nurse, tybalt].map((userId) => early.levelOf(userId)),
    [50, 0],
  );
});
