/** Finds the message that somebody refers to: in the store, and else on the homeserver, which forgets nothing. */
import type { Addresses } from "../mapping/addresses.ts";
import { referencesOfEvent } from "../mapping/references.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import { type EventId, parseEventId, type UserId } from "../matrix/ids.ts";
import type { Messages, StoredMessage } from "../store/message-records.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { Conversation } from "./conversation.ts";

export interface MemoryDeps {
  addresses: Addresses;
  messages: Messages;
  matrix: Pick<MatrixClient, "event">;
}

export interface Memory {
  /** The parts of the very event, first version or not; none where it has not crossed. */
  ofVersion(conversation: Conversation, eventId: EventId): Promise<StoredMessage[]>;
  /** The parts of an event's first version; none where it has not crossed. */
  ofEvent(conversation: Conversation, eventId: EventId): Promise<StoredMessage[]>;
  /**
   * The parts of the first version of what one of the authors calls by that ID, the first author who does.
   * An ID means nothing without its author: anybody may use one of somebody else.
   */
  ofMessageId(conversation: Conversation, id: string, authors: readonly Jid[]): Promise<StoredMessage[]>;
  /** The parts of the first version of what the room calls by that ID, whoever is its author. */
  ofStanzaId(conversation: Conversation, id: string): Promise<StoredMessage[]>;
  /** What an event of XMPP's, or of a hosted room, says of itself; undefined for others. */
  ofItself(conversation: Conversation, event: MatrixEvent): StoredMessage | undefined;
}

/** A message that refers to no other. */
export const unrelated = {
  stanzaId: undefined,
  rootId: undefined,
  replyTo: undefined,
  threadId: undefined,
  isRedacted: false,
} satisfies Partial<StoredMessage>;

/** Key in the content of an event for what XMPP calls it, so that it can be found again. */
export const idsKey = "causeway.xmpp";

type StanzaIds = Pick<StoredMessage, "messageId" | "originId" | "stanzaId" | "part">;

export const withStanzaIds = (
  content: Content,
  { messageId, originId, stanzaId, part }: StanzaIds,
): Content => ({
  ...content,
  [idsKey]: {
    ...(messageId && { id: messageId }),
    ...(originId && { origin_id: originId }),
    ...(stanzaId && { stanza_id: stanzaId.id, by: stanzaId.by }),
    ...(part > 0 && { part }),
  },
});

function stanzaIdsOf(content: Content): StanzaIds | undefined {
  const ids = content[idsKey];
  if (!isObject(ids)) return undefined;
  const [id, by] = [readString(ids, "stanza_id"), readString(ids, "by")];
  return {
    messageId: readString(ids, "id"),
    originId: readString(ids, "origin_id"),
    stanzaId: id && by ? { id, by: by as BareJid } : undefined,
    part: Number.isSafeInteger(ids.part) ? Number(ids.part) : 0,
  };
}

/**
 * What a hosted room calls a message: the event's ID, so that whoever refers to it is understood without asking.
 * @param part of an event that is several stanzas.
 */
export const hostedStanzaId = (eventId: EventId, part: number): string =>
  part === 0 ? eventId : `${eventId}#${part}`;

/** What can be replied and reacted to. */
const isMessage = (type: string): boolean => type !== "m.reaction" && type !== "m.room.redaction";

export function createMemory({ addresses, messages, matrix }: MemoryDeps): Memory {
  /** COMPAT(clients that count): they begin again at 1, so that the same ID is one of an earlier day too. */
  const newest = (found: readonly StoredMessage[]): StoredMessage[] => {
    const begin = found.findLastIndex(({ part }) => part === 0);
    return found.slice(Math.max(0, begin));
  };

  const firstVersion = async (
    { roomId }: Conversation,
    found: readonly StoredMessage[],
  ): Promise<StoredMessage[]> => {
    const first = found.map(async (row) => (row.rootId ? messages.ofEvent(roomId, row.rootId) : [row]));
    return (await Promise.all(first)).flat();
  };

  /** Of whom a ghost is. Nobody but the bridge sends as a ghost, so what its content says of IDs is true. */
  const authorOf = ({ partner, reader }: Conversation, sender: UserId): Jid | undefined => {
    if (partner) return sender === reader ? partner.jid : undefined;
    return addresses.jidOfGhost(sender) ?? addresses.occupantOfGhost(sender);
  };

  const ofItself: Memory["ofItself"] = (conversation, event) => {
    const { event_id: eventId, sender, content, type, state_key: stateKey } = event;
    if (!isMessage(type) || stateKey !== undefined) return undefined;
    const { replaces } = referencesOfEvent(event);
    const facts = {
      ...unrelated,
      roomId: conversation.roomId,
      eventId,
      part: 0,
      userId: sender,
      messageId: undefined,
      originId: undefined,
      rootId: replaces,
    };
    const isHosted = conversation.room?.isHosted ?? false;
    const [jid, ids] = [authorOf(conversation, sender), stanzaIdsOf(content)];
    if (jid && (ids || isHosted)) return { ...facts, ...ids, origin: "xmpp", jid };
    if (!isHosted || addresses.isGhost(sender)) return undefined;
    const own = { jid: addresses.jidOfUser(sender), messageId: eventId, originId: eventId };
    return { ...facts, ...own, origin: "matrix" };
  };

  /** Not remembered: too long ago, or the bridge died between sending it and noting that. */
  const recall = async (conversation: Conversation, eventId: EventId): Promise<StoredMessage[]> => {
    const event = await matrix.event(conversation.reader, conversation.roomId, eventId);
    const found = event && ofItself(conversation, event);
    if (!found) return [];
    await messages.save(found);
    return [found];
  };

  /** In a hosted room every event has its ID, whatever was noted of it. */
  const named = ({ room }: Conversation, found: readonly StoredMessage[]): StoredMessage[] =>
    found.map((row) =>
      room?.isHosted
        ? { ...row, stanzaId: { id: hostedStanzaId(row.eventId, row.part), by: room.jid } }
        : row,
    );

  const byEventId = async (conversation: Conversation, eventId: EventId): Promise<StoredMessage[]> => {
    const known = await messages.ofEvent(conversation.roomId, eventId);
    return named(conversation, known.length > 0 ? known : await recall(conversation, eventId));
  };

  const ofEvent: Memory["ofEvent"] = async (conversation, eventId) => {
    const found = await byEventId(conversation, eventId);
    const rootId = found[0]?.rootId;
    return rootId ? byEventId(conversation, rootId) : found;
  };

  /** What Matrix users write has its event's ID, whether that is remembered or not. */
  const ofMatrixUser = async (
    { partner, reader, roomId }: Conversation,
    id: string,
    authors: readonly Jid[],
  ): Promise<StoredMessage[]> => {
    const eventId = parseEventId(id);
    const jid = partner && addresses.jidOfUser(partner.userId);
    if (!eventId || !jid || !authors.includes(jid)) return [];
    const event = await matrix.event(reader, roomId, eventId);
    if (event?.sender !== partner.userId || event.state_key !== undefined || !isMessage(event.type))
      return [];
    const { replaces } = referencesOfEvent(event);
    const found = {
      ...unrelated,
      roomId,
      eventId: replaces ?? eventId,
      part: 0,
      origin: "matrix" as const,
      userId: partner.userId,
      jid,
      messageId: replaces ?? id,
      originId: replaces ?? id,
    };
    await messages.save(found);
    return [found];
  };

  return {
    ofEvent,
    ofItself,
    // The content of what was redacted says nothing any more, but in a hosted room its ID is enough.
    ofVersion: (conversation, eventId) =>
      conversation.room?.isHosted
        ? byEventId(conversation, eventId)
        : messages.ofEvent(conversation.roomId, eventId),

    async ofMessageId(conversation, id, authors) {
      for (const author of authors) {
        const found = newest(await messages.ofMessageId(conversation.roomId, author, id));
        if (found.length > 0) return firstVersion(conversation, found);
      }
      return ofMatrixUser(conversation, id, authors);
    },

    async ofStanzaId(conversation, id) {
      const { room, roomId } = conversation;
      if (!room) return [];
      const known = room.isHosted ? [] : await messages.ofStanzaId(roomId, room.jid, id);
      if (known.length > 0) return firstVersion(conversation, known);
      // In a hosted room that is its ID, and in rooms without an archive clients go by the sender's.
      const eventId = parseEventId(id.replace(/#\d+$/, ""));
      if (!eventId) return [];
      return room.isHosted
        ? ofEvent(conversation, eventId)
        : firstVersion(conversation, await messages.ofEvent(roomId, eventId));
    },
  };
}
