/** What operators look at: counts and short lists that stay quick however much there is. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";

export interface Counts {
  /** Jobs that are not parked. */
  queued: number;
  parked: number;
  /** Unix time in milliseconds of the acceptance of the oldest one that is not parked. */
  oldestAt: number | undefined;
  relayedRooms: number;
  puppetRooms: number;
  hostedRooms: number;
  /** Those that are in their room. */
  puppets: number;
  occupants: number;
  guests: number;
  ghosts: number;
  directRooms: number;
}

/** A lane, by the job at its head. */
export interface WaitingLane {
  lane: string;
  depth: number;
  cause: string;
  /** Unix time in milliseconds. */
  acceptedAt: number;
  attempts: number;
  problem: string | undefined;
}

export interface ParkedSummary {
  id: number;
  lane: string;
  cause: string;
  /** Both Unix time in milliseconds. */
  acceptedAt: number;
  parkedAt: number;
  attempts: number;
  problem: string;
}

export interface Occupancy {
  /** Whether the bot is in the XMPP room. */
  isHeard: boolean;
  /** Who is there from each side. */
  fromXmpp: number;
  fromMatrix: number;
}

export interface HostedSummary {
  roomId: RoomId;
  /** As one of the guests calls it. */
  address: BareJid;
  people: number;
  clients: number;
}

export interface Overview {
  /** @param bot who is no puppet. */
  counts(bot: UserId): Promise<Counts>;
  /** Those with the oldest job first. */
  lanes(limit: number): Promise<WaitingLane[]>;
  /** The newest first. */
  parked(limit: number): Promise<ParkedSummary[]>;
  /** The lane of a job that is parked; undefined where there is no such one. */
  laneOfParked(id: number): Promise<string | undefined>;
  occupancyOf(muc: BareJid, bot: UserId): Promise<Occupancy>;
  hosted(): Promise<HostedSummary[]>;
}
