/** Makes the events of one message stanza, with all that is known of what it refers to, and remembers which they are. */
import type { Addresses } from "../mapping/addresses.ts";
import {
  callsByName,
  mayCallByName,
  mentionedIn,
  namesCalled,
  occupantsMentionedIn,
} from "../mapping/mentions.ts";
import { toContents } from "../mapping/messages.ts";
import { idsOfStanza, referencesOfStanza, stanzaIdOf } from "../mapping/references.ts";
import { relateContent, type StanzaFacts, saidIn } from "../mapping/relations.ts";
import { mayQuoteUnmarked, withoutLegacyQuotation } from "../mapping/replies.ts";
import { readSharedLinks } from "../mapping/shared-links.ts";
import { passedByStanza } from "../mapping/via.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { type Content, readString } from "../matrix/event.ts";
import { type EventId, localpartOf, type RoomId, type UserId } from "../matrix/ids.ts";
import type { Media } from "../media/media.ts";
import type { Messages, StoredMessage } from "../store/message-records.ts";
import { bareOf, type Jid, resourceOf } from "../xmpp/jid.ts";
import { type Element, readText } from "../xmpp/stanza.ts";
import { type Conversation, passedOn, type SharedRoom, type Speaker } from "./conversation.ts";
import { type Memory, withStanzaIds } from "./memory.ts";

export interface ToMatrixDeps {
  addresses: Addresses;
  memory: Memory;
  messages: Pick<Messages, "save">;
  matrix: Pick<MatrixClient, "event">;
  media: Pick<Media, "importFile">;
  profileOf(userId: UserId): Promise<Profile | undefined>;
}

/** The content of an event, or how to come by it. */
export type Part = Content | (() => Promise<Content>);

export type ToMatrix = (
  message: Element,
  conversation: Conversation,
  speaker: Speaker,
) => Promise<{
  parts: Part[];
  whyNone: string;
  /** Parts of an earlier version for which the new one has nothing. */
  surplus: EventId[];
  /** Remembers that a part has become an event. */
  note(roomId: RoomId, eventId: EventId, part: number): Promise<void>;
}>;

function idsIn(
  message: Element,
  { room }: Conversation,
): Pick<StoredMessage, "messageId" | "originId" | "stanzaId"> {
  // No archive gives IDs to what is sent to a component, so whoever says so elsewhere is wrong.
  const id = room && !room.isHosted ? stanzaIdOf(message, room.jid) : undefined;
  return { ...idsOfStanza(message), stanzaId: room && id !== undefined ? { id, by: room.jid } : undefined };
}

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

export function createToMatrix(deps: ToMatrixDeps): ToMatrix {
  const { addresses, memory, messages, matrix, media, profileOf } = deps;

  const userOf = async (jid: Jid, room?: SharedRoom): Promise<UserId | undefined> => {
    const nick = room && bareOf(jid) === room.jid ? resourceOf(jid) : undefined;
    return nick === undefined ? addresses.userOfJid(bareOf(jid)) : room?.userOfNick(nick);
  };

  const calledInRoom = async (body: string, room: SharedRoom): Promise<UserId[]> => {
    for (const nick of namesCalled(body).reverse()) {
      const userId = await room.userOfNick(nick);
      if (userId) return [userId];
    }
    return [];
  };

  const mentionsOf = async (message: Element, { room, partner }: Conversation): Promise<UserId[]> => {
    const users = await Promise.all([
      ...mentionedIn(message).map((jid) => userOf(jid, room)),
      ...occupantsMentionedIn(message).map((id) => room?.userOfOccupantId?.(id)),
    ]);
    const named = users.filter((user) => user !== undefined);
    const body = readText(message, "body") ?? "";
    if (room) return [...named, ...(await calledInRoom(body, room))];
    if (!mayCallByName(body)) return named;
    const { userId } = partner;
    const profile = await profileOf(userId).catch(() => undefined);
    const names = [profile?.displayName ?? "", localpartOf(userId)];
    return names.some((name) => callsByName(body, name)) ? [...named, userId] : named;
  };

  /** What somebody calls by an ID; `to` is whose it is, as they say. */
  const found = (conversation: Conversation, id: string | undefined, to?: Jid): Promise<StoredMessage[]> => {
    const { partner } = conversation;
    if (id === undefined) return Promise.resolve([]);
    if (!partner) return memory.ofStanzaId(conversation, id);
    const [theirs, ours] = [partner.jid, addresses.jidOfUser(partner.userId)];
    return memory.ofMessageId(conversation, id, to === theirs ? [theirs, ours] : [ours, theirs]);
  };

  const factsOf = async (
    message: Element,
    conversation: Conversation,
    speaker: Speaker,
  ): Promise<StanzaFacts & { replaced: StoredMessage[] }> => {
    const { replaces, repliesTo, thread } = referencesOfStanza(message);
    // XEP-0308 §4: only what the same bare JID has sent, or the same occupant.
    const [replaced, [target], [root]] = [
      replaces ? await memory.ofMessageId(conversation, replaces, [speaker.jid]) : [],
      await found(conversation, repliesTo?.id, repliesTo?.to),
      await found(conversation, thread),
    ];
    const [first] = replaced;
    const isUnmarked = target && mayQuoteUnmarked(message);
    const original =
      isUnmarked && (await matrix.event(conversation.reader, conversation.roomId, target.eventId));
    const body = original && readString(original.content, "body");
    return {
      replaced: replaced.filter(({ isRedacted }) => !isRedacted),
      mentions: await mentionsOf(message, conversation),
      ...(replaces && { first: first?.isRedacted ? "removed" : (first?.eventId ?? "unknown") }),
      ...(target && { repliesTo: target.eventId }),
      ...(body && { original: withoutLegacyQuotation(body) }),
      ...(root && { thread: root.threadId ?? root.eventId }),
    };
  };

  /** Files come before the text beside them, each copied only when its turn has come. */
  const partsOf = (
    message: Element,
    conversation: Conversation,
    { ghost }: Speaker,
    { replaced, ...facts }: Awaited<ReturnType<typeof factsOf>>,
  ): Part[] => {
    const said = saidIn(message, facts);
    const shared = readSharedLinks(said);
    const texts = toContents(shared?.rest ?? said, addresses.userOfJid);
    const [ids, via] = [idsIn(message, conversation), passedOn(message, conversation)];
    const relate = (content: Content, of: StanzaFacts, part: number) => ({
      ...withStanzaIds(relateContent(content, of), { ...ids, part }),
      ...via,
    });
    // A message is answered by one other, not by several, and each part of it replaced by one.
    const { first: _, repliesTo: __, ...others } = facts;
    const factsFor = (index: number): StanzaFacts => {
      const first = replaced[index]?.eventId;
      return index === 0 ? facts : { ...others, ...(first && { first }) };
    };
    const made = [
      ...(shared?.files ?? []).map((file) => once(() => media.importFile(file, ghost))),
      ...texts.map((text) => async () => text),
    ];
    return made.map((content, index) => async () => relate(await content(), factsFor(index), index));
  };

  return async (message, conversation, speaker) => {
    const isBack = conversation.room && passedByStanza(message).includes(conversation.roomId);
    if (isBack)
      return { parts: [], whyNone: "it has been in this room before", surplus: [], note: async () => {} };
    const facts = await factsOf(message, conversation, speaker);
    const { first, repliesTo, thread, replaced } = facts;
    const isRemoved = first === "removed";
    const parts = isRemoved ? [] : partsOf(message, conversation, speaker, facts);
    return {
      parts,
      surplus: parts.length === 0 ? [] : replaced.slice(parts.length).map(({ eventId }) => eventId),
      whyNone: isRemoved ? "it corrects what its sender has retracted" : "it says nothing",
      note: (roomId, eventId, part) =>
        messages.save({
          ...idsIn(message, conversation),
          roomId,
          eventId,
          part,
          origin: "xmpp",
          userId: speaker.ghost,
          jid: speaker.jid,
          rootId: replaced[part]?.eventId,
          replyTo: repliesTo,
          threadId: thread,
          isRedacted: false,
        }),
    };
  };
}
