/** Finds the message that somebody refers to: in the store, and else on the homeserver, which forgets nothing. */
import type { Addresses } from "../mapping/addresses.ts";
import { referencesOfEvent } from "../mapping/references.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type Content, isObject, readString } from "../matrix/event.ts";
import { type EventId, parseEventId, type RoomId, type UserId } from "../matrix/ids.ts";
import type { Messages, StoredMessage } from "../store/store.ts";
import type { BareJid } from "../xmpp/jid.ts";

/** Two people and the room where they talk. */
export interface Pair {
  roomId: RoomId;
  userId: UserId;
  jid: BareJid;
}

export interface MemoryDeps {
  addresses: Addresses;
  messages: Messages;
  matrix: Pick<MatrixClient, "event">;
}

export interface Memory {
  /** The parts of an event's first version; none where it has not crossed. */
  ofEvent(pair: Pair, eventId: EventId): Promise<StoredMessage[]>;
  /**
   * The parts of the first version of what one of the authors calls by that ID, the first author who does.
   * An ID means nothing without its author: anybody may use one of somebody else.
   */
  ofMessageId(pair: Pair, id: string, authors: readonly BareJid[]): Promise<StoredMessage[]>;
}

/** A message that refers to no other. */
export const unrelated = {
  stanzaId: undefined,
  rootId: undefined,
  replyTo: undefined,
  threadId: undefined,
  isRedacted: false,
} satisfies Partial<StoredMessage>;

/** Key in the content of an event for what its sender on XMPP calls it, so that it can be found again. */
const idsKey = "causeway.xmpp";

type StanzaIds = Pick<StoredMessage, "messageId" | "originId">;

export const withStanzaIds = (content: Content, { messageId, originId }: StanzaIds): Content => ({
  ...content,
  [idsKey]: { ...(messageId && { id: messageId }), ...(originId && { origin_id: originId }) },
});

function stanzaIdsOf(content: Content): StanzaIds | undefined {
  const ids = content[idsKey];
  return isObject(ids)
    ? { messageId: readString(ids, "id"), originId: readString(ids, "origin_id") }
    : undefined;
}

/** What can be replied and reacted to. */
const isMessage = (type: string): boolean => type !== "m.reaction" && type !== "m.room.redaction";

export function createMemory({ addresses, messages, matrix }: MemoryDeps): Memory {
  const row = ({ roomId }: Pair, eventId: EventId, more: Partial<StoredMessage>) => ({
    roomId,
    eventId,
    part: 0,
    originId: undefined,
    messageId: undefined,
    ...unrelated,
    ...more,
  });

  /** COMPAT(clients that count): they begin again at 1, so that the same ID is one of an earlier day too. */
  const newest = (found: readonly StoredMessage[]): StoredMessage[] => {
    const begin = found.findLastIndex(({ part }) => part === 0);
    return found.slice(Math.max(0, begin));
  };

  const firstVersion = async (pair: Pair, found: StoredMessage[]): Promise<StoredMessage[]> => {
    const first = found.map(async (row) => (row.rootId ? messages.ofEvent(pair.roomId, row.rootId) : [row]));
    return (await Promise.all(first)).flat();
  };

  /** Not remembered: too long ago, or the bridge died between sending it and noting that. */
  const recall = async (pair: Pair, eventId: EventId): Promise<StoredMessage[]> => {
    const ghost = addresses.ghostOf(pair.jid);
    const event = await matrix.event(ghost, pair.roomId, eventId);
    // Nobody but the bridge sends as a ghost, so what its content says of IDs is true.
    const ids = event?.sender === ghost ? stanzaIdsOf(event.content) : undefined;
    if (!event || !ids || !isMessage(event.type)) return [];
    const { replaces } = referencesOfEvent(event);
    const found = {
      ...row(pair, eventId, { ...ids, ...(replaces && { rootId: replaces }) }),
      origin: "xmpp" as const,
      userId: ghost,
      jid: pair.jid,
    };
    await messages.save(found);
    return [found];
  };

  const byEventId = async (pair: Pair, eventId: EventId): Promise<StoredMessage[]> => {
    const known = await messages.ofEvent(pair.roomId, eventId);
    return known.length > 0 ? known : recall(pair, eventId);
  };

  return {
    async ofEvent(pair, eventId) {
      const found = await byEventId(pair, eventId);
      const rootId = found[0]?.rootId;
      return rootId ? byEventId(pair, rootId) : found;
    },

    async ofMessageId(pair, id, authors) {
      for (const author of authors) {
        const found = newest(await messages.ofMessageId(pair.roomId, author, id));
        if (found.length > 0) return firstVersion(pair, found);
      }
      // What Matrix users write has its event's ID, whether that is remembered or not.
      const eventId = parseEventId(id);
      const jid = addresses.jidOfUser(pair.userId);
      if (!eventId || !authors.includes(jid)) return [];
      const event = await matrix.event(addresses.ghostOf(pair.jid), pair.roomId, eventId);
      if (event?.sender !== pair.userId || event.state_key !== undefined || !isMessage(event.type)) return [];
      const { replaces } = referencesOfEvent(event);
      const found = {
        ...row(pair, replaces ?? eventId, { messageId: replaces ?? id, originId: replaces ?? id }),
        origin: "matrix" as const,
        userId: pair.userId,
        jid,
      };
      await messages.save(found);
      return [found];
    },
  };
}
