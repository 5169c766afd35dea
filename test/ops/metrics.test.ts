import assert from "node:assert/strict";
import { test } from "node:test";
import { createAlone } from "../../src/cluster/alone.ts";
import { createMetrics, type MetricsDeps, type Readings } from "../../src/ops/metrics.ts";
import { parseExposition } from "./exposition.ts";

const readings: Readings = {
  queued: 3,
  parked: 1,
  oldestSeconds: 12.5,
  relayedRooms: 1,
  puppetRooms: 2,
  hostedRooms: 4,
  puppets: 5,
  occupants: 6,
  guests: 7,
  ghosts: 8,
  directRooms: 9,
};

const make = (deps: Partial<MetricsDeps> = {}) =>
  createMetrics({
    version: "1.2.3",
    parts: ["homeserver", "prosody"],
    problems: () => ({ prosody: "not reached" }),
    readings: async () => readings,
    lanes: () => ({ working: 1, queued: 2, retrying: 3 }),
    iqsOutstanding: () => 4,
    cluster: createAlone({ version: "1.2.3", now: () => 0 }),
    ...deps,
  });

/** Series of one metric, without those that are 0. */
const valuesOf = (text: string, name: string): Record<string, number> =>
  Object.fromEntries(
    [...(parseExposition(text).get(name)?.samples ?? [])].filter(
      ([series, value]) => value !== 0 && !series.includes("_bucket"),
    ),
  );

test("what happens is counted by direction, kind and outcome, and timed where it was delivered", async () => {
  const metrics = make();
  const job = { direction: "to_xmpp", kind: "message" } as const;
  metrics.done({ ...job, outcome: "delivered", seconds: 0.25 });
  metrics.done({ ...job, outcome: "delivered", seconds: 0.5 });
  metrics.done({ ...job, kind: "reaction", outcome: "parked", seconds: 60 });
  metrics.retried("to_matrix");
  const text = await metrics.text();
  assert.deepEqual(valuesOf(text, "causeway_messages_total"), {
    'causeway_messages_total{direction="to_xmpp",kind="message",outcome="delivered"}': 2,
    'causeway_messages_total{direction="to_xmpp",kind="reaction",outcome="parked"}': 1,
  });
  assert.deepEqual(valuesOf(text, "causeway_delivery_seconds"), {
    'causeway_delivery_seconds_sum{direction="to_xmpp"}': 0.75,
    'causeway_delivery_seconds_count{direction="to_xmpp"}': 2,
  });
  assert.deepEqual(valuesOf(text, "causeway_retries_total"), {
    'causeway_retries_total{direction="to_matrix"}': 1,
  });
});

test("requests are timed by side and by how they ended", async () => {
  const metrics = make();
  for (const status of [200, 302, 404, 429, 500, undefined])
    metrics.answered("homeserver", { status, seconds: 1 });
  const counts = Object.entries(valuesOf(await metrics.text(), "causeway_request_seconds"))
    .filter(([series]) => series.includes("_count"))
    .map(([series, count]) => [/outcome="(\w+)"/.exec(series)?.[1], count]);
  assert.deepEqual(counts, [
    ["ok", 2],
    ["refused", 1],
    ["limited", 1],
    ["failed", 1],
    ["none", 1],
  ]);
});

test("callbacks are told apart by whether they had to wait for earlier ones", async () => {
  const metrics = make();
  metrics.callback(undefined, true);
  metrics.callback(0, true);
  metrics.callback(500, false);
  metrics.passedOver();
  metrics.strangerRefused();
  const text = await metrics.text();
  assert.deepEqual(valuesOf(text, "causeway_callbacks_total"), {
    'causeway_callbacks_total{order="in_turn"}': 1,
    'causeway_callbacks_total{order="waited"}': 1,
    'causeway_callbacks_total{order="gone"}': 1,
  });
  assert.deepEqual(valuesOf(text, "causeway_callback_wait_seconds"), {
    causeway_callback_wait_seconds_sum: 0.5,
    causeway_callback_wait_seconds_count: 2,
  });
  assert.deepEqual(valuesOf(text, "causeway_callbacks_passed_over_total"), {
    causeway_callbacks_passed_over_total: 1,
  });
  assert.deepEqual(valuesOf(text, "causeway_strangers_refused_total"), {
    causeway_strangers_refused_total: 1,
  });
});

test("what is looked up is there with its units", async () => {
  const families = parseExposition(await make().text());
  const gauges = [...families]
    .filter(([name, { type }]) => name.startsWith("causeway_") && type === "gauge")
    .flatMap(([, { samples }]) => [...samples]);
  assert.deepEqual(Object.fromEntries(gauges), {
    'causeway_build_info{version="1.2.3"}': 1,
    'causeway_ready{part="homeserver"}': 1,
    'causeway_ready{part="prosody"}': 0,
    'causeway_lanes{state="working"}': 1,
    'causeway_lanes{state="queued"}': 2,
    'causeway_lanes{state="retrying"}': 3,
    causeway_iqs_outstanding: 4,
    causeway_lead: 1,
    causeway_processes: 1,
    'causeway_linked_rooms{mode="puppets"}': 2,
    'causeway_linked_rooms{mode="relay"}': 1,
    causeway_queued_jobs: 3,
    causeway_parked_jobs: 1,
    causeway_oldest_job_age_seconds: 12.5,
    causeway_hosted_rooms: 4,
    causeway_puppets: 5,
    causeway_occupants: 6,
    causeway_guests: 7,
    causeway_ghosts: 8,
    causeway_direct_rooms: 9,
  });
});

test("a database that cannot be read leaves the rest to be told", async () => {
  const families = parseExposition(await make({ readings: () => Promise.reject(new Error("disk")) }).text());
  assert.ok(Number.isNaN(families.get("causeway_queued_jobs")?.samples.get("causeway_queued_jobs")));
  assert.equal(families.get("causeway_ready")?.samples.get('causeway_ready{part="prosody"}'), 0);
});

test("counting one message takes microseconds", () => {
  const metrics = make();
  const rounds = 20_000;
  const begun = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    metrics.callback(undefined, true);
    metrics.committed(0.001, true);
    metrics.answered("homeserver", { status: 200, seconds: 0.005 });
    metrics.committed(0.001, false);
    metrics.done({ direction: "to_matrix", kind: "message", outcome: "delivered", seconds: 0.02 });
  }
  const each = ((performance.now() - begun) / rounds) * 1000;
  // It is about 3; machines that run other tests meanwhile take longer.
  assert.ok(each < 50, `${each} µs`);
});
