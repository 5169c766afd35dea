/** What Prometheus is told: its text format 0.0.4 and naming conventions; no label names a room or a person. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Cluster } from "../cluster/cluster.ts";
import type { Counts } from "../store/overview-records.ts";

export type Direction = "to_matrix" | "to_xmpp";
/** Nothing is to be carried of what is left out; the sender of what is refused or parked is told. */
export type Outcome = "delivered" | "left_out" | "refused" | "parked";

/** One job that is over. */
export interface Done {
  direction: Direction;
  /** Of few that there are: "message", "reaction" and so on. */
  kind: string;
  outcome: Outcome;
  /** Since it was accepted. */
  seconds: number;
}

/** One request to a server, and how it ended; undefined where no usable answer came. */
export interface Answered {
  status: number | undefined;
  seconds: number;
}

export type Side = "homeserver" | "prosody" | "prosody_iq";

/** What is looked up when somebody asks. */
export interface Readings extends Omit<Counts, "oldestAt"> {
  /** Age of the oldest job that is not parked. */
  oldestSeconds: number;
}

export interface Lanes {
  working: number;
  queued: number;
  retrying: number;
}

export interface MetricsDeps {
  version: string;
  /** All parts that health knows, and those that something is wrong with. */
  parts: readonly string[];
  problems(): Record<string, string>;
  readings(): Promise<Readings>;
  lanes(): Lanes;
  iqsOutstanding(): number;
  cluster: Pick<Cluster, "isLead" | "processes">;
}

export interface Metrics {
  done(job: Done): void;
  retried(direction: Direction): void;
  answered(side: Side, answer: Answered): void;
  committed(seconds: number, isDurable: boolean): void;
  /** A callback has had its turn, or its connection was closed while it waited for earlier ones. */
  callback(waitedMs: number | undefined, stillThere: boolean): void;
  /** A connection was waited for too long. */
  passedOver(): void;
  strangerRefused(): void;
  /** A transaction or a message was refused because too much waits already. */
  pushedBack(side: "homeserver" | "prosody"): void;
  readonly contentType: string;
  text(): Promise<string>;
}

/** Seconds; a message takes milliseconds while all is well, and hours while a side is down. */
const deliveryBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3600];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const commitBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const waitBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5];

const outcomeOf = (status: number | undefined): string => {
  if (status === undefined) return "none";
  if (status === 429) return "limited";
  if (status >= 500) return "failed";
  return status >= 400 ? "refused" : "ok";
};

export function createMetrics(deps: MetricsDeps): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: 20 });
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name: `causeway_${name}_total`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge({ name: `causeway_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name: `causeway_${name}_seconds`, help, buckets, labelNames, registers });

  const messages = counter("messages", "Jobs that are over.", "direction", "kind", "outcome");
  const delivery = histogram(
    "delivery",
    "From the acceptance of what was delivered to its delivery.",
    deliveryBuckets,
    "direction",
  );
  const retries = counter("retries", "Attempts that failed for now.", "direction");
  const requests = histogram("request", "Requests to the servers.", requestBuckets, "side", "outcome");
  const commits = histogram("commit", "Commits of the database.", commitBuckets, "durable");
  const callbacks = counter("callbacks", "Callbacks of Prosody, by whether they came in order.", "order");
  const waits = histogram("callback_wait", "What callbacks that overtook earlier ones waited.", waitBuckets);
  const passed = counter("callbacks_passed_over", "Connections that were waited for too long.");
  const pushed = counter("pushed_back", "What was refused because too much waits already.", "side");
  const strangers = counter("strangers_refused", "Requests without or with wrong credentials.");

  const build = gauge("build_info", "1, labelled with the version.", "version");
  const ready = gauge("ready", "Whether the part is well.", "part");
  const lanes = gauge("lanes", "Lanes with something to do.", "state");
  const iqs = gauge("iqs_outstanding", "IQs of the bridge that are not answered yet.");
  const lead = gauge("lead", "Whether this process leads, which one does at a time.");
  const processes = gauge("processes", "Processes that run the bridge together.");
  const linkedRooms = gauge("linked_rooms", "XMPP rooms that are linked.", "mode");
  const plain: [Gauge, (readings: Readings) => number][] = [
    [gauge("queued_jobs", "Jobs that are accepted and not over."), ({ queued }) => queued],
    [gauge("parked_jobs", "Jobs that were given up and are kept."), ({ parked }) => parked],
    [
      gauge("oldest_job_age_seconds", "Age of the oldest job that is not over."),
      ({ oldestSeconds }) => oldestSeconds,
    ],
    [gauge("hosted_rooms", "Matrix rooms with XMPP users in them."), ({ hostedRooms }) => hostedRooms],
    [gauge("puppets", "Matrix users in XMPP rooms."), ({ puppets }) => puppets],
    [gauge("occupants", "XMPP users in linked rooms."), ({ occupants }) => occupants],
    [gauge("guests", "Clients of XMPP users in Matrix rooms."), ({ guests }) => guests],
    [gauge("ghosts", "Ghosts that were ever made."), ({ ghosts }) => ghosts],
    [gauge("direct_rooms", "Direct conversations."), ({ directRooms }) => directRooms],
  ];
  build.set({ version: deps.version }, 1);
  // What has never happened is 0: what is not there at all has no increase the first time.
  for (const direction of ["to_matrix", "to_xmpp"] as const) {
    retries.inc({ direction }, 0);
    for (const outcome of ["delivered", "left_out", "refused", "parked"] as const)
      messages.inc({ direction, kind: "message", outcome }, 0);
  }
  for (const side of ["homeserver", "prosody"]) pushed.inc({ side }, 0);
  for (const order of ["in_turn", "waited", "gone"]) callbacks.inc({ order }, 0);

  const measure = async (): Promise<void> => {
    const problems = deps.problems();
    for (const part of deps.parts) ready.set({ part }, part in problems ? 0 : 1);
    for (const [state, count] of Object.entries(deps.lanes())) lanes.set({ state }, count);
    iqs.set(deps.iqsOutstanding());
    lead.set(deps.cluster.isLead() ? 1 : 0);
    // A database that fails is no reason to say nothing; not a number says that it is not known.
    const [readings, running] = await Promise.all([
      deps.readings().catch(() => undefined),
      deps.cluster.processes().catch(() => undefined),
    ]);
    processes.set(running?.length ?? Number.NaN);
    for (const [one, read] of plain) one.set(readings ? read(readings) : Number.NaN);
    linkedRooms.set({ mode: "puppets" }, readings?.puppetRooms ?? Number.NaN);
    linkedRooms.set({ mode: "relay" }, readings?.relayedRooms ?? Number.NaN);
  };

  return {
    done({ direction, kind, outcome, seconds }) {
      messages.inc({ direction, kind, outcome });
      if (outcome === "delivered") delivery.observe({ direction }, seconds);
    },
    retried: (direction) => retries.inc({ direction }),
    answered: (side, { status, seconds }) => requests.observe({ side, outcome: outcomeOf(status) }, seconds),
    committed: (seconds, isDurable) => commits.observe({ durable: String(isDurable) }, seconds),
    callback(waitedMs, stillThere) {
      const isLate = waitedMs !== undefined;
      callbacks.inc({ order: stillThere ? (isLate ? "waited" : "in_turn") : "gone" });
      if (isLate) waits.observe(waitedMs / 1000);
    },
    passedOver: () => passed.inc(),
    strangerRefused: () => strangers.inc(),
    pushedBack: (side) => pushed.inc({ side }),
    contentType: register.contentType,
    async text() {
      await measure();
      return register.metrics();
    },
  };
}
