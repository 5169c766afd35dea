/** Makes the stanzas of one event, with all that is known of what it refers to, and remembers which they are. */
import type { Addresses } from "../mapping/addresses.ts";
import { isFile } from "../mapping/edits.ts";
import { fileToStanzas } from "../mapping/files.ts";
import { toStanza } from "../mapping/messages.ts";
import { readPoll, readVote, voteContent } from "../mapping/polls.ts";
import { asReaction, reactionsStanza, reactionTargetOf } from "../mapping/reactions.ts";
import { retractions } from "../mapping/redactions.ts";
import { type EventReferences, type Head, referencesOfEvent } from "../mapping/references.ts";
import { type EventFacts, relateStanzas, saidBy } from "../mapping/relations.ts";
import { nameFor, type Quote, withoutLegacyQuotation } from "../mapping/replies.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { type EventId, localpartOf, type UserId } from "../matrix/ids.ts";
import type { Media } from "../media/media.ts";
import type { Store, StoredMessage } from "../store/store.ts";
import { withDelay } from "../xmpp/delay.ts";
import { localOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";
import { type Memory, type Pair, unrelated } from "./memory.ts";

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

export type ToXmpp = (event: MatrixEvent, pair: Pair) => Promise<Crossing>;

type Crossing =
  | {
      kind: "stanzas";
      stanzas: Element[];
      /** To be called once they are sent. */
      sent?: () => Promise<void>;
    }
  | { kind: "nothing"; why: string }
  | { kind: "refused"; sentence: string; isRare?: boolean };

const nothing = (why: string): Crossing => ({ kind: "nothing", why });

export function createToXmpp(deps: ToXmppDeps): ToXmpp {
  const { addresses, memory, store, matrix, media, xhtmlIm, profileOf, now } = deps;

  const jidOf = (userId: UserId) =>
    addresses.isGhost(userId) ? addresses.jidOfGhost(userId) : addresses.jidOfUser(userId);

  const quoteOf = async (pair: Pair, eventId: EventId): Promise<Quote | undefined> => {
    const event = await matrix.event(addresses.ghostOf(pair.jid), pair.roomId, eventId);
    const body = event && readString(event.content, "body");
    if (!event || !body) return undefined;
    const isTheirs = event.sender === addresses.ghostOf(pair.jid);
    const plain = isTheirs ? (localOf(pair.jid) ?? pair.jid) : localpartOf(event.sender);
    const displayName = (await profileOf(event.sender).catch(() => undefined))?.displayName;
    // A ghost is named by its JID where nobody knows a better name.
    const name = displayName === pair.jid ? plain : nameFor(displayName, plain);
    return { name, body: withoutLegacyQuotation(body) };
  };

  const factsOf = async (
    pair: Pair,
    event: MatrixEvent,
    references: EventReferences,
  ): Promise<EventFacts & { first?: StoredMessage[] }> => {
    const { replaces } = references;
    const first = replaces && (await memory.ofEvent(pair, replaces));
    // An edit says nothing of what its first version refers to, and refers to the same.
    const repliesTo = replaces ? first?.[0]?.replyTo : references.repliesTo;
    const rootId = replaces ? first?.[0]?.threadId : references.thread;
    const reply = repliesTo && {
      target: (await memory.ofEvent(pair, repliesTo))[0],
      quote: isFile(event.content) ? undefined : await quoteOf(pair, repliesTo),
    };
    const thread = rootId && { rootId, root: (await memory.ofEvent(pair, rootId))[0] };
    return { ...(first && { first }), ...(reply && { reply }), ...(thread && { thread }) };
  };

  const note = async (
    pair: Pair,
    event: MatrixEvent,
    stanzas: readonly Element[],
    more: Partial<StoredMessage> = {},
  ): Promise<void> => {
    for (const [part, { attrs }] of stanzas.entries()) {
      await store.messages.save({
        roomId: pair.roomId,
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

  const ofMessage = async (event: MatrixEvent, pair: Pair, head: Head): Promise<Crossing> => {
    const references = referencesOfEvent(event);
    const facts = await factsOf(pair, event, references);
    const original = facts.first?.[0];
    if (original?.isRedacted) return nothing("what it edits was removed");
    if (original && original.userId !== event.sender)
      return nothing("it edits what somebody else has written");
    const said = saidBy(event);
    const crossing = fileToStanzas(said, head, media) ?? toStanza(said, { ...head, jidOf, xhtmlIm });
    if (crossing.kind === "nothing") return nothing("nothing to show");
    if (crossing.kind === "refused") return crossing;
    const plain = crossing.kind === "stanzas" ? crossing.stanzas : [crossing.stanza];
    const stanzas = relateStanzas(plain, event, facts);
    const isCorrection = stanzas.some((stanza) => readChild(stanza, NS.correct));
    // Ahead of sending, so that whoever answers at once is understood.
    await note(pair, event, stanzas, {
      rootId: isCorrection ? original?.eventId : undefined,
      replyTo: references.repliesTo,
      threadId: references.thread,
    });
    return { kind: "stanzas", stanzas };
  };

  const reactionsNow = async (pair: Pair, userId: UserId, targetId: EventId, without?: EventId) =>
    (await store.reactions.ofUser(pair.roomId, targetId, userId))
      .filter(({ eventId }) => eventId !== without)
      .map(({ key }) => key);

  const ofReaction = async (event: MatrixEvent, pair: Pair, head: Head): Promise<Crossing> => {
    if (event.content["m.relates_to"] === undefined) return nothing("it was removed before it came here");
    const { reactsTo } = referencesOfEvent(event);
    const target = reactsTo && (await memory.ofEvent(pair, reactsTo))[0];
    const reaction = asReaction(event, target);
    if (target && reaction) {
      const { id, key } = reaction;
      const { roomId, eventId: targetId } = target;
      await store.reactions.save({ roomId, eventId: event.event_id, targetId, userId: event.sender, key });
      const keys = await reactionsNow(pair, event.sender, targetId);
      return { kind: "stanzas", stanzas: [reactionsStanza(head, id, keys)] };
    }
    const line = toStanza(event, head);
    if (line.kind !== "stanza") return nothing("nothing to show");
    const stanzas = relateStanzas(
      [line.stanza],
      event,
      target ? { reply: { target, quote: undefined } } : {},
    );
    await note(pair, event, stanzas);
    return { kind: "stanzas", stanzas };
  };

  const ofRedaction = async (event: MatrixEvent, pair: Pair, head: Head): Promise<Crossing> => {
    const { redacts } = referencesOfEvent(event);
    if (!redacts) return nothing("it redacts nothing");
    const { roomId } = pair;
    const reaction = await store.reactions.ofEvent(roomId, redacts);
    if (reaction) {
      const sent = () => store.reactions.remove(roomId, redacts);
      const target = (await memory.ofEvent(pair, reaction.targetId))[0];
      const id = target && reactionTargetOf(target);
      if (reaction.userId !== event.sender || !id) {
        await sent();
        return nothing("it removes a reaction that is not the sender's own");
      }
      const keys = await reactionsNow(pair, event.sender, reaction.targetId, redacts);
      return { kind: "stanzas", stanzas: [reactionsStanza(head, id, keys)], sent };
    }
    const parts = await store.messages.ofEvent(roomId, redacts);
    if (parts.length === 0) return nothing("it removes what has not crossed");
    await store.messages.markRedacted(roomId, redacts);
    if (parts[0]?.userId !== event.sender)
      return { kind: "refused", sentence: "On XMPP only its author can remove a message." };
    if (parts[0]?.rootId) return nothing("it removes a version, and XMPP only whole messages");
    return { kind: "stanzas", stanzas: retractions(head, parts) };
  };

  const ofVote = async (event: MatrixEvent, pair: Pair, head: Head): Promise<Crossing> => {
    const vote = readVote(event);
    if (!vote) return nothing("it is a vote in no poll");
    const poll = await matrix.event(addresses.ghostOf(pair.jid), pair.roomId, vote.poll);
    const content = voteContent(vote.answers, poll && readPoll(poll));
    return ofMessage({ ...event, type: "m.room.message", content }, pair, head);
  };

  return async (event, pair) => {
    const head = { from: addresses.jidOfUser(event.sender), to: pair.jid, id: event.event_id };
    const kinds = {
      "m.reaction": ofReaction,
      "m.room.redaction": ofRedaction,
      "m.poll.response": ofVote,
      "org.matrix.msc3381.poll.response": ofVote,
    };
    const make = Object.hasOwn(kinds, event.type) ? kinds[event.type as keyof typeof kinds] : ofMessage;
    const crossing = await make(event, pair, head);
    if (crossing.kind !== "stanzas") return crossing;
    const stanzas = crossing.stanzas.map((stanza) => withDelay(stanza, event.origin_server_ts, now()));
    return { ...crossing, stanzas };
  };
}
