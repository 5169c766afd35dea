/** What the status page shows of the bridge's middle, and what can be done there. */
import type { Addresses } from "../mapping/addresses.ts";
import type { RoomId } from "../matrix/ids.ts";
import type { Lanes, Readings } from "../ops/metrics.ts";
import type { Links } from "../rooms/links.ts";
import type { HostedSummary, Occupancy, ParkedSummary, WaitingLane } from "../store/overview-records.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { RoomStates } from "./room-state.ts";

export interface LinkedRoom
  extends Occupancy,
    Pick<RoomLink, "roomId" | "muc" | "kind" | "mode" | "linkedBy"> {
  /** On Matrix, where it is known without asking. */
  name: string | undefined;
}

export interface HostedRoom extends HostedSummary {
  name: string | undefined;
}

/** The first of those that fit, and how many fit and there are. */
export interface Found<T> {
  shown: T[];
  fitting: number;
  all: number;
}

export interface BridgeOverview {
  counts(): Promise<Readings>;
  /** How many lanes are worked on, wait for that, or wait to try again. */
  states(): Lanes;
  lanes(limit: number): Promise<WaitingLane[]>;
  parked(limit: number): Promise<ParkedSummary[]>;
  /** @param search part of a name or an address, in any case; all where it is empty. */
  linkedRooms(search: string, limit: number): Promise<Found<LinkedRoom>>;
  hostedRooms(search: string, limit: number): Promise<Found<HostedRoom>>;
  /** Tries a parked job again. @returns false where there is no such one. */
  retry(id: number): Promise<boolean>;
  /** Tries again all that is parked. */
  retryAll(): Promise<void>;
  /** What waits for its next attempt is tried at once. */
  retryNow(): void;
  /** @returns false where there is no such parked job. */
  drop(id: number): Promise<boolean>;
}

export interface OverviewDeps {
  addresses: Pick<Addresses, "botUserId">;
  links: () => Pick<Links, "all">;
  roomStates: Pick<RoomStates, "known">;
  store: Pick<Store, "overview" | "lanes">;
  dispatcher: Pick<Dispatcher, "lanes" | "wake" | "retryNow">;
  /** Unix time in milliseconds. */
  now: () => number;
}

export function createOverview(deps: OverviewDeps): BridgeOverview {
  const { links, roomStates, dispatcher, now } = deps;
  const { overview, lanes } = deps.store;
  const bot = deps.addresses.botUserId;
  const nameOf = (roomId: RoomId): string | undefined => {
    const state = roomStates.known(roomId);
    return state?.name ?? state?.canonicalAlias;
  };
  const find = <T>(all: readonly T[], search: string, wordsOf: (one: T) => (string | undefined)[]): T[] => {
    const wanted = search.trim().toLowerCase();
    if (wanted === "") return [...all];
    return all.filter((one) => wordsOf(one).some((word) => word?.toLowerCase().includes(wanted)));
  };
  const retry = async (id: number): Promise<boolean> => {
    const lane = await overview.laneOfParked(id);
    if (lane === undefined) return false;
    await lanes.unpark(id);
    dispatcher.wake([lane]);
    return true;
  };

  return {
    async counts() {
      const { oldestAt, ...counts } = await overview.counts(bot);
      return { ...counts, oldestSeconds: Math.max(0, now() - (oldestAt ?? now())) / 1000 };
    },
    states: dispatcher.lanes,
    lanes: overview.lanes,
    parked: overview.parked,
    async linkedRooms(search, limit) {
      const all = links().all();
      const fitting = find(all, search, ({ muc, roomId }) => [muc, roomId, nameOf(roomId)]);
      const shown = fitting.slice(0, limit).map(async ({ roomId, muc, kind, mode, linkedBy }) => ({
        ...{ roomId, muc, kind, mode, linkedBy, name: nameOf(roomId) },
        ...(await overview.occupancyOf(muc, bot)),
      }));
      return { shown: await Promise.all(shown), fitting: fitting.length, all: all.length };
    },
    async hostedRooms(search, limit) {
      const all = await overview.hosted();
      const fitting = find(all, search, ({ roomId, address }) => [roomId, address, nameOf(roomId)]);
      const shown = fitting.slice(0, limit).map((room) => ({ ...room, name: nameOf(room.roomId) }));
      return { shown, fitting: fitting.length, all: all.length };
    },
    retry,
    async retryAll() {
      dispatcher.wake(await lanes.unparkAll());
    },
    retryNow: dispatcher.retryNow,
    async drop(id) {
      if ((await overview.laneOfParked(id)) === undefined) return false;
      await lanes.drop(id);
      return true;
    },
  };
}
