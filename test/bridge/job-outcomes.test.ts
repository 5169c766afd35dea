import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { createJobOutcomes } from "../../src/bridge/job-outcomes.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { Done } from "../../src/ops/metrics.ts";
import type { Job, Work } from "../../src/store/store.ts";

const jobOf = (work: Work, acceptedAt = 1000): Job => ({
  id: 1,
  lane: "a",
  cause: "c",
  work,
  acceptedAt,
  attempts: 0,
});
const eventJob = (type: string, state_key?: string): Job =>
  jobOf({
    kind: "event",
    event: {
      event_id: "$1" as EventId,
      room_id: "!room:hs.example" as RoomId,
      sender: "@juliet:hs.example" as UserId,
      type,
      content: {},
      origin_server_ts: 0,
      ...(state_key !== undefined && { state_key }),
    },
  });

function setUp() {
  const told: (Done | string)[] = [];
  const outcomes = createJobOutcomes({
    onDone: (done) => void told.push(done),
    onRetry: (direction) => void told.push(`${direction} again`),
    now: () => 3500,
  });
  return { told, ...outcomes };
}

test("a job for which something was sent is delivered, and one beside it is left out", async () => {
  const { run, sent, over, told } = setUp();
  const [one, other] = [eventJob("m.room.message"), eventJob("m.room.message")];
  const send = async (): Promise<void> => {
    await tick();
    sent();
  };
  await Promise.all([run(one, send), run(other, () => tick())]);
  sent();
  over(one, "handled");
  over(other, "handled");
  const message = { direction: "to_xmpp", kind: "message", seconds: 2.5 };
  assert.deepEqual(told, [
    { ...message, outcome: "delivered" },
    { ...message, outcome: "left_out" },
  ]);
});

test("what was refused or parked is that, whatever was sent before", async () => {
  const { run, sent, over, told } = setUp();
  const job = eventJob("m.reaction");
  await run(job, async () => sent());
  over(job, "parked");
  over(job, "refused");
  assert.deepEqual(
    told.map((done) => (done as Done).outcome),
    ["parked", "refused"],
  );
});

test("jobs are of few kinds, and each has its direction", () => {
  const { over, retried, told } = setUp();
  const room = { roomId: "!room:hs.example" as RoomId, after: "$1" as EventId };
  const ghost = "@_xmpp_romeo:hs.example" as UserId;
  const jobs = [
    eventJob("m.room.message"),
    eventJob("m.room.redaction"),
    eventJob("m.room.member", "@juliet:hs.example"),
    eventJob("m.room.topic", ""),
    eventJob("com.example.anything"),
    jobOf({ kind: "stanza", xml: "<message/>" }),
    jobOf({ kind: "stanza", xml: '<presence from="a"/>' }),
    jobOf({ kind: "notice", ghost, content: {}, ...room }),
    jobOf({ kind: "bounce", xml: "<message/>" }),
    jobOf({ kind: "catch-up", ...room }),
  ];
  for (const job of jobs) over(job, "handled");
  assert.deepEqual(
    told.map((done) => [(done as Done).direction, (done as Done).kind]),
    [
      ["to_xmpp", "message"],
      ["to_xmpp", "redaction"],
      ["to_xmpp", "membership"],
      ["to_xmpp", "state"],
      ["to_xmpp", "other"],
      ["to_matrix", "message"],
      ["to_matrix", "presence"],
      ["to_matrix", "notice"],
      ["to_xmpp", "notice"],
      ["to_xmpp", "catch_up"],
    ],
  );
  retried(jobOf({ kind: "bounce", xml: "<message/>" }));
  over(jobOf({ kind: "bounce", xml: "<message/>" }, 9000), "handled");
  assert.equal(told.at(-2), "to_xmpp again");
  assert.equal((told.at(-1) as Done).seconds, 0);
});
