/** What is remembered of rooms: those of XMPP services that are linked, and Matrix rooms with XMPP users in them. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Affiliation, Role } from "../xmpp/affiliation.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";

/** One Matrix room and one room of an XMPP service (a MUC) that are the same to those who are in them. */
export interface RoomLink {
  roomId: RoomId;
  muc: BareJid;
  /** A portal was made by the bridge; a plumbed room was there before. */
  kind: "portal" | "plumbed";
  /** Each Matrix member an occupant, or the bot as the only one, who speaks for all. */
  mode: "puppets" | "relay";
  password: string | undefined;
  linkedBy: UserId | BareJid | undefined;
  /** The newest message of the MUC's archive (XEP-0313) that was taken. */
  archiveId: string | undefined;
  /** Whether the MUC keeps real JIDs from those who are no moderators. */
  isAnonymous: boolean;
}

export interface RoomLinks {
  ofRoom(roomId: RoomId): Promise<RoomLink | undefined>;
  ofMuc(muc: BareJid): Promise<RoomLink | undefined>;
  all(): Promise<RoomLink[]>;
  /** Durable. @throws Error where either room is linked with another one. */
  save(link: RoomLink): Promise<void>;
  /** Durable; its puppets and occupants are forgotten with it. */
  forget(roomId: RoomId): Promise<void>;
  /**
   * Durable: the link of that room is this one from now on, in which one of the two rooms is another. Puppets and
   * occupants stay with their MUC, and are forgotten with it.
   */
  move(roomId: RoomId, link: RoomLink): Promise<void>;
  setArchiveId(muc: BareJid, archiveId: string): Promise<void>;
}

/** A Matrix user, or the bot, as an occupant of a linked MUC. */
export interface Puppet {
  muc: BareJid;
  userId: UserId;
  nick: string;
  state: "in" | "out" | "kicked" | "banned";
  /** XEP-0421, once the MUC has told it. */
  occupantId?: string;
}

export interface Puppets {
  ofMuc(muc: BareJid): Promise<Puppet[]>;
  of(muc: BareJid, userId: UserId): Promise<Puppet | undefined>;
  save(puppet: Puppet): Promise<void>;
  remove(muc: BareJid, userId: UserId): Promise<void>;
}

/** An XMPP user as an occupant of a linked MUC. */
export interface Occupant {
  muc: BareJid;
  /** Their occupant ID (XEP-0421), else the real bare JID where everybody sees it, else the nick. */
  key: string;
  nick: string;
  ghost: UserId;
  /** Whom the ghost stands for: the real bare JID, or `muc/key`. */
  jid: Jid;
  affiliation: Affiliation;
  role: Role;
  isIn: boolean;
}

export interface Occupants {
  /** All who have ever been there. */
  ofMuc(muc: BareJid): Promise<Occupant[]>;
  inMuc(muc: BareJid): Promise<Occupant[]>;
  /** Who has the nick now, or had it last. */
  ofNick(muc: BareJid, nick: string): Promise<Occupant | undefined>;
  ofKey(muc: BareJid, key: string): Promise<Occupant | undefined>;
  ofGhost(muc: BareJid, ghost: UserId): Promise<Occupant | undefined>;
  save(occupant: Occupant): Promise<void>;
}

/** One client of an XMPP user in a Matrix room. */
export interface Guest {
  roomId: RoomId;
  /** As they call the room. */
  address: BareJid;
  jid: FullJid;
  nick: string;
  ghost: UserId;
}

export interface Guests {
  all(): Promise<Guest[]>;
  ofRoom(roomId: RoomId): Promise<Guest[]>;
  /** Durable. */
  save(guest: Guest): Promise<void>;
  remove(roomId: RoomId, jid: FullJid): Promise<void>;
}

/** What a member of a Matrix room is called in there by XMPP users. */
export interface RoomNick {
  roomId: RoomId;
  userId: UserId;
  nick: string;
}

export interface RoomNicks {
  ofRoom(roomId: RoomId): Promise<RoomNick[]>;
  /** Whoever else had the nick has none any more. */
  save(nick: RoomNick): Promise<void>;
  remove(roomId: RoomId, userId: UserId): Promise<void>;
}
