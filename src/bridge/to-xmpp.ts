/** Makes the stanzas of one event, with all that is known of what it refers to, and remembers which they are. */
import type { Addresses } from "../mapping/addresses.ts";
import { isFile } from "../mapping/edits.ts";
import { fileToStanzas } from "../mapping/files.ts";
import { toStanza } from "../mapping/messages.ts";
import { readPoll, readVote, voteContent } from "../mapping/polls.ts";
import { asReaction, reactionsStanza } from "../mapping/reactions.ts";
import {
  type EventReferences,
  type Head,
  type KnownMessage,
  referencesOfEvent,
} from "../mapping/references.ts";
import { type EventFacts, relateStanzas, saidBy } from "../mapping/relations.ts";
import { nameFor, type Quote, withoutLegacyQuotation } from "../mapping/replies.ts";
import { passedByEvent, withVia } from "../mapping/via.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { type EventId, localpartOf, type UserId } from "../matrix/ids.ts";
import type { Media } from "../media/media.ts";
import type { StoredMessage } from "../store/message-records.ts";
import type { Store } from "../store/store.ts";
import { withDelay } from "../xmpp/delay.ts";
import { bareOf, fullJid, type Jid, localOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";
import { type Conversation, isWithOccupant } from "./conversation.ts";
import { type Crossing, nothing } from "./crossing.ts";
import { type Memory, unrelated } from "./memory.ts";
import { createRemovals } from "./removals.ts";

export interface ToXmppDeps {
  addresses: Addresses;
  memory: Memory;
  store: Pick<Store, "messages" | "reactions">;
  matrix: Pick<MatrixClient, "event">;
  media: Pick<Media, "linkOf" | "maxBytes">;
  /** Whether formatted text goes as XHTML-IM too. */
  xhtmlIm: boolean;
  profileOf(userId: UserId): Promise<Profile | undefined>;
  now: () => number;
}

/** @param way of each stanza; to a room, from the occupant who says it. */
export type ToXmpp = (
  event: MatrixEvent,
  conversation: Conversation,
  way: { from: Jid; to: Jid },
) => Promise<Crossing>;

export function createToXmpp(deps: ToXmppDeps): ToXmpp {
  const { addresses, memory, store, matrix, media, xhtmlIm, profileOf, now } = deps;

  const { reactionsNow, ofRedaction } = createRemovals({ addresses, memory, store });

  const jidOf = (userId: UserId) =>
    addresses.isGhost(userId) ? addresses.jidOfGhost(userId) : addresses.jidOfUser(userId);

  const nameOf = async ({ room, partner, reader }: Conversation, userId: UserId): Promise<string> => {
    const nick = await room?.nickOf(userId);
    if (nick !== undefined) return nick;
    const jid = partner && userId === reader ? partner.jid : undefined;
    const plain = jid === undefined ? localpartOf(userId) : (localOf(jid) ?? jid);
    const displayName = (await profileOf(userId).catch(() => undefined))?.displayName;
    // A ghost is named by its JID where nobody knows a better name.
    return displayName === jid ? plain : nameFor(displayName, plain);
  };

  const quoteOf = async (conversation: Conversation, eventId: EventId): Promise<Quote | undefined> => {
    const event = await matrix.event(conversation.reader, conversation.roomId, eventId);
    const body = event && readString(event.content, "body");
    if (!event || !body) return undefined;
    return { name: await nameOf(conversation, event.sender), body: withoutLegacyQuotation(body) };
  };

  /** A message as it is called where the stanza goes. */
  const called = async (
    conversation: Conversation,
    target: StoredMessage | undefined,
    { from, to }: Head,
  ): Promise<KnownMessage | undefined> => {
    const { room } = conversation;
    // An occupant goes by the present nick, and nobody by an address that the room does not show.
    if (isWithOccupant(conversation) && target)
      return { ...target, jid: target.userId === conversation.reader ? to : undefined };
    if (!room || !target) return target;
    const nick = await room.nickOf(target.userId);
    return {
      ...target,
      jid: nick === undefined ? undefined : fullJid(bareOf(room.isHosted ? from : to), nick),
    };
  };

  const factsOf = async (
    conversation: Conversation,
    event: MatrixEvent,
    references: EventReferences,
    head: Head,
  ): Promise<EventFacts & { first?: StoredMessage[] }> => {
    const { replaces } = references;
    const first = replaces && (await memory.ofEvent(conversation, replaces));
    // An edit says nothing of what its first version refers to, and refers to the same.
    const repliesTo = replaces ? first?.[0]?.replyTo : references.repliesTo;
    const rootId = replaces ? first?.[0]?.threadId : references.thread;
    const reply = repliesTo && {
      target: await called(conversation, (await memory.ofEvent(conversation, repliesTo))[0], head),
      quote: isFile(event.content) ? undefined : await quoteOf(conversation, repliesTo),
    };
    const thread = rootId && { rootId, root: (await memory.ofEvent(conversation, rootId))[0] };
    return { ...(first && { first }), ...(reply && { reply }), ...(thread && { thread }) };
  };

  const note = async (
    conversation: Conversation,
    event: MatrixEvent,
    stanzas: readonly Element[],
    more: Partial<StoredMessage> = {},
  ): Promise<void> => {
    if (addresses.isGhost(event.sender)) {
      const known = memory.ofItself(conversation, event);
      if (known) await store.messages.save({ ...known, ...more });
      return;
    }
    for (const [part, { attrs }] of stanzas.entries()) {
      await store.messages.save({
        roomId: conversation.roomId,
        eventId: event.event_id,
        part,
        origin: "matrix",
        userId: event.sender,
        jid: addresses.jidOfUser(event.sender),
        messageId: attrs.id,
        originId: attrs.id,
        ...unrelated,
        ...more,
      });
    }
  };

  /** What people are called in the room whom an event mentions. */
  const nicksIn = async (said: MatrixEvent, { room }: Conversation, head: Head) => {
    const mentioned = new Set<UserId>();
    if (room) toStanza(said, { ...head, jidOf: (userId) => void mentioned.add(userId) });
    const nicks = [...mentioned].map(async (userId) => [userId, await room?.nickOf(userId)] as const);
    return new Map<string, string | undefined>(await Promise.all(nicks));
  };

  const asStanza = async (said: MatrixEvent, conversation: Conversation, head: Head) => {
    const { room } = conversation;
    if (isWithOccupant(conversation)) return toStanza(said, { ...head, xhtmlIm });
    if (!room) return toStanza(said, { ...head, jidOf, xhtmlIm });
    const nicks = await nicksIn(said, conversation, head);
    const roomJid = bareOf(room.isHosted ? head.from : head.to);
    const occupantOf = (userId: UserId): Jid | undefined => {
      const nick = nicks.get(userId);
      return nick === undefined ? undefined : fullJid(roomJid, nick);
    };
    return toStanza(said, { ...head, jidOf: occupantOf, xhtmlIm }, (id) => nicks.get(id));
  };

  const ofMessage = async (event: MatrixEvent, conversation: Conversation, head: Head): Promise<Crossing> => {
    const references = referencesOfEvent(event);
    const facts = await factsOf(conversation, event, references, head);
    const original = facts.first?.[0];
    if (original?.isRedacted) return nothing("what it edits was removed");
    if (original && original.userId !== event.sender)
      return nothing("it edits what somebody else has written");
    const said = saidBy(event);
    const crossing = fileToStanzas(said, head, media) ?? (await asStanza(said, conversation, head));
    if (crossing.kind === "nothing") return nothing("nothing to show");
    if (crossing.kind === "refused") return crossing;
    const plain = crossing.kind === "stanzas" ? crossing.stanzas : [crossing.stanza];
    const told = (await conversation.room?.relayed?.(plain, said)) ?? plain;
    const stanzas = relateStanzas(told, event, facts);
    const isCorrection = stanzas.some((stanza) => readChild(stanza, NS.correct));
    // Ahead of sending, so that whoever answers at once is understood.
    await note(conversation, event, stanzas, {
      rootId: isCorrection ? original?.eventId : undefined,
      replyTo: references.repliesTo,
      threadId: references.thread,
    });
    return { kind: "stanzas", stanzas };
  };

  const ofReaction = async (
    event: MatrixEvent,
    conversation: Conversation,
    head: Head,
  ): Promise<Crossing> => {
    if (event.content["m.relates_to"] === undefined) return nothing("it was removed before it came here");
    const { reactsTo } = referencesOfEvent(event);
    const target = reactsTo && (await memory.ofEvent(conversation, reactsTo))[0];
    const reaction = asReaction(event, target, head.type);
    if (target && reaction) {
      const { id, key } = reaction;
      const { roomId, eventId: targetId } = target;
      await store.reactions.save({ roomId, eventId: event.event_id, targetId, userId: event.sender, key });
      const keys = await reactionsNow(conversation, event.sender, targetId);
      return { kind: "stanzas", stanzas: [reactionsStanza(head, id, keys)] };
    }
    const line = toStanza(event, head);
    if (line.kind !== "stanza") return nothing("nothing to show");
    const told = (await conversation.room?.relayed?.([line.stanza], event)) ?? [line.stanza];
    const known = await called(conversation, target, head);
    const stanzas = relateStanzas(told, event, known ? { reply: { target: known, quote: undefined } } : {});
    await note(conversation, event, stanzas);
    return { kind: "stanzas", stanzas };
  };

  const ofVote = async (event: MatrixEvent, conversation: Conversation, head: Head): Promise<Crossing> => {
    const vote = readVote(event);
    if (!vote) return nothing("it is a vote in no poll");
    const poll = await matrix.event(conversation.reader, conversation.roomId, vote.poll);
    const content = voteContent(vote.answers, poll && readPoll(poll));
    return ofMessage({ ...event, type: "m.room.message", content }, conversation, head);
  };

  /** As its sender on XMPP called it, so that whoever has seen it there knows it again. */
  const idOf = (event: MatrixEvent, conversation: Conversation): string =>
    memory.ofItself(conversation, event)?.messageId ?? event.event_id;

  return async (event, conversation, { from, to }) => {
    const { room, roomId } = conversation;
    const passed = room ? passedByEvent(event) : [];
    if (room && !room.isHosted && passed.includes(room.jid))
      return nothing("it has been in this room before");
    const head: Head = { from, to, id: idOf(event, conversation), ...(room && { type: "groupchat" }) };
    const kinds = {
      "m.reaction": ofReaction,
      "m.room.redaction": ofRedaction,
      "m.poll.response": ofVote,
      "org.matrix.msc3381.poll.response": ofVote,
    };
    const make = Object.hasOwn(kinds, event.type) ? kinds[event.type as keyof typeof kinds] : ofMessage;
    const crossing = await make(event, conversation, head);
    if (crossing.kind !== "stanzas") return crossing;
    const stanzas = crossing.stanzas.map((stanza) => {
      const delayed = withDelay(stanza, event.origin_server_ts, now());
      if (isWithOccupant(conversation)) delayed.append(xml("x", { xmlns: NS.mucUser }));
      return room ? withVia(delayed, [...passed, roomId]) : delayed;
    });
    return { ...crossing, stanzas };
  };
}
