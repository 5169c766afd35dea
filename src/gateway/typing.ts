/** Typing in hosted rooms, of guests to Matrix and of Matrix users to guests. Best effort: what fails is forgotten. */
import { LRUCache } from "lru-cache";
import { createLatest } from "../bridge/latest.ts";
import { saysTyping, toChatState } from "../mapping/chat-states.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import { fullJid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { GuestRooms } from "./hosted-rooms.ts";

export interface TypingDeps {
  rooms: GuestRooms;
  matrix: Pick<MatrixClient, "setTyping">;
  /** Whether it crosses at all. */
  showsTyping: boolean;
  log: Log;
}

export interface Typing {
  /** Takes any message of a guest to the room. */
  hear(message: Element, guest: Guest): void;
  /** Takes what the homeserver tells, of which only typing is used here. */
  take(items: readonly Ephemeral[]): void;
}

/** Among more people somebody is always typing, and each guest would be told of each. */
const mostShown = 50;
/** After which a homeserver takes it back by itself. */
const lastsMs = 30_000;
/** A client may say it with every key; so often is enough. */
const againMs = 10_000;

export function createTyping({ rooms, matrix, showsTyping, log }: TypingDeps): Typing {
  /** Guests who show as typing; those who have just been shown, too. */
  const typing = new LRUCache<string, true>({ max: 10_000, ttl: lastsMs });
  const fresh = new LRUCache<string, true>({ max: 10_000, ttl: againMs });
  /** Matrix users whom the guests see typing. */
  const shown = new Map<RoomId, ReadonlySet<UserId>>();

  const toMatrix = createLatest<string, { guest: Guest; isTyping: boolean }>({
    async show(key, { guest: { roomId, ghost }, isTyping }) {
      if (isTyping ? fresh.has(key) : !typing.delete(key)) return;
      fresh.delete(key);
      await matrix.setTyping(ghost, roomId, isTyping, lastsMs);
      if (!isTyping) return;
      fresh.set(key, true);
      typing.set(key, true);
    },
    onError: (key, error) => log.debug("typing was not shown", { key, error }),
  });

  const toGuests = createLatest<RoomId, readonly UserId[]>({
    async show(roomId, userIds) {
      const room = rooms.of(roomId);
      const members = await room.shown();
      const isSmall = members.size <= mostShown;
      const before = shown.get(roomId) ?? new Set();
      const now = new Set(isSmall ? userIds.filter((userId) => members.has(userId)) : []);
      shown.set(roomId, now);
      if (now.size === 0) shown.delete(roomId);
      for (const userId of now.symmetricDifference(before)) {
        const nick = members.get(userId)?.nick;
        if (nick === undefined) continue;
        await room.broadcast((to, { address }) =>
          toChatState(now.has(userId), { from: fullJid(address, nick), to }, "groupchat"),
        );
      }
    },
    onError: (roomId, error) => log.debug("typing was not shown", { room: roomId, error }),
  });

  return {
    hear(message, guest) {
      const isTyping = saysTyping(message);
      if (!showsTyping || isTyping === undefined) return;
      toMatrix.set(`${guest.roomId} ${guest.ghost}`, { guest, isTyping });
    },
    take(items) {
      if (!showsTyping) return;
      for (const item of items) {
        if (item.kind === "typing" && rooms.isHosted(item.roomId)) toGuests.set(item.roomId, item.userIds);
      }
    },
  };
}
