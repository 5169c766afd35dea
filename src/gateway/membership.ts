/** How the ghost of somebody who enters comes into the Matrix room, or what keeps it out. */
import type { MatrixClient, Profile } from "../matrix/client.ts";
import type { RoomAlias, RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import { EntryRefusal } from "./refusal.ts";

export interface MembershipDeps {
  matrix: Pick<MatrixClient, "joinedRooms" | "joinRoom" | "knock" | "setState">;
  profileOf(userId: UserId): Promise<Profile | undefined>;
}

export interface Target {
  roomId: RoomId;
  /** As they call it. */
  called: RoomId | RoomAlias;
  /** In the room, and can be asked about it. */
  servers: readonly string[];
}

export type Membership = ReturnType<typeof createMembership>;

const isRefused = (error: unknown): error is MatrixError =>
  error instanceof MatrixError && (error.status === 403 || error.errcode === "M_BAD_STATE");

export function createMembership({ matrix, profileOf }: MembershipDeps) {
  const knock = async (ghost: UserId, { called }: Target): Promise<never> => {
    try {
      await matrix.knock(ghost, called, "They would like to come in from XMPP.");
    } catch (error) {
      if (!isRefused(error)) throw error;
      throw new EntryRefusal(
        "auth",
        "registration-required",
        "Only those who are invited can enter this room.",
      );
    }
    throw new EntryRefusal(
      "auth",
      "registration-required",
      "You have asked to be let in. Enter again once somebody in the room has agreed.",
    );
  };

  /** In this room the ghost is called as its owner wishes; one that may come in comes in by that. */
  const call = async (ghost: UserId, roomId: RoomId, nick: string): Promise<void> => {
    const avatar = (await profileOf(ghost).catch(() => undefined))?.avatarUrl;
    const content = { membership: "join", displayname: nick, ...(avatar && { avatar_url: avatar }) };
    await matrix.setState(ghost, roomId, "m.room.member", content, ghost);
  };

  const join = async (ghost: UserId, target: Target, nick: string): Promise<void> => {
    try {
      // Joining as usual would show everybody the ghost's own name first.
      return await call(ghost, target.roomId, nick);
    } catch (error) {
      if (!(error instanceof MatrixError && error.status < 500 && error.status !== 429)) throw error;
    }
    // Only like this the homeserver enters rooms that it is not in itself, and says why it does not.
    await matrix.joinRoom(ghost, target.roomId, target.servers);
    await call(ghost, target.roomId, nick);
  };

  return {
    call,
    /** @throws EntryRefusal. */
    async enter(ghost: UserId, target: Target, nick: string): Promise<void> {
      // Joining once more would give the ghost the name of its profile back.
      if ((await matrix.joinedRooms(ghost)).includes(target.roomId)) return;
      try {
        await join(ghost, target, nick);
      } catch (error) {
        if (error instanceof MatrixError && error.status === 404) {
          throw new EntryRefusal("cancel", "item-not-found", "There is no such room.");
        }
        if (!isRefused(error)) throw error;
        // COMPAT(Synapse 1.160): nothing but the text tells those who are banned from those who are not invited.
        if (/\bban/i.test(error.message)) {
          throw new EntryRefusal("auth", "forbidden", "You are banned from this room.");
        }
        await knock(ghost, target);
      }
    },
  };
}
