/** The Matrix rooms that the bot is in: entered on invitation, left when nobody else is there. */
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import { markType } from "../rooms/portal-room.ts";
import type { BotRoom, BotRooms as StoredRooms } from "../store/store.ts";

export interface BotRoomsDeps {
  bot: UserId;
  matrix: MatrixClient;
  store: StoredRooms;
  /** Whether the room is a linked one, which is never left for being empty and never a direct chat. */
  isLinked(roomId: RoomId): boolean;
  log: Log;
}

export interface BotRooms {
  ofRoom(roomId: RoomId): Promise<BotRoom | undefined>;
  /** Joins and looks round. */
  enter(roomId: RoomId): Promise<BotRoom>;
  /** The homeserver told of a member of any room. */
  noteMembership(event: MatrixEvent): Promise<void>;
  /** The bot's rooms as the homeserver knows them take the place of those that are stored. */
  reconcile(signal: AbortSignal): Promise<{ found: number; forgotten: number }>;
}

export function createBotRooms({ bot, matrix, store, isLinked, log }: BotRoomsDeps): BotRooms {
  /** @returns the room as it is now; undefined where it is linked, or the bot was alone and has left. */
  const look = async (roomId: RoomId): Promise<BotRoom | undefined> => {
    if (isLinked(roomId)) return undefined;
    const others = [...(await matrix.members(bot, roomId)).keys()].filter((member) => member !== bot);
    // A portal that was being made meanwhile.
    if (isLinked(roomId)) return undefined;
    // Its link is not stored yet; one whose making was cut short is found again by its alias.
    const isBeingMade = others.length === 0 && (await matrix.state(bot, roomId, markType)) !== undefined;
    if (isBeingMade) return undefined;
    if (others.length === 0) {
      await matrix.leave(bot, roomId, "Nobody else is here.");
      await store.forget(roomId);
      log.info("left a room where the bot was alone", { room: roomId });
      return undefined;
    }
    const [alias, rules] = [
      await matrix.state(bot, roomId, "m.room.canonical_alias"),
      await matrix.state(bot, roomId, "m.room.join_rules"),
    ];
    // Where others can come in, or will, it is no chat of two, although its founder is alone yet.
    const isOpen =
      Boolean(readString(alias ?? {}, "alias")) || readString(rules ?? {}, "join_rule") === "public";
    const room = { roomId, userId: others.length === 1 && !isOpen ? others[0] : undefined };
    await store.save(room);
    return room;
  };

  /** As `look`, for a room that the bot may not be in any more. */
  const lookRound = async (roomId: RoomId): Promise<BotRoom | undefined> => {
    try {
      return await look(roomId);
    } catch (error) {
      if (!(error instanceof MatrixError && error.status === 403)) throw error;
      await store.forget(roomId);
      return undefined;
    }
  };

  return {
    ofRoom: async (roomId) => (isLinked(roomId) ? { roomId, userId: undefined } : store.ofRoom(roomId)),

    async enter(roomId) {
      await matrix.join(bot, roomId);
      return (await lookRound(roomId)) ?? { roomId, userId: undefined };
    },

    async noteMembership({ room_id: roomId, state_key: member, content }) {
      const room = await store.ofRoom(roomId);
      if (!room) return;
      const membership = readString(content, "membership") ?? "leave";
      const isGone = membership === "leave" || membership === "ban";
      if (member === bot) return isGone ? store.forget(roomId) : undefined;
      // Who comes to a room that is shared already changes nothing, and neither does a new name.
      if (isGone || (room.userId !== undefined && member !== room.userId)) await lookRound(roomId);
    },

    async reconcile(signal) {
      const stored = await store.all();
      const known = new Set(stored.map(({ roomId }) => roomId));
      const joined = new Set(await matrix.joinedRooms(bot));
      const unknown = [...joined].filter((roomId) => !known.has(roomId) && !isLinked(roomId));
      const gone = [...known].filter((roomId) => !joined.has(roomId));
      // Somebody may have come to a direct chat, where secrets are taken; shared rooms can be large and stay shared.
      const direct = stored.filter(({ userId }) => userId !== undefined).map(({ roomId }) => roomId);
      for (const roomId of [...unknown, ...direct.filter((room) => joined.has(room))]) {
        if (!signal.aborted) await lookRound(roomId);
      }
      for (const roomId of gone) await store.forget(roomId);
      return { found: unknown.length, forgotten: gone.length };
    },
  };
}
