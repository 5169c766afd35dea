/** Direct conversations: one Matrix room for one pair of Matrix user and XMPP user, always. */
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type Content, readString } from "../matrix/event.ts";
import { domainOf, parseUserId, type RoomId, type UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { DirectRoom, DirectRooms as StoredRooms, Transactions } from "../store/store.ts";
import type { Jid } from "../xmpp/jid.ts";
import { LeadNeededError, UndeliverableError } from "./failure.ts";
import type { Ghosts } from "./ghosts.ts";
import { createLocks } from "./locks.ts";

/** State event that says whose conversation a room is, so that a room whose creation was interrupted is found again. */
const markType = "causeway.direct";

/** In place of a membership: the Matrix user has banned the ghost from the conversation. */
const blocked = "blocked";

export interface OpenRoom {
  roomId: RoomId;
  ghost: UserId;
}

export interface DirectRoomsDeps {
  /** Whether this process leads. */
  leads(): boolean;
  addresses: Addresses;
  homeserverDomain: string;
  ghosts: Ghosts;
  matrix: MatrixClient;
  store: StoredRooms;
  transactions: Pick<Transactions, "note">;
  log: Log;
}

export type DirectRooms = ReturnType<typeof createDirectRooms>;

/** Whether the Matrix user is in the room, or is invited to it. */
export const isInUse = ({ membership }: DirectRoom): boolean =>
  membership === "join" || membership === "invite";

const isForbidden = (error: unknown): boolean => error instanceof MatrixError && error.status === 403;

export function createDirectRooms(deps: DirectRoomsDeps) {
  const { homeserverDomain, ghosts, matrix, store, log } = deps;
  const locks = createLocks();
  // Where conversations are made and changed in one process only, its locks see to it that each pair has one.
  const locked = <T>(userId: UserId, jid: Jid, work: () => Promise<T>): Promise<T> =>
    deps.leads() ? locks.run(`${userId} ${jid}`, work) : Promise.reject(new LeadNeededError());

  /** Whose room it is, of those that the ghost has made. */
  const readMark = async (ghost: UserId, roomId: RoomId): Promise<{ userId?: UserId; jid?: string }> => {
    const mark: Content = (await matrix.state(ghost, roomId, markType)) ?? {};
    const [userId, jid] = [parseUserId(readString(mark, "user_id") ?? ""), readString(mark, "jid")];
    return { ...(userId && { userId }), ...(jid !== undefined && { jid }) };
  };
  const membershipIn = async (ghost: UserId, roomId: RoomId, userId: UserId): Promise<string> =>
    (await matrix.members(ghost, roomId)).get(userId) ?? "leave";

  /** A room that was made for the pair by a run that did not live to hear of it. */
  const findMade = async (ghost: UserId, userId: UserId, jid: Jid): Promise<DirectRoom | undefined> => {
    for (const roomId of await matrix.joinedRooms(ghost)) {
      const mark = await readMark(ghost, roomId);
      if (mark.userId !== userId || mark.jid !== jid) continue;
      return { userId, jid, roomId, membership: await membershipIn(ghost, roomId, userId) };
    }
    return undefined;
  };

  /** Without an event to begin from, nobody would know what the homeserver has lost of the first ones. */
  const noteBeginning = async (ghost: UserId, roomId: RoomId): Promise<void> => {
    const first = await matrix.firstEvent(ghost, roomId);
    if (first) await deps.transactions.note(roomId, first);
  };

  const make = async (ghost: UserId, userId: UserId, jid: Jid): Promise<DirectRoom> => {
    if (domainOf(userId) === homeserverDomain && !(await matrix.profile(userId))) {
      throw new UndeliverableError("cancel", "item-not-found", `There is no Matrix user ${userId}.`);
    }
    await store.save({ userId, jid, roomId: undefined, membership: "leave" });
    const roomId = await matrix.createRoom(ghost, {
      preset: "trusted_private_chat",
      visibility: "private",
      is_direct: true,
      invite: [userId],
      initial_state: [{ type: markType, state_key: "", content: { user_id: userId, jid } }],
    });
    log.info("made a room for a direct conversation", { room: roomId, user: userId, jid });
    return { userId, jid, roomId, membership: "invite" };
  };

  const open = async (userId: UserId, jid: Jid): Promise<OpenRoom> => {
    const known = await store.ofPair(userId, jid);
    if (known?.membership === blocked) {
      throw new UndeliverableError("auth", "forbidden", `${userId} does not take messages from you.`);
    }
    const ghost = await ghosts.ensure(jid);
    let current = known;
    if (!current?.roomId) {
      current = (known && (await findMade(ghost, userId, jid))) ?? (await make(ghost, userId, jid));
      await noteBeginning(ghost, current.roomId as RoomId);
      await store.save(current);
    }
    const roomId = current.roomId as RoomId;
    if (!isInUse(current)) {
      const actual = (await matrix.members(ghost, roomId)).get(userId);
      if (!actual) await matrix.invite(ghost, roomId, userId);
      await store.save({ ...current, membership: actual ?? "invite" });
      log.info("the Matrix user is back, or invited back", { room: roomId, user: userId, jid });
    }
    return { roomId, ghost };
  };

  return {
    ofRoom: (roomId: RoomId) => store.ofRoom(roomId),
    ofPair: (userId: UserId, jid: Jid) => store.ofPair(userId, jid),

    /** The conversation in which a user writes: they may do so before the homeserver has told of the new room. */
    ofWriter: async (roomId: RoomId, userId: UserId): Promise<DirectRoom | undefined> => {
      const known = await store.ofRoom(roomId);
      if (known) return known;
      for (const { jid } of await store.roomless(userId)) {
        await locked(userId, jid, async () => {
          const current = await store.ofPair(userId, jid);
          if (!current || current.roomId || current.membership === blocked) return;
          const made = await findMade(await ghosts.ensure(jid), userId, jid);
          if (made) await store.save(made);
        });
      }
      return store.ofRoom(roomId);
    },

    /** The pair's room, made or its Matrix user invited back where needed. */
    open: async (userId: UserId, jid: Jid): Promise<OpenRoom> => {
      if (!deps.leads()) {
        const known = await store.ofPair(userId, jid);
        if (known?.roomId && isInUse(known)) return { roomId: known.roomId, ghost: await ghosts.ensure(jid) };
      }
      return locked(userId, jid, async () => {
        try {
          return await open(userId, jid);
        } catch (error) {
          if (!isForbidden(error)) throw error;
          // The ghost has lost the room, so nobody can be invited back to it.
          await store.forget(userId, jid);
          return open(userId, jid);
        }
      });
    },

    /** After the homeserver refused a message there: back into the room by an open invitation, or into a new room. */
    reopen: (userId: UserId, jid: Jid, roomId: RoomId): Promise<OpenRoom> =>
      locked(userId, jid, async () => {
        const ghost = await ghosts.ensure(jid);
        try {
          await matrix.join(ghost, roomId);
          return { roomId, ghost };
        } catch (error) {
          if (!isForbidden(error)) throw error;
          const current = await store.ofPair(userId, jid);
          if (current?.roomId === roomId && current.membership !== blocked) await store.forget(userId, jid);
          return open(userId, jid);
        }
      }),

    /**
     * Takes the room as the pair's, unless they have one that the Matrix user is in or is invited to. A first
     * message from XMPP waits until the ghost has entered, so that it does not make a second room meanwhile.
     * @param enter joins the room; false where it is not for the two of them alone.
     * @returns the room that counts from now on, or undefined after a false.
     */
    adopt: (
      userId: UserId,
      jid: Jid,
      roomId: RoomId,
      enter: () => Promise<boolean>,
    ): Promise<RoomId | undefined> =>
      locked(userId, jid, async () => {
        if (!(await enter())) return undefined;
        const current = await store.ofPair(userId, jid);
        if (current?.roomId && isInUse(current) && current.roomId !== roomId) return current.roomId;
        await store.save({ userId, jid, roomId, membership: "join" });
        return roomId;
      }),

    /**
     * Takes a room as a pair's that was made for them and is remembered no longer, unless they have another one.
     * @returns whether it is theirs again.
     */
    takeBack: async (ghost: UserId, jid: Jid, roomId: RoomId): Promise<boolean> => {
      const { userId, jid: marked } = await readMark(ghost, roomId);
      if (!userId || marked !== jid) return false;
      return locked(userId, jid, async () => {
        if (await store.ofPair(userId, jid)) return false;
        await store.save({ userId, jid, roomId, membership: await membershipIn(ghost, roomId, userId) });
        return true;
      });
    },

    /** The homeserver told of a member of the room: its Matrix user or its ghost. */
    noteMembership: async (roomId: RoomId, member: UserId, membership: string): Promise<void> => {
      const room = await store.ofRoom(roomId);
      if (!room) return;
      await locked(room.userId, room.jid, async () => {
        const current = await store.ofRoom(roomId);
        if (!current) return;
        if (member === current.userId) await store.save({ ...current, membership });
        else if (member !== deps.addresses.ghostOf(current.jid)) return;
        else if (membership === "ban")
          await store.save({ ...current, roomId: undefined, membership: blocked });
        else if (membership === "leave") await store.forget(current.userId, current.jid);
      });
    },
  };
}
