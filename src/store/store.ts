/** What the bridge remembers: the interface that each database backend implements. */
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { Messages, Reactions } from "./message-records.ts";
import type { Overview } from "./overview-records.ts";
import type { Blocks, LinkRequests } from "./request-records.ts";
import type { Guests, Occupants, Puppets, RoomLinks, RoomNicks } from "./room-records.ts";

/** What a job carries: the cause as it came in, never its effect, so that doing it again does the same. */
export type Work =
  | { kind: "event"; event: MatrixEvent }
  | { kind: "stanza"; xml: string }
  /** A rare one is sent only where the ghost has not sent it for the same cause in a while. */
  | { kind: "notice"; roomId: RoomId; ghost: UserId; content: Content; rare?: true }
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
  /** Unix time in milliseconds; there where it had been given up before. */
  retriedAt?: number;
  attempts: number;
  /** Another process may have been in the midst of it when it ended. */
  isTakenOver?: true;
}

export interface ParkedJob extends Job {
  problem: string;
}

/** A job that waits, with what went wrong the last time it was tried. */
export interface WaitingJob extends Job {
  problem: string | undefined;
}

/** `undefined` while the room is being created: an answer may have been lost, so look before making another. */
export interface DirectRoom {
  userId: UserId;
  /** `room/key` where it is an occupant of an XMPP room who is known by no other address. */
  jid: Jid;
  roomId: RoomId | undefined;
  /** The Matrix user's own membership: "invite", "join", "leave", "ban" or "knock". */
  membership: string;
}

export interface Lanes {
  /**
   * Tells of lanes that have got a job, as soon as it would survive the process. To take it up before it would survive
   * a power cut too costs no promise: whoever sent it has not been answered, and will send it again.
   * Where several processes share the lanes, it tells of those that this one has just claimed.
   * @param room how many more lanes whose names begin so are wanted here now.
   */
  watch(onNews: (lanes: readonly string[]) => void, room?: (prefix: string) => number): void;
  /** Stores the jobs in one durable commit; resolves once they would survive a power cut. */
  add(jobs: readonly NewJob[]): Promise<void>;
  /** As `add`. @returns false where at least so many wait in the lane already, so that nothing was stored. */
  addWithin(atMost: number, job: NewJob): Promise<boolean>;
  /** Whether at least so many jobs, parked ones aside, are in the lanes whose names begin so. */
  isDeep(prefix: string, count: number): Promise<boolean>;
  /** Lanes that hold a job to do. */
  waiting(): Promise<string[]>;
  /** The oldest job of the lane that is not parked. */
  next(lane: string): Promise<Job | undefined>;
  /** The job is over; what is to be told about it is stored with that, both or neither. */
  complete(job: Job, followUps?: readonly NewJob[]): Promise<void>;
  /** Counts a failed attempt; the job stays at the head of its lane. */
  failed(job: Job, problem: string): Promise<void>;
  /** As `complete`, but the job is kept for the operator to see. */
  park(job: Job, problem: string, followUps: readonly NewJob[]): Promise<void>;
  /** The thousand that were parked last, in the order in which they came. */
  parked(): Promise<ParkedJob[]>;
  /** The oldest thousand of those that are not parked, oldest first. */
  queued(): Promise<WaitingJob[]>;
  /** Puts a parked job back to where it was in its lane, as one that may have had its effect. */
  unpark(id: number): Promise<void>;
  /** As `unpark`, for all there are. @returns their lanes. */
  unparkAll(): Promise<string[]>;
  /** The job will not be done, and nobody is told. */
  drop(id: number): Promise<void>;
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
  /** Counts an event as seen, so that what comes after it in its room can be told from what came before. */
  note(roomId: RoomId, eventId: EventId): Promise<void>;
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
  ofPair(userId: UserId, jid: Jid): Promise<DirectRoom | undefined>;
  ofRoom(roomId: RoomId): Promise<DirectRoom | undefined>;
  /** Those of a user whose room is not known, as while it is being made. */
  roomless(userId: UserId): Promise<DirectRoom[]>;
  all(): Promise<DirectRoom[]>;
  /** Those of so many XMPP users, the next ones behind that address; none where there are no more. */
  ofNext(count: number, after: Jid | undefined): Promise<DirectRoom[]>;
  /** Durable, since what follows on the homeserver cannot be taken back. */
  save(room: DirectRoom): Promise<void>;
  forget(userId: UserId, jid: Jid): Promise<void>;
}

/** A Matrix room that the bot is in. */
export interface BotRoom {
  roomId: RoomId;
  /** The other person, where the room is for the two of them alone. */
  userId: UserId | undefined;
}

export interface BotRooms {
  ofRoom(roomId: RoomId): Promise<BotRoom | undefined>;
  all(): Promise<BotRoom[]>;
  save(room: BotRoom): Promise<void>;
  forget(roomId: RoomId): Promise<void>;
}

export interface Ghosts {
  /** The JID behind a ghost that was registered before: of a person, or of an occupant (`room@domain/key`). */
  jidOf(userId: UserId): Promise<Jid | undefined>;
  save(userId: UserId, jid: Jid): Promise<void>;
}

/** An XMPP user who has a Matrix user in the roster and may see them online. */
export interface Subscriber {
  userId: UserId;
  jid: BareJid;
}

export interface Subscribers {
  all(): Promise<Subscriber[]>;
  ofUser(userId: UserId): Promise<BareJid[]>;
  has(userId: UserId, jid: BareJid): Promise<boolean>;
  /** Whether the XMPP user lets the Matrix user see them online, too. */
  isMutual(userId: UserId, jid: BareJid): Promise<boolean>;
  setMutual(userId: UserId, jid: BareJid, mutual: boolean): Promise<void>;
  add(userId: UserId, jid: BareJid): Promise<void>;
  remove(userId: UserId, jid: BareJid): Promise<void>;
}

/** What a ghost shows on Matrix, and where it is from. */
export interface GhostProfile {
  /** As its owner told it unasked, which counts more than what was looked up. */
  nick: string | undefined;
  /** What it is called on Matrix. */
  name: string | undefined;
  /** SHA-1 of the picture in hex, "" for none. */
  avatarHash: string;
  avatarMxc: string | undefined;
  /** Unix time in milliseconds of the last look-up, 0 before the first. */
  lookedAt: number;
}

export interface GhostProfiles {
  /** @param jid of an XMPP user, or `room/key` of an occupant. */
  of(jid: Jid): Promise<GhostProfile | undefined>;
  save(jid: Jid, profile: GhostProfile): Promise<void>;
}

export interface StoredPresence {
  presence: "online" | "unavailable" | "offline";
  status: string | undefined;
  /** Unix time in milliseconds. */
  activeAt: number | undefined;
}

export interface Presences {
  of(userId: UserId): Promise<StoredPresence | undefined>;
  save(userId: UserId, presence: StoredPresence): Promise<void>;
}

/** A message that is remembered, and how far down the conversation it is. */
export interface Place {
  eventId: EventId;
  messageId: string;
  position: number;
}

export interface ReadMarks {
  /** The XMPP user's newest message in the room, up to the event; undefined also where the event has not crossed. */
  newestFromXmpp(roomId: RoomId, upTo: EventId): Promise<Place | undefined>;
  /** What the Matrix user has sent under that message ID. */
  sent(roomId: RoomId, messageId: string): Promise<Place | undefined>;
  /** @returns false where that side had read as far or farther before. */
  advance(roomId: RoomId, reader: "matrix" | "xmpp", position: number): Promise<boolean>;
}

/** Who made a push key, on either network. */
export type PushKeyOwner = UserId | BareJid;

export interface PushKey {
  /** SHA-256 of the key, by which it is found. */
  digest: string;
  key: string;
  owner: PushKeyOwner;
  /** Where notifications for it go. */
  jid: BareJid;
  /** Unix time in milliseconds. */
  madeAt: number;
  /** As the homeserver last counted. */
  unread: number;
  /** Why it will never work again, in words; undefined while it works. */
  ended: string | undefined;
}

export interface PushKeys {
  /** Durable; takes the place of an earlier key of the same owner and address. */
  save(key: PushKey): Promise<void>;
  find(digest: string): Promise<PushKey | undefined>;
  ofOwner(owner: PushKeyOwner): Promise<PushKey[]>;
  ofJid(jid: BareJid): Promise<PushKey[]>;
  end(digest: string, reason: string): Promise<void>;
  remove(digest: string): Promise<void>;
  /** @returns whether the number has changed. */
  setUnread(digest: string, unread: number): Promise<boolean>;
}

export interface PushDeliveries {
  /** Whether the stanza was handed over, and not refused since. */
  isDone(stanzaId: string): Promise<boolean>;
  /** The digest of the key for which the stanza was sent. */
  keyOf(stanzaId: string): Promise<string | undefined>;
  /** Durable; a later outcome takes the place of an earlier one. */
  note(stanzaId: string, digest: string, outcome: "taken" | "refused"): Promise<void>;
  /** When the first of the refusals was tried that no success has followed. */
  refusedSince(digest: string): Promise<number | undefined>;
}

export interface Store {
  messages: Messages;
  reactions: Reactions;
  pushKeys: PushKeys;
  pushDeliveries: PushDeliveries;
  transactions: Transactions;
  lanes: Lanes;
  directRooms: DirectRooms;
  botRooms: BotRooms;
  ghosts: Ghosts;
  subscribers: Subscribers;
  ghostProfiles: GhostProfiles;
  presences: Presences;
  readMarks: ReadMarks;
  links: RoomLinks;
  puppets: Puppets;
  occupants: Occupants;
  guests: Guests;
  roomNicks: RoomNicks;
  linkRequests: LinkRequests;
  blocks: Blocks;
  overview: Overview;
  /**
   * Forgets transaction and event IDs received, notifications sent and jobs parked before the Unix time in
   * milliseconds; and messages and reactions before the other one. A little at a time: others need not wait for it.
   */
  prune(before: number, messagesBefore: number): Promise<void>;
  close(): Promise<void>;
}
