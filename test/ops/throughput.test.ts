import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createThroughput, isMessage } from "../../src/ops/throughput.ts";

const minute = 60_000;

test("deliveries are told for the last minute, and minute by minute for the last hour", () => {
  const clock = { ms: 0 };
  const throughput = createThroughput(() => clock.ms);
  throughput.count("to_xmpp");
  throughput.count("to_xmpp");
  throughput.count("to_matrix");
  clock.ms += 30 * minute;
  throughput.count("to_xmpp");
  const { to_xmpp: toXmpp, to_matrix: toMatrix } = throughput.read();
  assert.deepEqual(
    [toXmpp.lastMinute, toXmpp.lastHour, toMatrix.lastMinute, toMatrix.lastHour],
    [1, 3, 0, 1],
  );
  assert.deepEqual(
    toXmpp.minutes.map((count, index) => [index, count]).filter(([, count]) => count !== 0),
    [
      [29, 2],
      [59, 1],
    ],
  );
  clock.ms += 60 * minute;
  assert.equal(throughput.read().to_xmpp.lastHour, 0);
});

test("an hour holds what came in the last 360 slots of ten seconds, whatever the times", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40 * minute), { maxLength: 30 }), (gaps) => {
      const clock = { ms: 5 };
      const throughput = createThroughput(() => clock.ms);
      const times: number[] = [];
      for (const gap of gaps) {
        clock.ms += gap;
        throughput.count("to_matrix");
        times.push(Math.floor(clock.ms / 10_000));
      }
      const now = Math.floor(clock.ms / 10_000);
      const { lastMinute, lastHour } = throughput.read().to_matrix;
      assert.equal(lastHour, times.filter((slot) => slot > now - 360).length);
      assert.equal(lastMinute, times.filter((slot) => slot > now - 6).length);
    }),
  );
});

test("only what people would call a message counts, and only once it is delivered", () => {
  const done = { direction: "to_matrix", kind: "message", outcome: "delivered", seconds: 1 } as const;
  assert.deepEqual(
    [
      done,
      { ...done, kind: "reaction" },
      { ...done, kind: "presence" },
      { ...done, outcome: "parked" as const },
    ].map(isMessage),
    [true, true, false, false],
  );
});
