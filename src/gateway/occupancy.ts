/** Members of a hosted room as occupants, and what the guests are told of them: presence of XEP-0045 1.35. */
import { LRUCache } from "lru-cache";
import type { Rank } from "../mapping/affiliations.ts";
import { type OccupantPresence, occupantPresence } from "../mapping/muc-presence.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Guest } from "../store/room-records.ts";
import type { FullJid, Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { copyOf, type Element, xml } from "../xmpp/stanza.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Pictures } from "./pictures.ts";

export interface OccupancyDeps {
  rooms: GuestRooms;
  pictures: Pick<Pictures, "hashOf">;
}

/** What all are told of an occupant. */
export interface Portrait {
  userId: UserId;
  nick: string;
  rank: Rank;
  jid: Jid | undefined;
  occupantId: string;
  photoHash: string | undefined;
  /** What a guest's client says of itself. */
  more: readonly Element[];
}

type Change = Partial<
  Pick<
    OccupantPresence,
    "isUnavailable" | "newNick" | "actor" | "reason" | "affiliation" | "role" | "destroyed"
  >
> & {
  statuses?: readonly number[];
  /** What they say as they go. */
  goodbye?: string;
};

export type Occupancy = ReturnType<typeof createOccupancy>;

/** What only the room says, or what speaks of joining. */
const notPassedOn: ReadonlySet<unknown> = new Set([NS.muc, NS.mucUser, NS.occupantId, NS.delay, NS.stableId]);
const mostChildren = 20;

const own = 110;
const nobody: Rank = { affiliation: "none", role: "participant" };

const isSameRank = (a: Rank | undefined, b: Rank): boolean =>
  a?.affiliation === b.affiliation && a.role === b.role;

export function createOccupancy({ rooms, pictures }: OccupancyDeps) {
  /** What guests' clients have said of themselves, by room and ghost. */
  const shows = new LRUCache<string, Element[]>({ max: 10_000 });
  const keyOf = (roomId: RoomId, ghost: UserId): string => `${roomId} ${ghost}`;

  const portrait = async (roomId: RoomId, userId: UserId, nick?: string): Promise<Portrait> => {
    const room = rooms.of(roomId);
    const more = shows.get(keyOf(roomId, userId)) ?? [];
    const hasPhoto = more.some((child) => child.attrs.xmlns === NS.vcardUpdate);
    return {
      userId,
      nick: nick ?? (await room.nickOf(userId)),
      // Whoever was put out of the room is told so, though nothing of it can be read any more.
      rank: await room.rankOf(userId).catch((error) => {
        if (error instanceof MatrixError && error.status === 403) return nobody;
        throw error;
      }),
      jid: await room.jidOf(userId),
      occupantId: room.occupantId(userId),
      photoHash: hasPhoto ? undefined : pictures.hashOf(userId),
      more,
    };
  };

  /** The presence of an occupant as a guest gets it; their own is marked as that. */
  const draw = (of: Portrait, guest: Guest, change: Change = {}): Element => {
    const { statuses = [], isUnavailable = false, affiliation, role, goodbye, ...rest } = change;
    const isOwn = guest.ghost === of.userId;
    const jid = isOwn ? guest.jid : of.jid;
    const presence: OccupantPresence = {
      room: guest.address,
      nick: of.nick,
      isUnavailable,
      affiliation: affiliation ?? of.rank.affiliation,
      role: role ?? (isUnavailable && change.newNick === undefined ? "none" : of.rank.role),
      occupantId: of.occupantId,
      statuses: new Set(isOwn ? [...statuses, own] : statuses),
      ...(jid && { realJid: jid }),
      ...(of.photoHash !== undefined && !isUnavailable && { photoHash: of.photoHash }),
      ...rest,
    };
    const words = goodbye ? [xml("status", {}, goodbye)] : [];
    return occupantPresence(guest.jid, presence, ...(isUnavailable ? words : of.more.map(copyOf)));
  };

  /**
   * Lets the guests see a member as they are now, if they see them otherwise or not at all.
   * @param except who knows already.
   */
  const announce = async (
    roomId: RoomId,
    userId: UserId,
    { cause, except }: { cause?: string; except?: FullJid } = {},
  ): Promise<void> => {
    const roster = await rooms.roster(roomId);
    const of = await portrait(roomId, userId);
    const before = roster.shown.get(userId);
    if (before && before.nick === of.nick && isSameRank(before.rank, of.rank)) return;
    await rooms
      .of(roomId)
      .broadcast((to, guest) => (to === except ? undefined : draw(of, guest)), cause && `${cause} ${userId}`);
    await roster.show(userId, { nick: of.nick, rank: of.rank });
  };

  return {
    portrait,
    draw,
    announce,

    /** The occupant is called otherwise from now on (§7.6): the old one goes, the new one comes. */
    async rename(roomId: RoomId, userId: UserId, nick: string, cause: string): Promise<void> {
      const roster = await rooms.roster(roomId);
      const before = await portrait(roomId, userId);
      const after = { ...before, nick };
      await rooms
        .of(roomId)
        .broadcast(
          (_, guest) => [
            draw(before, guest, { isUnavailable: true, newNick: nick, statuses: [303] }),
            draw(after, guest),
          ],
          `${cause} ${userId} ${nick}`,
        );
      await roster.show(userId, { nick, rank: before.rank });
    },

    /** The occupant is gone; `role` and what else is special of it is in the change. */
    async dismiss(roomId: RoomId, userId: UserId, change: Change, cause: string): Promise<void> {
      const roster = await rooms.roster(roomId);
      const of = await portrait(roomId, userId);
      if (roster.shown.has(userId)) {
        const gone = { ...change, isUnavailable: true };
        await rooms.of(roomId).broadcast((_, guest) => draw(of, guest, gone), `${cause} ${userId}`);
      }
      await roster.hide(userId);
      shows.delete(keyOf(roomId, userId));
    },

    /** Remembers what a guest's client says of itself. */
    note(roomId: RoomId, ghost: UserId, presence: Element): void {
      const children = presence.getChildElements().filter((child) => !notPassedOn.has(child.getNS()));
      shows.set(keyOf(roomId, ghost), children.slice(0, mostChildren).map(copyOf));
    },

    /** Shows the guests an occupant anew: what a guest's client says of itself, what a member looks like. */
    async tell(roomId: RoomId, userId: UserId, cause?: string): Promise<void> {
      const of = await portrait(roomId, userId);
      await rooms.of(roomId).broadcast((_, guest) => draw(of, guest), cause);
    },
  };
}
