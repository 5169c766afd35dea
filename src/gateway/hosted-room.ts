/** A Matrix room as the XMPP room that its guests are in: XEP-0045 1.35, with the bridge as the service. */
import type { RoomState } from "../bridge/room-state.ts";
import type { Rank } from "../mapping/affiliations.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Guest } from "../store/room-records.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";

export interface HostedRoom {
  roomId: RoomId;
  /** The clients of XMPP users that are in the room; none in a room that nobody has entered. */
  guests(): Guest[];
  /** As the guest sees the room, or as anybody of whom nothing is said. @throws MatrixError where it may not be seen. */
  state(reader?: UserId): Promise<RoomState>;
  /** What a member is called, members who are not shown included. */
  nickOf(userId: UserId): Promise<string>;
  userOfNick(nick: string): Promise<UserId | undefined>;
  /** Members whom the guests are shown, each with what they are called. */
  shown(): Promise<ReadonlyMap<UserId, { nick: string }>>;
  /** XEP-0421, the same for ever. */
  occupantId(userId: UserId): string;
  /** As they stand in the room, members of a room that is not for everybody being "member" at least. */
  rankOf(userId: UserId): Promise<Rank>;
  /** The address behind a member: of a guest's client, of an XMPP user, of a Matrix user. */
  jidOf(userId: UserId): Promise<Jid | undefined>;
  /**
   * An event as the room's archive has it: groupchat stanzas from the occupant, with the room's marks and without `to`.
   * @param address by which the room is known to whoever asks.
   * @param reader whoever asks; what they may not see is not quoted either.
   */
  archived(event: MatrixEvent, address: BareJid, reader: UserId): Promise<Element[]>;
  /**
   * Sends something to each guest, side by side. Guests whose server says that they are gone are taken out; with a
   * cause those who have got it are remembered, so that another attempt leaves them out.
   * @param stanzaFor undefined for guests who get nothing.
   */
  broadcast(
    stanzaFor: (to: FullJid, guest: Guest) => Element | readonly Element[] | undefined,
    cause?: string,
  ): Promise<void>;
}

/** All Matrix rooms that XMPP users can enter. */
export interface HostedRooms {
  of(roomId: RoomId): HostedRoom;
  /** The client of an XMPP user in the room behind that address; undefined for those who have not entered. */
  guestAt(address: BareJid, jid: Jid): Guest | undefined;
  /** The room behind an address, and servers that are in it; undefined where there is none. */
  resolve(address: BareJid): Promise<{ roomId: RoomId; servers: string[] } | undefined>;
}
