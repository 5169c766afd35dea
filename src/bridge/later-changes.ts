/** What XMPP users do to messages that are there already: reactions and retractions. */
import type { Addresses } from "../mapping/addresses.ts";
import { reactionChanges, reactionsIn } from "../mapping/reactions.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Content } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { Reaction } from "../store/message-records.ts";
import type { Store } from "../store/store.ts";
import type { Element } from "../xmpp/stanza.ts";
import { type Conversation, passedOn, type Speaker } from "./conversation.ts";
import type { Memory } from "./memory.ts";

export interface LaterChangesDeps {
  addresses: Addresses;
  memory: Memory;
  store: Pick<Store, "messages" | "reactions">;
  matrix: Pick<MatrixClient, "send" | "redact" | "reactions">;
  txnId(cause: string, part: string): string;
  log: Log;
}

export interface LaterChanges {
  /** @returns false where nobody knows the message that is reacted to. */
  react(
    stanza: Element,
    conversation: Conversation,
    speaker: Speaker,
    id: string,
    cause: string,
  ): Promise<boolean>;
  /** Takes events of the speaker's away, with all their versions. */
  remove(
    conversation: Conversation,
    speaker: Pick<Speaker, "ghost">,
    events: readonly EventId[],
    cause: string,
  ): Promise<void>;
  /** @returns false where nobody knows a message of theirs by that ID. */
  retract(conversation: Conversation, speaker: Speaker, id: string, cause: string): Promise<boolean>;
  /**
   * A moderator of the room has taken a message away, whoever its author is.
   * @returns "unknown" where nobody knows a message that the room calls so, "forbidden" where the moderator may not
   *   remove it on Matrix.
   */
  moderate(
    conversation: Conversation,
    moderator: UserId,
    what: { id: string; reason?: string },
    cause: string,
  ): Promise<"removed" | "forbidden" | "unknown">;
}

export function createLaterChanges(deps: LaterChangesDeps): LaterChanges {
  const { addresses, memory, store, matrix, txnId, log } = deps;

  const redact = async (
    ghost: UserId,
    roomId: RoomId,
    eventId: EventId,
    cause: string,
    reason?: string,
  ): Promise<void> => {
    try {
      await matrix.redact(ghost, roomId, eventId, txnId(cause, `${ghost} ${eventId}`), reason);
    } catch (error) {
      // It is no longer there, so there is nothing to take away.
      if (!(error instanceof MatrixError && error.status === 404)) throw error;
    }
  };

  const annotate = async (
    reaction: Omit<Reaction, "eventId">,
    cause: string,
    via: Content,
  ): Promise<EventId | undefined> => {
    const { roomId, targetId, userId, key } = reaction;
    const content = { "m.relates_to": { rel_type: "m.annotation", event_id: targetId, key }, ...via };
    try {
      return await matrix.send(userId, roomId, "m.reaction", content, txnId(cause, `${userId} ${key}`));
    } catch (error) {
      if (!(error instanceof MatrixError && error.errcode === "M_DUPLICATE_ANNOTATION")) throw error;
      // An earlier attempt has sent it, longer ago than the homeserver remembers transaction IDs.
      const there = await matrix.reactions(userId, roomId, targetId);
      return there.find(({ sender, content: { "m.relates_to": relation } }) => {
        return sender === userId && (relation as { key?: unknown } | undefined)?.key === key;
      })?.event_id;
    }
  };

  /** All versions that are there still. */
  const versionsOf = async (
    { roomId }: Conversation,
    events: readonly EventId[],
  ): Promise<Map<EventId, UserId>> => {
    const versions = await Promise.all(events.map((eventId) => store.messages.versions(roomId, eventId)));
    const there = versions.flat().filter(({ isRedacted }) => !isRedacted);
    return new Map(there.map(({ eventId, userId }) => [eventId, userId]));
  };

  const remove: LaterChanges["remove"] = async (conversation, { ghost }, events, cause) => {
    const { roomId } = conversation;
    for (const eventId of (await versionsOf(conversation, events)).keys()) {
      await redact(ghost, roomId, eventId, cause);
      // Afterwards, so that another attempt finds what this one has left.
      await store.messages.markRedacted(roomId, eventId);
    }
  };

  /** @returns false where the moderator may not, and the author is none of ours. */
  const removeFor = async (
    moderator: UserId,
    author: UserId,
    { roomId, eventId, reason }: { roomId: RoomId; eventId: EventId; reason: string | undefined },
    cause: string,
  ): Promise<boolean> => {
    try {
      await redact(moderator, roomId, eventId, cause, reason);
    } catch (error) {
      if (!(error instanceof MatrixError && error.status === 403)) throw error;
      if (!addresses.isGhost(author)) return false;
      await redact(author, roomId, eventId, cause, reason);
    }
    return true;
  };

  return {
    remove,

    async react(stanza, conversation, { ghost: userId, jid }, id, cause) {
      const { roomId, partner } = conversation;
      const [target] = partner
        ? await memory.ofMessageId(conversation, id, [addresses.jidOfUser(partner.userId), jid])
        : await memory.ofStanzaId(conversation, id);
      if (!target) return false;
      const present = await store.reactions.ofUser(roomId, target.eventId, userId);
      const { add, remove } = reactionChanges(present, target.isRedacted ? [] : reactionsIn(stanza));
      for (const key of add) {
        const reaction = { roomId, targetId: target.eventId, userId, key };
        const eventId = await annotate(reaction, cause, passedOn(stanza, conversation));
        if (eventId) await store.reactions.save({ ...reaction, eventId });
      }
      for (const eventId of remove) {
        await redact(userId, roomId, eventId, cause);
        await store.reactions.remove(roomId, eventId);
      }
      log.info("reactions are on Matrix", {
        cause,
        about: target.eventId,
        added: add.length,
        removed: remove.length,
      });
      return true;
    },

    async retract(conversation, speaker, id, cause) {
      const { jid } = speaker;
      const found = conversation.room
        ? await memory.ofStanzaId(conversation, id)
        : await memory.ofMessageId(conversation, id, [jid]);
      // XEP-0424 §5: from the same JID as the message, or the same occupant, so those of others do not count.
      const events = found.filter((part) => part.jid === jid).map(({ eventId }) => eventId);
      if (events.length === 0) return false;
      await remove(conversation, speaker, events, cause);
      log.info("retracted on Matrix", { cause, events });
      return true;
    },

    async moderate(conversation, moderator, { id, reason }, cause) {
      const { roomId } = conversation;
      const events = (await memory.ofStanzaId(conversation, id)).map(({ eventId }) => eventId);
      if (events.length === 0) return "unknown";
      let isForbidden = false;
      for (const [eventId, author] of await versionsOf(conversation, events)) {
        if (await removeFor(moderator, author, { roomId, eventId, reason }, cause))
          await store.messages.markRedacted(roomId, eventId);
        else isForbidden = true;
      }
      log.info("a moderator has removed a message", { cause, events, isForbidden });
      return isForbidden ? "forbidden" : "removed";
    },
  };
}
