/** What XMPP users do to messages that are there already: reactions and retractions. */
import type { Addresses } from "../mapping/addresses.ts";
import { reactionChanges, reactionsIn } from "../mapping/reactions.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { Reaction, Store } from "../store/store.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { Memory, Pair } from "./memory.ts";

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
  react(stanza: Element, pair: Pair, id: string, cause: string): Promise<boolean>;
  /** Takes events of the XMPP user's away, with all their versions. */
  remove(pair: Pair, events: readonly EventId[], cause: string): Promise<void>;
  /** @returns false where nobody knows a message of theirs by that ID. */
  retract(pair: Pair, id: string, cause: string): Promise<boolean>;
}

export function createLaterChanges(deps: LaterChangesDeps): LaterChanges {
  const { addresses, memory, store, matrix, txnId, log } = deps;

  const redact = async (ghost: UserId, pair: Pair, eventId: EventId, cause: string): Promise<void> => {
    try {
      await matrix.redact(ghost, pair.roomId, eventId, txnId(cause, `${ghost} ${eventId}`));
    } catch (error) {
      // It is no longer there, so there is nothing to take away.
      if (!(error instanceof MatrixError && error.status === 404)) throw error;
    }
  };

  const annotate = async (
    reaction: Omit<Reaction, "eventId">,
    cause: string,
  ): Promise<EventId | undefined> => {
    const { roomId, targetId, userId, key } = reaction;
    const content = { "m.relates_to": { rel_type: "m.annotation", event_id: targetId, key } };
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

  const remove: LaterChanges["remove"] = async (pair, events, cause) => {
    const versions = new Set<EventId>();
    for (const eventId of events) {
      for (const version of await store.messages.versions(pair.roomId, eventId))
        versions.add(version.eventId);
    }
    for (const eventId of versions) {
      await redact(addresses.ghostOf(pair.jid), pair, eventId, cause);
      // Afterwards, so that another attempt finds what this one has left.
      await store.messages.markRedacted(pair.roomId, eventId);
    }
  };

  return {
    remove,

    async react(stanza, pair, id, cause) {
      const { roomId, jid } = pair;
      const [target] = await memory.ofMessageId(pair, id, [addresses.jidOfUser(pair.userId), jid]);
      if (!target) return false;
      const userId = addresses.ghostOf(jid);
      const present = await store.reactions.ofUser(roomId, target.eventId, userId);
      const { add, remove } = reactionChanges(present, target.isRedacted ? [] : reactionsIn(stanza));
      for (const key of add) {
        const reaction = { roomId, targetId: target.eventId, userId, key };
        const eventId = await annotate(reaction, cause);
        if (eventId) await store.reactions.save({ ...reaction, eventId });
      }
      for (const eventId of remove) {
        await redact(userId, pair, eventId, cause);
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

    async retract(pair, id, cause) {
      // XEP-0424 §5: from the same bare JID as the message, so the IDs of others do not count.
      const parts = await memory.ofMessageId(pair, id, [pair.jid]);
      if (parts.length === 0) return false;
      const events = parts.map(({ eventId }) => eventId);
      await remove(pair, events, cause);
      log.info("retracted on Matrix", { cause, events });
      return true;
    },
  };
}
