/** How guests leave a hosted room, of their own will or because nobody is there any more to be told anything. */
import { LRUCache } from "lru-cache";
import type { Locks } from "../bridge/locks.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import { type Element, readText } from "../xmpp/stanza.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Occupancy } from "./occupancy.ts";

export interface DepartureDeps {
  rooms: GuestRooms;
  locks: Locks;
  occupancy: Occupancy;
  matrix: Pick<MatrixClient, "leave">;
  log: Log;
}

export type Departure = ReturnType<typeof createDeparture>;

export function createDeparture({ rooms, locks, occupancy, matrix, log }: DepartureDeps) {
  /** Ghosts that leave because of technical problems, until the homeserver has told of it. */
  const lost = new LRUCache<string, true>({ max: 1000 });

  const leaveMatrix = async (
    roomId: RoomId,
    ghost: UserId,
    reason: string,
    isLost = false,
  ): Promise<void> => {
    if (isLost) lost.set(`${roomId} ${ghost}`, true);
    try {
      await matrix.leave(ghost, roomId, reason);
    } catch (error) {
      // It is out already, or the room is no more.
      if (!(error instanceof MatrixError && (error.status === 403 || error.status === 404))) throw error;
    }
  };

  /** A client is in the room no longer; the last one of its user takes the ghost along. */
  const leave = async (guest: Guest, reason: string, isLost = false): Promise<void> => {
    const { roomId, ghost } = guest;
    const others = rooms.sessionsOf(roomId, ghost).filter(({ jid }) => jid !== guest.jid);
    // The other guests are told when the homeserver has told everyone, after what was said before.
    if (others.length === 0) await leaveMatrix(roomId, ghost, reason, isLost);
    await rooms.remove(guest);
    log.info("an XMPP user has left a Matrix room", { room: roomId, jid: guest.jid });
  };

  return {
    leaveMatrix,
    /** Whether the ghost has left because of technical problems; asked once. */
    wasLost: (roomId: RoomId, ghost: UserId): boolean => lost.delete(`${roomId} ${ghost}`),

    /** They may be here no longer; all of their clients are told. To be called with the room's lock. */
    async putOut(guest: Guest, reason: string): Promise<void> {
      const of = await occupancy.portrait(guest.roomId, guest.ghost, guest.nick);
      await leave(guest, reason);
      await rooms.sendTo(guest, occupancy.draw(of, guest, { isUnavailable: true, statuses: [307], reason }));
    },

    /** Their presence says that they go. */
    onUnavailable: (guest: Guest, presence: Element): Promise<void> =>
      locks.run(guest.roomId, async () => {
        if (rooms.guestAt(guest.address, guest.jid) === undefined) return;
        const of = await occupancy.portrait(guest.roomId, guest.ghost, guest.nick);
        const goodbye = occupancy.draw(of, guest, {
          isUnavailable: true,
          goodbye: readText(presence, "status") ?? "",
        });
        if (presence.attrs.id) goodbye.attrs.id = presence.attrs.id;
        await leave(guest, readText(presence, "status") ?? "");
        await rooms.sendTo(guest, goodbye);
      }),

    /** Nothing reaches them any more, so they are told nothing. */
    onGone: (guest: Guest, reason: string): Promise<void> =>
      locks.run(guest.roomId, async () => {
        if (rooms.guestAt(guest.address, guest.jid) === undefined) return;
        await leave(guest, reason, true);
      }),
  };
}
