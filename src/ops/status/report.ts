/** All that the status page shows, as `GET /status.json` tells it. */
import type { BridgeOverview, Found, HostedRoom, LinkedRoom } from "../../bridge/overview.ts";
import type { Cluster, ProcessInfo } from "../../cluster/cluster.ts";
import type { ParkedSummary, WaitingLane } from "../../store/overview-records.ts";
import type { Lanes, Readings } from "../metrics.ts";
import type { Throughput } from "../throughput.ts";

export interface Report {
  version: string;
  /** Unix time in milliseconds, as all times here. */
  at: number;
  startedAt: number;
  /** The one that tells this: health, throughput and lanes are its own, all else is of the whole bridge. */
  process: string;
  /** All that run the bridge together. */
  processes: ProcessInfo[];
  parts: readonly string[];
  problems: Record<string, string>;
  throughput: ReturnType<Throughput["read"]>;
  lanes: Lanes;
  counts: Readings;
  waiting: WaitingLane[];
  parked: ParkedSummary[];
  search: string;
  linked: Found<LinkedRoom>;
  hosted: Found<HostedRoom>;
}

export interface ReportDeps {
  version: string;
  parts: readonly string[];
  problems(): Record<string, string>;
  throughput: Pick<Throughput, "read">;
  overview: Pick<BridgeOverview, "counts" | "states" | "lanes" | "parked" | "linkedRooms" | "hostedRooms">;
  cluster: Pick<Cluster, "self" | "processes">;
  /** Unix time in milliseconds. */
  now: () => number;
}

/** Of each list. */
const most = 50;

export function createReport(deps: ReportDeps): (search: string) => Promise<Report> {
  const { version, parts, overview, cluster, now } = deps;
  const startedAt = now();
  return async (search) => ({
    version,
    at: now(),
    startedAt,
    process: cluster.self,
    processes: await cluster.processes(),
    parts,
    problems: deps.problems(),
    throughput: deps.throughput.read(),
    lanes: overview.states(),
    counts: await overview.counts(),
    waiting: await overview.lanes(most),
    parked: await overview.parked(most),
    search,
    linked: await overview.linkedRooms(search, most),
    hosted: await overview.hostedRooms(search, most),
  });
}
