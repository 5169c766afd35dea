/** Who is called what in a hosted room, and whom its guests have been shown: nicks are unique, and stay while people do. */
import type { RoomState } from "../bridge/room-state.ts";
import type { Rank } from "../mapping/affiliations.ts";
import { lookOf, nickFor } from "../mapping/nicks.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { RoomNicks } from "../store/room-records.ts";

export interface Shown {
  nick: string;
  /** As the guests were told last; undefined where an earlier run of the bridge told them. */
  rank: Rank | undefined;
}

export interface RosterDeps {
  roomId: RoomId;
  store: RoomNicks;
  /** Whether guests are there who were told by an earlier run. */
  hasGuests: boolean;
}

export type Roster = Awaited<ReturnType<typeof createRoster>>;

/** Reads what an earlier run remembered of the room. */
export async function createRoster({ roomId, store, hasGuests }: RosterDeps) {
  const nicks = new Map<UserId, string>();
  const looks = new Map<string, UserId>();
  const users = new Map<string, UserId>();
  /** What guests know: it is kept, so that they are told of it after a restart. */
  const shown = new Map<UserId, Shown>();

  const forget = (userId: UserId): void => {
    const nick = nicks.get(userId);
    if (nick === undefined) return;
    nicks.delete(userId);
    users.delete(nick);
    if (looks.get(lookOf(nick)) === userId) looks.delete(lookOf(nick));
  };
  const set = (userId: UserId, nick: string): void => {
    forget(userId);
    nicks.set(userId, nick);
    users.set(nick, userId);
    looks.set(lookOf(nick), userId);
  };
  for (const { userId, nick } of await store.ofRoom(roomId)) {
    set(userId, nick);
    if (hasGuests) shown.set(userId, { nick, rank: undefined });
  }

  const isTaken = (nick: string, by: UserId): boolean => {
    const owner = users.get(nick) ?? looks.get(lookOf(nick));
    return owner !== undefined && owner !== by;
  };
  const nickFrom = (userId: UserId, displayName: string | undefined): string =>
    nickFor({ displayName, userId, taken: (nick) => isTaken(nick, userId) });

  return {
    shown: shown as ReadonlyMap<UserId, Shown>,
    isTaken,
    set,
    userOf: (nick: string): UserId | undefined => users.get(nick),
    /**
     * Gives a nick to each member who has none, so that newcomers cannot take what will be somebody's.
     * @param newcomer who is a member by now, and comes after all the others.
     */
    name(state: RoomState, newcomer?: UserId): void {
      for (const [userId, { membership, displayName }] of state.members) {
        if (membership !== "join" || nicks.has(userId) || userId === newcomer) continue;
        set(userId, nickFrom(userId, displayName));
      }
    },
    /** What they are called, or would be if they were there. */
    nickOf: (userId: UserId, displayName: string | undefined): string =>
      nicks.get(userId) ?? nickFrom(userId, displayName),
    /** What they would be called by that name, if it is not as they are called already. */
    renamed(userId: UserId, displayName: string | undefined): string | undefined {
      const nick = nickFrom(userId, displayName);
      return nick === nicks.get(userId) ? undefined : nick;
    },
    /** The guests know of the member from now on. */
    async show(userId: UserId, next: Shown): Promise<void> {
      const before = shown.get(userId);
      set(userId, next.nick);
      shown.set(userId, next);
      if (before?.nick !== next.nick) await store.save({ roomId, userId, nick: next.nick });
    },
    /** They are gone. */
    async hide(userId: UserId): Promise<void> {
      shown.delete(userId);
      forget(userId);
      await store.remove(roomId, userId);
    },
    /** Nobody is there any more who was told anything. */
    async clear(): Promise<void> {
      for (const userId of shown.keys()) await store.remove(roomId, userId);
      shown.clear();
      nicks.clear();
      users.clear();
      looks.clear();
    },
  };
}
