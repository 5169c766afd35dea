/** Shows an XMPP user that the Matrix user of their conversation is typing. Best effort: what fails is forgotten. */
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { toChatState } from "../mapping/chat-states.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { isFullJid } from "../xmpp/jid.ts";
import type { DirectRooms } from "./direct-rooms.ts";

export interface TypingDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  directRooms: Pick<DirectRooms, "ofRoom">;
  xmpp: XmppClient;
  log: Log;
}

export interface Typing {
  /** Takes what the homeserver tells, of which only typing is used here. */
  take(items: readonly Ephemeral[]): void;
}

interface RoomState {
  /** As the homeserver told last. */
  typists: readonly UserId[];
  /** What the XMPP user was shown last. */
  shown: boolean;
  /** One stanza at a time, so that the last one is the newest and what has changed back meanwhile is never sent. */
  busy: boolean;
}

export function createTyping(deps: TypingDeps): Typing {
  const { addresses, permissions, directRooms, xmpp, log } = deps;
  /** Rooms in which somebody is typing or something is under way. */
  const rooms = new Map<RoomId, RoomState>();

  const show = async (roomId: RoomId, state: RoomState): Promise<void> => {
    const room = await directRooms.ofRoom(roomId);
    // Who is typing to an occupant is nothing that every MUC passes on.
    if (!room || isFullJid(room.jid) || levelOf(permissions, room.userId) === "block") {
      state.shown = false;
      return;
    }
    const ends = { from: addresses.jidOfUser(room.userId), to: room.jid };
    for (;;) {
      const typing = state.typists.includes(room.userId);
      if (typing === state.shown) return;
      await xmpp.send(toChatState(typing, ends));
      state.shown = typing;
    }
  };

  const follow = async (roomId: RoomId, state: RoomState): Promise<void> => {
    state.busy = true;
    try {
      await show(roomId, state);
    } catch (error) {
      state.shown = false;
      log.debug("typing was not shown", { room: roomId, error });
    }
    state.busy = false;
    if (!state.shown) rooms.delete(roomId);
  };

  return {
    take(items) {
      for (const item of items) {
        if (item.kind !== "typing") continue;
        const state = rooms.get(item.roomId) ?? { typists: [], shown: false, busy: false };
        state.typists = item.userIds;
        rooms.set(item.roomId, state);
        if (!state.busy) void follow(item.roomId, state);
      }
    },
  };
}
