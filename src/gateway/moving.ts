/** A room that is continued elsewhere takes its guests along: m.room.tombstone, XEP-0045 1.35 §10.9. */
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { domainOf, parseRoomId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Occupancy } from "./occupancy.ts";

export interface MovingDeps {
  addresses: Addresses;
  rooms: GuestRooms;
  occupancy: Occupancy;
  matrix: Pick<MatrixClient, "joinRoom">;
  leave(roomId: HostedRoom["roomId"], ghost: MatrixEvent["sender"], reason: string): Promise<void>;
  log: Log;
}

export interface Moving {
  onTombstone(room: HostedRoom, event: MatrixEvent): Promise<void>;
  /** Guests are told that the room goes on elsewhere, or nowhere. */
  sendOn(room: HostedRoom, destroyed: { jid?: BareJid; reason?: string }): Promise<void>;
}

export function createMoving({ addresses, rooms, occupancy, matrix, leave, log }: MovingDeps): Moving {
  const sendOn: Moving["sendOn"] = async (room, destroyed) => {
    for (const guest of room.guests()) {
      const { roomId, ghost, nick } = guest;
      const of = await occupancy.portrait(roomId, ghost, nick);
      // Ahead of forgetting them, so that whatever fails is done when it is tried again.
      if (rooms.sessionsOf(roomId, ghost).length === 1)
        await leave(roomId, ghost, "The room is continued elsewhere.");
      await rooms.sendTo(guest, occupancy.draw(of, guest, { isUnavailable: true, destroyed }));
      await rooms.remove(guest);
    }
  };

  const onTombstone: Moving["onTombstone"] = async (room, event) => {
    const next = parseRoomId(readString(event.content, "replacement_room") ?? "");
    const reason = readString(event.content, "body");
    rooms.forgetAliases(room.roomId);
    const ghosts = new Set(room.guests().map(({ ghost }) => ghost));
    if (next) {
      for (const ghost of ghosts) {
        await matrix.joinRoom(ghost, next, [domainOf(event.sender)]).catch((error) => {
          // Whoever is not let in there is told of it when they enter.
          log.warn("a ghost could not follow to the room's successor", { ghost, room: next, error });
        });
      }
    }
    await sendOn(room, { ...(next && { jid: addresses.jidOfRoom(next) }), ...(reason && { reason }) });
    log.info("a room's guests were sent to its successor", {
      cause: event.event_id,
      room: room.roomId,
      next,
    });
  };

  return { onTombstone, sendOn };
}
