/** Where people talk, and who they are: two people in a room of their own, or many in a room that both networks share. */
import type { Addresses } from "../mapping/addresses.ts";
import { passedByStanza, viaContent } from "../mapping/via.ts";
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { type BareJid, isFullJid, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";

/** A Matrix user and an XMPP user; `jid` is `room/key` where the latter is an occupant who is known by no other address. */
export interface Pair {
  roomId: RoomId;
  userId: UserId;
  jid: Jid;
}

export interface SharedRoom {
  jid: BareJid;
  /** The bridge itself is the XMPP room: what it calls a message is the event's ID. */
  isHosted: boolean;
  /** What somebody is called there, ghosts included. */
  nickOf(userId: UserId): Promise<string | undefined>;
  /** Who is called so there, ghosts included. */
  userOfNick(nick: string): Promise<UserId | undefined>;
  /** Who has that occupant ID (XEP-0421), ghosts included. */
  userOfOccupantId?: (id: string) => Promise<UserId | undefined>;
  /** Where the bot speaks for all Matrix users: what it says in place of one of their stanzas. */
  relayed?: (stanzas: Element[], event: MatrixEvent) => Promise<Element[]>;
}

export type Conversation = {
  roomId: RoomId;
  /** As whom the Matrix room is read. */
  reader: UserId;
} & ({ partner: Omit<Pair, "roomId">; room?: undefined } | { room: SharedRoom; partner?: undefined });

/** Who says something on XMPP. */
export interface Speaker {
  ghost: UserId;
  /** By which they are known again: the bare JID, or `room/key` of an occupant. */
  jid: Jid;
  nick?: string;
}

export const directConversation = (
  { roomId, userId, jid }: Pair,
  addresses: Pick<Addresses, "ghostOf">,
): Conversation => ({ roomId, reader: addresses.ghostOf(jid), partner: { userId, jid } });

/** The XMPP user of a direct conversation. */
export const speakerIn = ({ jid }: Pair, addresses: Pick<Addresses, "ghostOf">): Speaker => ({
  ghost: addresses.ghostOf(jid),
  jid,
});

/** Whether it goes by the address of a room, in which only nicks are known (XEP-0045 §7.5). */
export const isWithOccupant = ({ partner }: Conversation): boolean =>
  partner !== undefined && isFullJid(partner.jid);

/** What an event that a stanza becomes says of where it has been. */
export const passedOn = (stanza: Element, { room }: Conversation): Content => {
  const rooms = passedByStanza(stanza);
  if (!room) return {};
  // A hosted room is its Matrix room, which the event shows by being there.
  return viaContent(room.isHosted ? rooms : [...rooms, room.jid]);
};
