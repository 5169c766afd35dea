/** A linked room as messages see it: who is called what in it, and what the bot says where it speaks for all. */
import type { Conversation } from "../bridge/conversation.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { looksLike, relayedName, relayedStanzas } from "../mapping/relay.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";

export interface LinkedConversationsDeps {
  addresses: Addresses;
  config: Pick<Config["rooms"], "relayTemplate">;
  store: Pick<Store, "occupants">;
  roomStates: Pick<RoomStates, "of">;
  puppets: {
    nickOf(muc: BareJid, userId: UserId): string | undefined;
    userOfNick(muc: BareJid, nick: string): UserId | undefined;
    userOfOccupantId(muc: BareJid, occupantId: string): UserId | undefined;
  };
  occupants: {
    nickOf(muc: BareJid, ghost: UserId): Promise<string | undefined>;
    ghostOfNick(muc: BareJid, nick: string): Promise<UserId | undefined>;
  };
}

export function createLinkedConversations(deps: LinkedConversationsDeps) {
  const { addresses, config, store, roomStates, puppets, occupants } = deps;
  const { botUserId } = addresses;

  const relayed =
    ({ roomId, muc }: RoomLink) =>
    async (stanzas: Element[], event: MatrixEvent): Promise<Element[]> => {
      const { members } = await roomStates.of(botUserId, roomId);
      const { sender } = event;
      const others = [...members].filter(
        ([userId, { membership }]) => userId !== sender && membership === "join",
      );
      const names = [
        ...others.map(([, { displayName }]) => displayName ?? ""),
        ...(await store.occupants.inMuc(muc)).map(({ nick }) => nick),
      ];
      const isTaken = (name: string): boolean => names.some((other) => looksLike(other, name));
      const name = relayedName(members.get(sender)?.displayName, sender, isTaken);
      return relayedStanzas(stanzas, event, config.relayTemplate, { name, mxid: sender });
    };

  /** Who says on XMPP what a Matrix user writes. */
  const voiceOf = ({ mode }: RoomLink, userId: UserId): UserId => (mode === "relay" ? botUserId : userId);

  return {
    voiceOf,
    of(link: RoomLink): Conversation {
      const { roomId, muc, mode } = link;
      return {
        roomId,
        reader: botUserId,
        room: {
          jid: muc,
          isHosted: false,
          nickOf: async (userId) =>
            addresses.isGhost(userId)
              ? occupants.nickOf(muc, userId)
              : puppets.nickOf(muc, voiceOf(link, userId)),
          userOfNick: async (nick) => puppets.userOfNick(muc, nick) ?? occupants.ghostOfNick(muc, nick),
          userOfOccupantId: async (id) =>
            puppets.userOfOccupantId(muc, id) ?? (await store.occupants.ofKey(muc, id))?.ghost,
          ...(mode === "relay" && { relayed: relayed(link) }),
        },
      };
    },
  };
}

export type LinkedConversations = ReturnType<typeof createLinkedConversations>;
