/** Who comes, goes, is put out and is called otherwise on Matrix, as guests of a hosted room see it: XEP-0045 1.35 §7 to §9. */
import type { Addresses } from "../mapping/addresses.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Membership } from "./membership.ts";
import type { Occupancy } from "./occupancy.ts";

export interface MemberEventsDeps {
  addresses: Addresses;
  rooms: GuestRooms;
  occupancy: Occupancy;
  membership: Membership;
  /** Rooms with more members show only those who speak. */
  lazyAbove: number;
  /** Whether a ghost has left because of technical problems. */
  wasLost(roomId: RoomId, ghost: UserId): boolean;
  /** A Matrix user's picture may have changed. */
  onPicture(userId: UserId, avatarUrl: string | undefined): void;
  /** A Matrix user has invited a ghost. */
  onGhostInvited(event: MatrixEvent): Promise<void>;
  log: Log;
}

export type MemberEvents = (room: HostedRoom, event: MatrixEvent) => Promise<void>;

/** §9.1, §8.2 and §11.1. */
const status = { banned: 301, kicked: 307, technical: 333 };

export function createMemberEvents(deps: MemberEventsDeps): MemberEvents {
  const { addresses, rooms, occupancy, membership, log } = deps;

  const onJoin = async (room: HostedRoom, event: MatrixEvent, userId: UserId): Promise<void> => {
    const { roomId } = room;
    const roster = await rooms.roster(roomId);
    const displayName = readString(event.content, "displayname");
    const [session] = rooms.sessionsOf(roomId, userId);
    if (session) {
      // The name of its profile has come over the one that it has in this room.
      if (displayName !== session.nick) await membership.call(userId, roomId, session.nick);
      return;
    }
    const shown = roster.shown.get(userId);
    if (shown) {
      const nick = roster.renamed(userId, displayName);
      if (nick !== undefined) await occupancy.rename(roomId, userId, nick, event.event_id);
      if (!addresses.isGhost(userId)) deps.onPicture(userId, readString(event.content, "avatar_url"));
      return;
    }
    const { members } = await room.state();
    // They may have left again, of which the guests will need no word.
    if (members.get(userId)?.membership !== "join") return;
    roster.set(userId, roster.renamed(userId, displayName) ?? roster.nickOf(userId, displayName));
    const joined = [...members.values()].filter((member) => member.membership === "join");
    if (joined.length <= deps.lazyAbove) await occupancy.announce(roomId, userId, { cause: event.event_id });
  };

  const onGone = async (room: HostedRoom, event: MatrixEvent, userId: UserId): Promise<void> => {
    const { roomId } = room;
    const { sender, event_id: cause } = event;
    const sessions = rooms.sessionsOf(roomId, userId);
    const isOwn = sender === userId;
    // It has left for a client that has come back since, or for another one.
    if (isOwn && sessions.length > 0) return;
    const isBan = readString(event.content, "membership") === "ban";
    const reason = readString(event.content, "reason");
    const isLost = deps.wasLost(roomId, userId) && isOwn;
    const change = {
      ...(isLost && { statuses: [status.technical] }),
      ...(!isOwn && { statuses: [isBan ? status.banned : status.kicked], actor: await room.nickOf(sender) }),
      ...(isBan && { affiliation: "outcast" as const }),
      ...(reason && (isOwn ? { goodbye: reason } : { reason })),
    };
    await occupancy.dismiss(roomId, userId, change, cause);
    for (const session of sessions) await rooms.remove(session);
    if (sessions.length > 0) log.info("a guest was put out", { cause, room: roomId, ghost: userId, isBan });
  };

  return async (room, event) => {
    const userId = event.state_key as UserId;
    const isOurs = (id: UserId): boolean => id === addresses.botUserId || addresses.isGhost(id);
    switch (readString(event.content, "membership")) {
      case "join":
        return onJoin(room, event, userId);
      case "leave":
      case "ban":
        return onGone(room, event, userId);
      case "invite":
        if (addresses.isGhost(userId) && !isOurs(event.sender)) await deps.onGhostInvited(event);
        return;
      default:
        return;
    }
  };
}
