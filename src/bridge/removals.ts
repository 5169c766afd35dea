/** Makes the stanzas of a redaction: of what its sender has written, of a reaction, or of what somebody else has written. */
import type { Addresses } from "../mapping/addresses.ts";
import { moderatedStanzas } from "../mapping/moderation.ts";
import { reactionsStanza, reactionTargetOf } from "../mapping/reactions.ts";
import { retractions } from "../mapping/redactions.ts";
import { type Head, referencesOfEvent } from "../mapping/references.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import type { Reaction, StoredMessage } from "../store/message-records.ts";
import type { Store } from "../store/store.ts";
import type { Conversation } from "./conversation.ts";
import { type Crossing, nothing } from "./crossing.ts";
import type { Memory } from "./memory.ts";

export interface RemovalsDeps {
  addresses: Pick<Addresses, "isGhost">;
  memory: Memory;
  store: Pick<Store, "messages" | "reactions">;
}

export function createRemovals({ addresses, memory, store }: RemovalsDeps) {
  const reactionsNow = async (
    { roomId, room }: Conversation,
    userId: UserId,
    targetId: EventId,
    without?: EventId,
  ) => {
    // Where the bot speaks for everybody, its set is the union of theirs.
    const all = room?.relayed
      ? (await store.reactions.ofTarget(roomId, targetId)).filter((one) => !addresses.isGhost(one.userId))
      : await store.reactions.ofUser(roomId, targetId, userId);
    return all.filter(({ eventId }) => eventId !== without).map(({ key }) => key);
  };

  /** The parts of a message whose author is another, and what becomes of them on XMPP. */
  const ofModeration = (
    event: MatrixEvent,
    { room }: Conversation,
    head: Head,
    parts: StoredMessage[],
  ): Crossing => {
    const reason = readString(event.content, "reason")?.trim() || undefined;
    if (!room) return { kind: "refused", sentence: "On XMPP only its author can remove a message." };
    if (!room.isHosted) return { kind: "moderation", parts, reason };
    return { kind: "stanzas", stanzas: moderatedStanzas(head, parts, reason) };
  };

  const ofReactionRemoved = async (
    event: MatrixEvent,
    conversation: Conversation,
    head: Head,
    reaction: Reaction,
  ): Promise<Crossing> => {
    const { roomId, targetId, userId, eventId } = reaction;
    const sent = () => store.reactions.remove(roomId, eventId);
    const target = (await memory.ofEvent(conversation, targetId))[0];
    const id = target && reactionTargetOf(target, head.type);
    const isOwn = userId === event.sender || (conversation.room?.relayed && !addresses.isGhost(userId));
    if (!isOwn || !id) {
      await sent();
      return nothing("it removes a reaction that is not the sender's own");
    }
    const keys = await reactionsNow(conversation, userId, targetId, eventId);
    return { kind: "stanzas", stanzas: [reactionsStanza(head, id, keys)], sent };
  };

  const ofRedaction = async (
    event: MatrixEvent,
    conversation: Conversation,
    head: Head,
  ): Promise<Crossing> => {
    const { redacts } = referencesOfEvent(event);
    if (!redacts) return nothing("it redacts nothing");
    const { roomId, room } = conversation;
    const reaction = await store.reactions.ofEvent(roomId, redacts);
    if (reaction) return ofReactionRemoved(event, conversation, head, reaction);
    const parts = await memory.ofVersion(conversation, redacts);
    const [first] = parts;
    if (!first) return nothing("it removes what has not crossed");
    await store.messages.markRedacted(roomId, redacts);
    const isOwn = first.userId === event.sender || (room?.relayed && first.origin === "matrix");
    if (first.rootId && (isOwn || room)) return nothing("it removes a version, and XMPP only whole messages");
    return isOwn
      ? { kind: "stanzas", stanzas: retractions(head, parts) }
      : ofModeration(event, conversation, head, parts);
  };

  return { reactionsNow, ofRedaction };
}
