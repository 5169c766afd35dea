/** What says in a Matrix room that it is linked (MSC2346): put there, and taken away when the link ends. */
import type { RoomStates } from "../bridge/room-state.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { bridgeTypes, markType, portalRoom } from "./portal-room.ts";

export interface LinkTracesDeps {
  addresses: Pick<Addresses, "aliasOf" | "botUserId">;
  matrix: Pick<MatrixClient, "removeAlias" | "setState">;
  roomStates: Pick<RoomStates, "of">;
  log: Log;
}

export interface LinkTraces {
  /** In a room that was there before, as far as the bot may. */
  leave(link: RoomLink): Promise<void>;
  /** As far as the bot may. */
  remove(link: RoomLink): Promise<void>;
}

export function createLinkTraces({ addresses, matrix, roomStates, log }: LinkTracesDeps): LinkTraces {
  const { botUserId: bot } = addresses;
  return {
    async leave({ roomId, muc }) {
      const state = await roomStates.of(bot, roomId);
      const { initial_state } = portalRoom({ muc, bot, name: state.name ?? muc });
      for (const { type, content } of initial_state.filter((one) => bridgeTypes.includes(one.type))) {
        if (state.maySetState(bot, type)) await matrix.setState(bot, roomId, type, content, muc);
      }
    },

    async remove({ roomId, muc, kind }) {
      const ofPortal = [
        () => matrix.setState(bot, roomId, markType, {}),
        () => matrix.setState(bot, roomId, "m.room.canonical_alias", {}),
      ];
      const ofAll = [
        () => matrix.removeAlias(bot, addresses.aliasOf(muc)),
        ...bridgeTypes.map((type) => () => matrix.setState(bot, roomId, type, {}, muc)),
      ];
      for (const takeAway of [...ofAll, ...(kind === "portal" ? ofPortal : [])]) {
        try {
          await takeAway();
        } catch (error) {
          if (!(error instanceof MatrixError) || error.status >= 500) throw error;
          log.debug("something of a link stays in a room", { room: roomId, error });
        }
      }
    },
  };
}
