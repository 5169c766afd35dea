/** What is remembered of messages: which event is which stanza, and who has reacted to what. */
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";

/** One event and one stanza that stand for each other. */
export interface StoredMessage {
  roomId: RoomId;
  eventId: EventId;
  /** Counted from 0, where an event is several stanzas or a stanza several events. */
  part: number;
  origin: "matrix" | "xmpp";
  /** The sender on either side; in an XMPP room whose occupants stay unknown the JID is `room/key`. */
  userId: UserId;
  jid: Jid;
  /** The stanza's `id`. */
  messageId: string | undefined;
  /** XEP-0359, as the sender says. */
  originId: string | undefined;
  /** XEP-0359, as an archive says that may: never what anybody else has put there. */
  stanzaId: { id: string; by: BareJid } | undefined;
  /** The first version's event, where this is an edit. */
  rootId: EventId | undefined;
  replyTo: EventId | undefined;
  /** The event that its thread begins with. */
  threadId: EventId | undefined;
  isRedacted: boolean;
}

export interface Messages {
  /** Keeps what is known already of the same event and part. */
  save(message: StoredMessage): Promise<void>;
  /** All parts, in order; none for an event that has not crossed. */
  ofEvent(roomId: RoomId, eventId: EventId): Promise<StoredMessage[]>;
  /** What the sender calls by that message ID or origin ID, oldest first; IDs of others are others. */
  ofMessageId(roomId: RoomId, jid: Jid, id: string): Promise<StoredMessage[]>;
  /** What an archive calls by that stanza ID, oldest first. */
  ofStanzaId(roomId: RoomId, by: BareJid, id: string): Promise<StoredMessage[]>;
  /** The archive has given the stanza an ID. */
  setStanzaId(
    roomId: RoomId,
    eventId: EventId,
    part: number,
    stanzaId: { id: string; by: BareJid },
  ): Promise<void>;
  /** All parts of the first version and of its edits, oldest first. */
  versions(roomId: RoomId, rootId: EventId): Promise<StoredMessage[]>;
  markRedacted(roomId: RoomId, eventId: EventId): Promise<void>;
}

export interface Reaction {
  roomId: RoomId;
  eventId: EventId;
  targetId: EventId;
  userId: UserId;
  key: string;
}

export interface Reactions {
  save(reaction: Reaction): Promise<void>;
  ofEvent(roomId: RoomId, eventId: EventId): Promise<Reaction | undefined>;
  /** What a user has put on a message, oldest first. */
  ofUser(roomId: RoomId, targetId: EventId, userId: UserId): Promise<Reaction[]>;
  /** What all have put on a message, oldest first. */
  ofTarget(roomId: RoomId, targetId: EventId): Promise<Reaction[]>;
  remove(roomId: RoomId, eventId: EventId): Promise<void>;
}
