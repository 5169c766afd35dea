/** Matrix users enter linked rooms or leave them together: when a link gets another mode, or people are blocked. */
import type { RoomStates } from "../bridge/room-state.ts";
import { levelOf, type Permissions } from "../config/permissions.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { Links } from "./links.ts";

export interface CrowdsDeps {
  addresses: Addresses;
  permissions: Permissions;
  links: Pick<Links, "all" | "ofRoom" | "save">;
  store: Pick<Store, "puppets">;
  roomStates: Pick<RoomStates, "of">;
  puppets: {
    enter(link: RoomLink, userId: UserId): Promise<void>;
    leave(link: RoomLink, userId: UserId, reason?: string): Promise<void>;
  };
  log: Log;
}

export interface Crowds {
  /** Each Matrix user becomes an occupant of the MUC, or the bot speaks for all. */
  setMode(roomId: RoomId, mode: RoomLink["mode"]): Promise<void>;
  /** Those who were blocked since they came go. */
  putOutBlocked(): Promise<void>;
}

export function createCrowds(deps: CrowdsDeps): Crowds {
  const { addresses, permissions, links, store, roomStates, puppets, log } = deps;
  const { botUserId: bot } = addresses;
  const isBlocked = (userId: UserId): boolean => levelOf(permissions, userId) === "block";

  const bringIn = async (link: RoomLink): Promise<void> => {
    const { members } = await roomStates.of(bot, link.roomId);
    for (const [userId, { membership }] of members) {
      if (links.ofRoom(link.roomId)?.mode !== "puppets") return;
      const isPerson = userId !== bot && !addresses.isGhost(userId) && !isBlocked(userId);
      if (membership !== "join" || !isPerson) continue;
      await puppets.enter(link, userId).catch((error) => {
        log.info("is not in a room yet", { muc: link.muc, user: userId, error });
      });
    }
  };

  return {
    async setMode(roomId, mode) {
      const before = links.ofRoom(roomId);
      if (!before) return;
      const link = { ...before, mode };
      await links.save(link);
      log.info("a link has another mode", { room: roomId, muc: link.muc, mode });
      if (mode === "puppets") {
        // A crowd takes its time, and whoever speaks meanwhile comes in first.
        bringIn(link).catch((error) => log.warn("nobody was brought into a room", { muc: link.muc, error }));
        return;
      }
      for (const { userId, state } of await store.puppets.ofMuc(link.muc)) {
        // Who was put out stays so.
        if (userId !== bot && (state === "in" || state === "out"))
          await puppets.leave(link, userId, "The bot speaks for all Matrix users now.");
      }
    },

    async putOutBlocked() {
      for (const link of links.all()) {
        for (const { userId, state } of await store.puppets.ofMuc(link.muc))
          if (state === "in" && userId !== bot && isBlocked(userId)) await puppets.leave(link, userId);
      }
    },
  };
}
