/** Occupants of linked MUCs as members of the Matrix room: in it under their nick while they are there. */
import pLimit from "p-limit";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Ghosts } from "../bridge/ghosts.ts";
import { createLocks } from "../bridge/locks.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import { nameOf } from "../mapping/profiles.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { Occupant } from "../store/room-records.ts";
import { type BareJid, isFullJid } from "../xmpp/jid.ts";

export interface GhostMembersDeps {
  bot: UserId;
  ghosts: Pick<Ghosts, "ensure">;
  matrix: Pick<
    MatrixClient,
    "invite" | "join" | "leave" | "kick" | "ban" | "unban" | "setState" | "setDisplayName"
  >;
  roomStates: Pick<RoomStates, "of" | "note">;
  log: Log;
}

export type Exit = { kind: "leave" } | { kind: "kick" | "ban"; reason: string };

export interface GhostMembers {
  /** Resolves once the ghost is in the room, under its nick. @throws UndeliverableError where it is banned there. */
  enter(roomId: RoomId, occupant: Occupant): Promise<void>;
  exit(roomId: RoomId, ghost: UserId, how: Exit): Promise<void>;
  /** Lets a ghost in that was banned because its occupant was. */
  unban(roomId: RoomId, ghost: UserId): Promise<void>;
  /** Whether the ghost is in the room or invited to it. */
  isThere(roomId: RoomId, ghost: UserId): Promise<boolean>;
}

/** Ghosts that come and go at once, of all rooms: the homeserver has more important things to do. */
const concurrency = 8;

const isForbidden = (error: unknown): boolean => error instanceof MatrixError && error.status === 403;

export function createGhostMembers(deps: GhostMembersDeps): GhostMembers {
  const { bot, ghosts, matrix, roomStates, log } = deps;
  const locks = createLocks();
  const limit = pLimit(concurrency);
  const alone = <T>(roomId: RoomId, ghost: UserId, work: () => Promise<T>): Promise<T> =>
    locks.run(`${roomId} ${ghost}`, () => limit(work));

  const memberOf = async (roomId: RoomId, ghost: UserId) =>
    (await roomStates.of(bot, roomId)).members.get(ghost);

  /** What the homeserver is going to tell, so that nothing is done twice meanwhile. */
  const note = (roomId: RoomId, ghost: UserId, content: Content): void => {
    const event: MatrixEvent = {
      event_id: "$" as EventId,
      type: "m.room.member",
      room_id: roomId,
      sender: ghost,
      state_key: ghost,
      origin_server_ts: 0,
      content,
    };
    roomStates.note(event);
  };

  const join = async (roomId: RoomId, ghost: UserId): Promise<void> => {
    const state = await roomStates.of(bot, roomId);
    const membership = state.members.get(ghost)?.membership;
    if (membership !== "invite" && state.joinRule !== "public") await matrix.invite(bot, roomId, ghost);
    try {
      await matrix.join(ghost, roomId);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      await matrix.invite(bot, roomId, ghost);
      await matrix.join(ghost, roomId);
    }
  };

  /** An occupant is nowhere else; somebody with an address of their own has the nick in this room only. */
  const name = async (roomId: RoomId, { jid, ghost }: Occupant, displayName: string): Promise<void> => {
    const content = { membership: "join", displayname: displayName };
    if (isFullJid(jid)) await matrix.setDisplayName(ghost, displayName);
    else
      await matrix.setState(ghost, roomId, "m.room.member", await withAvatar(roomId, ghost, content), ghost);
    note(roomId, ghost, await withAvatar(roomId, ghost, content));
  };
  const withAvatar = async (roomId: RoomId, ghost: UserId, content: Content): Promise<Content> => {
    const avatarUrl = (await memberOf(roomId, ghost))?.avatarUrl;
    return { ...content, ...(avatarUrl !== undefined && { avatar_url: avatarUrl }) };
  };

  /** By the bot where somebody on XMPP has done it and the bot may, so that it looks like what it is. */
  const takeOut = async (roomId: RoomId, ghost: UserId, how: Exit): Promise<"leave" | "ban"> => {
    if (how.kind === "leave") {
      await matrix.leave(ghost, roomId);
      return "leave";
    }
    const state = await roomStates.of(bot, roomId);
    if (!state.may(bot, how.kind, ghost)) {
      await matrix.leave(ghost, roomId, how.reason);
      return "leave";
    }
    await matrix[how.kind](bot, roomId, ghost, how.reason);
    return how.kind === "ban" ? "ban" : "leave";
  };

  return {
    enter: (roomId, occupant) =>
      alone(roomId, occupant.ghost, async () => {
        const { ghost, nick, jid } = occupant;
        const shown = nameOf(nick, jid as BareJid);
        const before = await memberOf(roomId, ghost);
        if (before?.membership === "ban") {
          throw new UndeliverableError("auth", "forbidden", `${nick} is banned from the Matrix room.`);
        }
        if (before?.membership === "join" && before.displayName === shown) return;
        await ghosts.ensure(jid, shown);
        if (before?.membership !== "join") {
          await join(roomId, ghost);
          log.debug("an occupant is in the Matrix room", { room: roomId, ghost });
          // The ghost of an occupant was named when it was made, unless that was under another nick.
          const isNamed = isFullJid(jid) && (before?.displayName ?? shown) === shown;
          note(roomId, ghost, { membership: "join", ...(isNamed && { displayname: shown }) });
          if (isNamed) return;
        }
        await name(roomId, occupant, shown);
      }),

    exit: (roomId, ghost, how) =>
      alone(roomId, ghost, async () => {
        const seen = await memberOf(roomId, ghost).catch((error) => {
          // Once the bot is out it sees nobody, and the ghosts are to leave all the same.
          if (isForbidden(error) && how.kind === "leave") return { membership: "join" };
          throw error;
        });
        const membership = seen?.membership;
        const isIn = membership === "join" || membership === "invite";
        if (membership === "ban" || (!isIn && how.kind !== "ban")) return;
        try {
          note(roomId, ghost, { membership: await takeOut(roomId, ghost, how) });
        } catch (error) {
          // It is not in there any more, which is what is wanted.
          if (!isForbidden(error)) throw error;
        }
      }),

    unban: (roomId, ghost) =>
      alone(roomId, ghost, async () => {
        if ((await memberOf(roomId, ghost))?.membership !== "ban") return;
        await matrix.unban(bot, roomId, ghost);
        note(roomId, ghost, { membership: "leave" });
      }),

    async isThere(roomId, ghost) {
      const membership = (await memberOf(roomId, ghost))?.membership;
      return membership === "join" || membership === "invite";
    },
  };
}
