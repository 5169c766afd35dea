/** Who may do what in a linked room: affiliations and roles of the MUC as power levels, and back. */
import type { RoomState, RoomStates } from "../bridge/room-state.ts";
import { levelOfRank, numberIn, type PowerTable, type Rank, rankOf } from "../mapping/affiliations.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type Content, isObject, type MatrixEvent } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";

export interface RanksDeps {
  bot: UserId;
  table: PowerTable;
  matrix: Pick<MatrixClient, "setState">;
  roomStates: Pick<RoomStates, "of" | "note">;
  /** Presences of a join come together, and one event is enough for them all. */
  waitMs?: number;
  log: Log;
}

export interface Ranks {
  /** The MUC tells what somebody is; the Matrix room says the same as far as the bot may say it. */
  show(link: RoomLink, userId: UserId, rank: Rank): void;
  /** From now on it is known what the next change changes. */
  observe(roomId: RoomId): Promise<void>;
  /** Whose rank somebody on Matrix has changed, and what each of them is now. */
  changedBy(event: MatrixEvent): { userId: UserId; rank: Rank; before: Rank }[];
  /** What an event has changed is dealt with. */
  note(event: MatrixEvent): void;
  stop(): void;
}

const type = "m.room.power_levels";

const usualIn = (levels: Content): number => numberIn(levels, "users_default") ?? 0;
const usersOf = (levels: Content): Record<string, unknown> => (isObject(levels.users) ? levels.users : {});

export function createRanks({ bot, table, matrix, roomStates, waitMs = 1500, log }: RanksDeps): Ranks {
  /** The power levels as they were last seen. */
  const seen = new Map<RoomId, Content>();
  const waiting = new Map<RoomId, { timer: NodeJS.Timeout; ranks: Map<UserId, Rank> }>();

  /** The level of somebody from now on; undefined where it stays. */
  const levelFor = (state: RoomState, userId: UserId, rank: Rank): number | undefined => {
    const now = state.levelOf(userId);
    const isMore = rank.affiliation === "owner" || rank.affiliation === "admin" || rank.role === "moderator";
    // Nobody can take power away from somebody who has as much (Matrix v1.15, room versions, "Authorization rules").
    if (now >= state.levelOf(bot)) return undefined;
    // Those without a rank keep what somebody on Matrix has given them below it.
    if (!isMore && now < table.moderator) return undefined;
    const wanted = isMore ? levelOfRank(rank, state.powerLevels, table) : usualIn(state.powerLevels);
    return Math.min(state.levelOf(bot), wanted);
  };

  const write = async (roomId: RoomId, ranks: ReadonlyMap<UserId, Rank>): Promise<void> => {
    const state = await roomStates.of(bot, roomId);
    const levels = state.powerLevels;
    if (!state.maySetState(bot, type)) return;
    const users = { ...usersOf(levels) };
    for (const [userId, rank] of ranks) {
      const level = levelFor(state, userId, rank);
      if (level === usualIn(levels)) delete users[userId];
      else if (level !== undefined) users[userId] = level;
    }
    if (JSON.stringify(users) === JSON.stringify(usersOf(levels))) return;
    const content = { ...levels, users };
    await matrix.setState(bot, roomId, type, content);
    seen.set(roomId, content);
    log.info("power levels follow the ranks in the XMPP room", { room: roomId, users: ranks.size });
  };

  const flush = (roomId: RoomId): void => {
    const ranks = waiting.get(roomId)?.ranks;
    waiting.delete(roomId);
    if (!ranks) return;
    write(roomId, ranks).catch((error) => {
      const isNo = error instanceof MatrixError && error.status < 500;
      log[isNo ? "info" : "warn"]("power levels could not follow the ranks", { room: roomId, error });
    });
  };

  const ranksIn = (levels: Content): Map<UserId, Rank> =>
    new Map(
      Object.entries(usersOf(levels)).map(([userId, level]) => [
        userId as UserId,
        rankOf(Number(level) || 0, levels, table),
      ]),
    );

  return {
    show({ roomId }, userId, rank) {
      const { timer, ranks } = waiting.get(roomId) ?? { timer: undefined, ranks: new Map<UserId, Rank>() };
      clearTimeout(timer);
      ranks.set(userId, rank);
      const next = setTimeout(() => flush(roomId), waitMs);
      next.unref();
      waiting.set(roomId, { timer: next, ranks });
    },

    async observe(roomId) {
      if (!seen.has(roomId)) seen.set(roomId, (await roomStates.of(bot, roomId)).powerLevels);
    },

    changedBy({ room_id: roomId, content }) {
      const earlier = seen.get(roomId);
      if (!earlier) return [];
      const [before, after] = [ranksIn(earlier), ranksIn(content)];
      const none = rankOf(
        typeof content.users_default === "number" ? content.users_default : 0,
        content,
        table,
      );
      return [...new Set([...before.keys(), ...after.keys()])].flatMap((userId) => {
        const [then, now] = [before.get(userId) ?? none, after.get(userId) ?? none];
        const isSame = then.affiliation === now.affiliation && then.role === now.role;
        return isSame ? [] : [{ userId, rank: now, before: then }];
      });
    },

    note({ room_id: roomId, content }) {
      seen.set(roomId, content);
    },

    stop() {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
  };
}
