/** Makes the events of one message stanza, with all that is known of what it refers to, and remembers which they are. */
import type { Addresses } from "../mapping/addresses.ts";
import { callsByName, mayCallByName, mentionedIn } from "../mapping/mentions.ts";
import { toContents } from "../mapping/messages.ts";
import { idsOfStanza, referencesOfStanza } from "../mapping/references.ts";
import { relateContent, type StanzaFacts, saidIn } from "../mapping/relations.ts";
import { mayQuoteUnmarked, withoutLegacyQuotation } from "../mapping/replies.ts";
import { readSharedLinks } from "../mapping/shared-links.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { type Content, readString } from "../matrix/event.ts";
import { type EventId, localpartOf, type RoomId, type UserId } from "../matrix/ids.ts";
import type { Media } from "../media/media.ts";
import type { Messages, StoredMessage } from "../store/store.ts";
import { type Element, readText } from "../xmpp/stanza.ts";
import { type Memory, type Pair, withStanzaIds } from "./memory.ts";

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
  pair: Pair,
) => Promise<{
  parts: Part[];
  whyNone: string;
  /** Parts of an earlier version for which the new one has nothing. */
  surplus: EventId[];
  /** Remembers that a part has become an event. */
  note(roomId: RoomId, eventId: EventId, part: number): Promise<void>;
}>;

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

export function createToMatrix(deps: ToMatrixDeps): ToMatrix {
  const { addresses, memory, messages, matrix, media, profileOf } = deps;

  const mentionsOf = async (message: Element, { userId }: Pair): Promise<UserId[]> => {
    const named = mentionedIn(message).flatMap((jid) => addresses.userOfJid(jid) ?? []);
    const body = readText(message, "body") ?? "";
    if (!mayCallByName(body)) return named;
    const profile = await profileOf(userId).catch(() => undefined);
    const names = [profile?.displayName ?? "", localpartOf(userId)];
    return names.some((name) => callsByName(body, name)) ? [...named, userId] : named;
  };

  const factsOf = async (
    message: Element,
    pair: Pair,
  ): Promise<StanzaFacts & { replaced: StoredMessage[] }> => {
    const { replaces, repliesTo, thread } = referencesOfStanza(message);
    const [theirs, ours] = [pair.jid, addresses.jidOfUser(pair.userId)];
    const authors = repliesTo?.to === theirs ? [theirs, ours] : [ours, theirs];
    // XEP-0308 §4: only what the same bare JID has sent.
    const [replaced, [target], [root]] = [
      replaces ? await memory.ofMessageId(pair, replaces, [theirs]) : [],
      repliesTo ? await memory.ofMessageId(pair, repliesTo.id, authors) : [],
      thread ? await memory.ofMessageId(pair, thread, [ours, theirs]) : [],
    ];
    const [first] = replaced;
    const isUnmarked = target && mayQuoteUnmarked(message);
    const original =
      isUnmarked && (await matrix.event(addresses.ghostOf(theirs), pair.roomId, target.eventId));
    const body = original && readString(original.content, "body");
    return {
      replaced: replaced.filter(({ isRedacted }) => !isRedacted),
      mentions: await mentionsOf(message, pair),
      ...(replaces && { first: first?.isRedacted ? "removed" : (first?.eventId ?? "unknown") }),
      ...(target && { repliesTo: target.eventId }),
      ...(body && { original: withoutLegacyQuotation(body) }),
      ...(root && { thread: root.threadId ?? root.eventId }),
    };
  };

  /** Files come before the text beside them, each copied only when its turn has come. */
  const partsOf = (
    message: Element,
    ghost: UserId,
    { replaced, ...facts }: Awaited<ReturnType<typeof factsOf>>,
  ): Part[] => {
    const said = saidIn(message, facts);
    const shared = readSharedLinks(said);
    const texts = toContents(shared?.rest ?? said, addresses.userOfJid);
    const ids = idsOfStanza(message);
    const relate = (content: Content, of: StanzaFacts) => withStanzaIds(relateContent(content, of), ids);
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
    return made.map((content, index) => async () => relate(await content(), factsFor(index)));
  };

  return async (message, pair) => {
    const facts = await factsOf(message, pair);
    const { first, repliesTo, thread, replaced } = facts;
    const ghost = addresses.ghostOf(pair.jid);
    const isRemoved = first === "removed";
    const parts = isRemoved ? [] : partsOf(message, ghost, facts);
    return {
      parts,
      surplus: parts.length === 0 ? [] : replaced.slice(parts.length).map(({ eventId }) => eventId),
      whyNone: isRemoved ? "it corrects what its sender has retracted" : "it says nothing",
      note: (roomId, eventId, part) =>
        messages.save({
          ...idsOfStanza(message),
          roomId,
          eventId,
          part,
          origin: "xmpp",
          userId: ghost,
          jid: pair.jid,
          // No archive gives IDs to what is sent to a component, so whoever says so is wrong.
          stanzaId: undefined,
          rootId: replaced[part]?.eventId,
          replyTo: repliesTo,
          threadId: thread,
          isRedacted: false,
        }),
    };
  };
}
