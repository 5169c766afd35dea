/** What the bridge remembers: the interface that each database backend implements. */
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";

/** What a job carries: the cause as it came in, never its effect, so that doing it again does the same. */
export type Work =
  | { kind: "event"; event: MatrixEvent }
  | { kind: "stanza"; xml: string }
  | { kind: "notice"; roomId: RoomId; ghost: UserId; content: Content }
  | { kind: "bounce"; xml: string }
  /** Compare the room with what was accepted of it, from that event on. */
  | { kind: "catch-up"; roomId: RoomId; after: EventId };

export interface NewJob {
  /** Jobs of one lane are done one after the other; lanes never wait for each other. */
  lane: string;
  /** Names the message through every log line and is the seed of the IDs on the far side. */
  cause: string;
  work: Work;
}

export interface EventJob extends NewJob {
  work: Extract<Work, { kind: "event" }>;
}

export interface Job extends NewJob {
  id: number;
  /** Unix time in milliseconds. */
  acceptedAt: number;
  attempts: number;
}

export interface ParkedJob extends Job {
  problem: string;
}

/** `undefined` while the room is being created: an answer may have been lost, so look before making another. */
export interface DirectRoom {
  userId: UserId;
  jid: BareJid;
  roomId: RoomId | undefined;
  /** The Matrix user's own membership: "invite", "join", "leave", "ban" or "knock". */
  membership: string;
}

export interface Lanes {
  /** Stores the jobs in one durable commit; resolves once they would survive a power cut. */
  add(jobs: readonly NewJob[]): Promise<void>;
  /** Lanes that hold a job to do. */
  waiting(): Promise<string[]>;
  /** The oldest job of the lane that is not parked. */
  next(lane: string): Promise<Job | undefined>;
  complete(job: Job): Promise<void>;
  /** Counts a failed attempt; the job stays at the head of its lane. */
  failed(job: Job, problem: string): Promise<void>;
  /** Takes the job out of its lane and stores what is to be told about it, both or neither. */
  park(job: Job, problem: string, followUps: readonly NewJob[]): Promise<void>;
  parked(): Promise<ParkedJob[]>;
}

export interface Transactions {
  /**
   * Stores the events' jobs and remembers the transaction, in one durable commit. Ahead of the first event of an
   * unsure room goes a catch-up job.
   * @returns the jobs that were new: none for a repeated transaction, fewer where an event came before.
   */
  accept(txn: {
    id: string;
    digest: string;
    jobs: readonly EventJob[];
    unsure: ReadonlySet<RoomId>;
  }): Promise<EventJob[]>;
  /** Rooms of the newest events, each with its newest. */
  recentRooms(): Promise<{ roomId: RoomId; eventId: EventId }[]>;
  /**
   * Stores jobs of events that the homeserver did not hand over, in the lane of a running job: behind it and ahead
   * of all that waits there.
   * @returns the jobs that were new.
   */
  acceptNext(running: Job, jobs: readonly EventJob[]): Promise<EventJob[]>;
}

export interface DirectRooms {
  ofPair(userId: UserId, jid: BareJid): Promise<DirectRoom | undefined>;
  ofRoom(roomId: RoomId): Promise<DirectRoom | undefined>;
  /** Durable, since what follows on the homeserver cannot be taken back. */
  save(room: DirectRoom): Promise<void>;
  forget(userId: UserId, jid: BareJid): Promise<void>;
}

export interface Ghosts {
  /** The JID behind a ghost that was registered before. */
  jidOf(userId: UserId): Promise<BareJid | undefined>;
  save(userId: UserId, jid: BareJid): Promise<void>;
}

export interface Subscribers {
  has(userId: UserId, jid: BareJid): Promise<boolean>;
  add(userId: UserId, jid: BareJid): Promise<void>;
  remove(userId: UserId, jid: BareJid): Promise<void>;
}

export interface Store {
  transactions: Transactions;
  lanes: Lanes;
  directRooms: DirectRooms;
  ghosts: Ghosts;
  subscribers: Subscribers;
  /** Forgets transaction and event IDs received before the given Unix time in milliseconds. */
  prune(before: number): Promise<void>;
  close(): Promise<void>;
}
