/** What guests of a hosted room say: to all of it (XEP-0045 1.35 §7.4), to one (§7.5), or as its subject (§8.1). */
import type { Conversation, Speaker } from "../bridge/conversation.ts";
import { UndeliverableError } from "../bridge/failure.ts";
import { type Attempt, type FromXmpp, sentTxnId } from "../bridge/from-xmpp.ts";
import type { LaterChanges } from "../bridge/later-changes.ts";
import type { ToMatrix } from "../bridge/to-matrix.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { isAllFallback } from "../mapping/bodies.ts";
import { eventOfArchiveId } from "../mapping/hosted-archive.ts";
import { asOccupantMessage, subjectMessage } from "../mapping/hosted-stanzas.ts";
import { referencesOfStanza } from "../mapping/references.ts";
import { unbridgedIn } from "../mapping/unbridged.ts";
import { passedByStanza } from "../mapping/via.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import { sentAtOf } from "../xmpp/delay.ts";
import { type BareJid, bareOf, fullJid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { copyOf, type Element, readText, xml } from "../xmpp/stanza.ts";
import type { IsFlood } from "./floods.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Originals } from "./originals.ts";
import type { Said } from "./said.ts";
import type { Typing } from "./typing.ts";

export interface TalkDeps {
  addresses: Addresses;
  component: BareJid;
  rooms: GuestRooms;
  said: Said;
  originals: Originals;
  toMatrix: ToMatrix;
  changes: LaterChanges;
  sendOnce: FromXmpp["sendOnce"];
  /** Has a message go the way of direct conversations. */
  writeDirect(message: Element, attempt: Attempt): Promise<void>;
  matrix: Pick<MatrixClient, "setState">;
  isFlood: IsFlood;
  typing: Pick<Typing, "hear">;
  txnId(cause: string, part: string): string;
  now: () => number;
  log: Log;
}

export interface Talk {
  onGroupchat(message: Element, attempt: Attempt): Promise<void>;
  onPrivate(message: Element, attempt: Attempt): Promise<void>;
  /** What was said to a guest comes back, who is still there: its author is told. */
  onBounce(error: Element, guest: Guest, attempt: Attempt): Promise<void>;
}

const notIn = (): UndeliverableError =>
  new UndeliverableError("cancel", "not-acceptable", "You are not in this room; enter it first.");

/** A subject alone; with a body beside it, it is a message (§8.1). */
const isSubject = (message: Element): boolean =>
  readText(message, "subject") !== undefined &&
  message.getChild("body") === undefined &&
  message.getChild("thread") === undefined;

export function createTalk(deps: TalkDeps): Talk {
  const { addresses, rooms, said, originals, toMatrix, changes, matrix, txnId, now, log } = deps;

  /** @throws UndeliverableError for those who are not in the room, or say too much. */
  const guestOf = async ({ attrs }: Element, attempt: Attempt): Promise<Guest> => {
    const guest = rooms.guestAt(bareOf(attrs.to), attrs.from);
    if (!guest) throw notIn();
    if (await deps.isFlood(guest, attempt)) {
      throw new UndeliverableError("wait", "resource-constraint", "You write too fast; wait a little.");
    }
    return guest;
  };

  /** Lets all guests have it as it was said, at once. */
  const reflect = async (message: Element, guest: Guest, cause: string): Promise<void> => {
    const room = rooms.of(guest.roomId);
    await room.broadcast(
      (to, { address }) =>
        said.reflected(message, room, { from: fullJid(address, guest.nick), to, sender: guest.ghost }),
      cause,
    );
  };

  const setSubject = async (message: Element, guest: Guest, cause: string): Promise<void> => {
    const { roomId, ghost, nick } = guest;
    const room = rooms.of(roomId);
    const state = await room.state();
    if (!state.maySetState(ghost, "m.room.topic")) {
      throw new UndeliverableError("auth", "forbidden", "You are not allowed to change the subject here.");
    }
    const topic = readText(message, "subject") ?? "";
    const { id } = message.attrs;
    // The homeserver tells nobody of what is no change.
    if ((state.topic ?? "") === topic) {
      const from = fullJid(guest.address, nick);
      await rooms.sendTo(guest, subjectMessage(from, guest.jid, topic, id));
      return;
    }
    originals.keep(txnId(cause, ghost), message);
    await matrix.setState(ghost, roomId, "m.room.topic", { topic, ...originals.mark(txnId(cause, ghost)) });
    log.info("a guest has changed the topic", { cause, room: roomId, ghost });
  };

  const retract = async (
    id: string,
    conversation: Conversation,
    speaker: Speaker,
    cause: string,
  ): Promise<void> => {
    const target = eventOfArchiveId(id);
    if (target) originals.hush(target);
    if (await changes.retract(conversation, speaker, id, cause)) return;
    // A moderator may still take it away.
    if (target) originals.unhush(target);
    const words = "The room knows no message of yours by that ID.";
    throw new UndeliverableError("cancel", "item-not-found", words);
  };

  /** @returns whether it was nothing but a change of earlier messages, and has been dealt with. */
  const isChange = async (message: Element, guest: Guest, cause: string): Promise<boolean> => {
    const { reactsTo, retracts } = referencesOfStanza(message);
    if (!reactsTo && !retracts) return false;
    const conversation = said.conversationIn(rooms.of(guest.roomId), guest.address, guest.ghost);
    const speaker = { ghost: guest.ghost, jid: bareOf(guest.jid), nick: guest.nick };
    if (retracts) {
      await retract(retracts, conversation, speaker, cause);
      await reflect(message, guest, cause);
      return true;
    }
    const isKnown = reactsTo ? await changes.react(message, conversation, speaker, reactsTo, cause) : false;
    if (isKnown) await reflect(message, guest, cause);
    if (!isKnown) return !readText(message, "body");
    return !readText(message, "body") || isAllFallback(message, NS.reactions);
  };

  const say = async (message: Element, guest: Guest, attempt: Attempt): Promise<void> => {
    const { roomId, ghost, address, jid, nick } = guest;
    const room = rooms.of(roomId);
    deps.typing.hear(message, guest);
    const speaker = { ghost, jid: bareOf(jid), nick };
    const conversation = said.conversationIn(room, address, ghost);
    if (passedByStanza(message).includes(roomId)) {
      return log.warn("left out: it has been in this room already", { cause: attempt.cause, room: roomId });
    }
    const { parts, surplus, note } = await toMatrix(message, conversation, speaker);
    // Chat states and the like are worth something to other guests only.
    if (parts.length === 0) return reflect(message, guest, attempt.cause);
    // A guest has no say in when the others hear it.
    const sentAt = sentAtOf(xml("message", message.attrs), attempt.acceptedAt, now());
    for (const [part, content] of parts.entries()) {
      const id = sentTxnId(txnId, attempt.cause, ghost, part);
      // Ahead of sending, since the homeserver may hand it back before it has answered.
      originals.keep(id, part === 0 ? message : undefined);
      const eventId = await deps.sendOnce({ roomId, ghost }, content, attempt, { part, sentAt });
      await note(roomId, eventId, part);
    }
    for (const eventId of surplus) originals.hush(eventId);
    await changes.remove(conversation, speaker, surplus, attempt.cause);
  };

  /** From one guest to the clients of another. @returns whether one of those has taken it. */
  const whisper = async (
    message: Element,
    type: "chat" | "error",
    guest: Guest,
    to: UserId,
  ): Promise<boolean> => {
    const occupantId = rooms.of(guest.roomId).occupantId(guest.ghost);
    let isHeard = false;
    for (const session of rooms.sessionsOf(guest.roomId, to)) {
      const way = { from: fullJid(session.address, guest.nick), to: session.jid, occupantId };
      if (await rooms.sendTo(session, asOccupantMessage(message, type, way))) isHeard = true;
    }
    return isHeard;
  };

  return {
    async onGroupchat(message, attempt) {
      if (resourceOf(message.attrs.to) !== undefined) {
        throw new UndeliverableError("modify", "bad-request", "What is for all goes to the room itself.");
      }
      const guest = await guestOf(message, attempt);
      const { role } = await rooms.of(guest.roomId).rankOf(guest.ghost);
      if (role === "visitor") {
        throw new UndeliverableError("auth", "forbidden", "You are not allowed to speak in this room.");
      }
      if (isSubject(message)) return setSubject(message, guest, attempt.cause);
      const unbridged = unbridgedIn(message);
      if (unbridged) throw new UndeliverableError(unbridged.type, unbridged.condition, unbridged.sentence);
      if (await isChange(message, guest, attempt.cause)) return;
      await say(message, guest, attempt);
    },

    async onPrivate(message, attempt) {
      const guest = await guestOf(message, attempt);
      const room = rooms.of(guest.roomId);
      const userId = await room.userOfNick(resourceOf(message.attrs.to) ?? "");
      if (!userId)
        throw new UndeliverableError("cancel", "item-not-found", "Nobody in the room is called so.");
      if (await whisper(message, "chat", guest, userId)) return;
      if (addresses.isGhost(userId)) {
        throw new UndeliverableError("cancel", "item-not-found", "Their client is not in the room any more.");
      }
      const direct = copyOf(message);
      direct.children = direct.children.filter(
        (child) => typeof child !== "object" || child.getNS() !== NS.mucUser,
      );
      direct.attrs.to = userId === addresses.botUserId ? deps.component : addresses.jidOfUser(userId);
      await deps.writeDirect(direct, attempt);
    },

    async onBounce(error, guest, attempt) {
      const author = await rooms.of(guest.roomId).userOfNick(resourceOf(error.attrs.to) ?? "");
      if (author && !(await deps.isFlood(guest, attempt))) await whisper(error, "error", guest, author);
    },
  };
}
