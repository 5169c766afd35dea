/** One stanza of Prosody: whose it is, what it becomes, and where that goes. */
import { isShutOut, levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { isAllFallback } from "../mapping/bodies.ts";
import { failureOfStanzaError } from "../mapping/errors.ts";
import { toContents } from "../mapping/messages.ts";
import { referencesOfStanza } from "../mapping/references.ts";
import { readSharedLinks } from "../mapping/shared-links.ts";
import { type Unbridged, unbridgedIn } from "../mapping/unbridged.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import { sentAtOf } from "../xmpp/delay.ts";
import { type BareJid, bareOf, domainOf, isFullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readError, readText, type StanzaError } from "../xmpp/stanza.ts";
import type { Bot } from "./bot.ts";
import { directConversation, speakerIn } from "./conversation.ts";
import type { DirectRooms, OpenRoom } from "./direct-rooms.ts";
import { UndeliverableError } from "./failure.ts";
import type { LaterChanges } from "./later-changes.ts";
import { encryptionCause, inWords, notDelivered } from "./tell.ts";
import type { Part, ToMatrix } from "./to-matrix.ts";

export interface FromXmppDeps {
  addresses: Addresses;
  component: string;
  permissions: Config["permissions"];
  directRooms: DirectRooms;
  bot: Bot;
  /** A message of the bridge itself came back. */
  onOwnError(id: string, from: BareJid, error: StanzaError): Promise<void>;
  matrix: MatrixClient;
  toMatrix: ToMatrix;
  changes: LaterChanges;
  /** Unix time in milliseconds. */
  now: () => number;
  txnId(cause: string, part: string): string;
  log: Log;
}

/** What is known of the attempt at hand. */
export interface Attempt {
  cause: string;
  /** An earlier attempt may have had its effect without the bridge learning of it. */
  mayRepeat: boolean;
  /** When the bridge took it from Prosody, in Unix milliseconds. */
  acceptedAt?: number;
}

interface SendOptions {
  /** Which one of several that the same cause brings about. */
  part?: number;
  /** In Unix milliseconds, where that is not now. */
  sentAt?: number | undefined;
}

export interface FromXmpp {
  /** Whether a message says something to a person; chat states and the like do not. */
  matters(message: Element): boolean;
  handle(message: Element, attempt: Attempt): Promise<void>;
  /** @param jid whose message it is: a person's address, or `room/key` of an occupant who writes to one person. */
  converse(message: Element, userId: UserId, jid: Jid, attempt: Attempt): Promise<void>;
  /** Sends one event as a ghost, once, whatever happened to earlier attempts. */
  sendOnce(to: OpenRoom, content: Part, attempt: Attempt, more?: SendOptions): Promise<EventId>;
}

/** Of the n-th event of a ghost that the same cause brings about. */
export const sentTxnId = (txnId: FromXmppDeps["txnId"], cause: string, ghost: UserId, part: number): string =>
  txnId(cause, part === 0 ? ghost : `${ghost} ${part}`);

const saysSomething = (message: Element): boolean =>
  toContents(message).length > 0 || readSharedLinks(message) !== undefined;

export function createFromXmpp(deps: FromXmppDeps): FromXmpp {
  const { addresses, component, permissions, directRooms, bot, matrix, toMatrix, changes, now } = deps;
  const { txnId, log } = deps;

  const sendOnce: FromXmpp["sendOnce"] = async (
    { roomId, ghost },
    content,
    attempt,
    { part = 0, sentAt } = {},
  ) => {
    const id = sentTxnId(txnId, attempt.cause, ghost, part);
    const { cause, mayRepeat } = attempt;
    const found = mayRepeat ? await matrix.findSent(ghost, roomId, id) : undefined;
    if (found) {
      log.info("found that an earlier attempt had arrived", { cause, room: roomId });
      return found;
    }
    const made = typeof content === "function" ? await content() : content;
    const event = await matrix.send(ghost, roomId, "m.room.message", made, id, sentAt);
    log.info("delivered to Matrix", { cause, room: roomId, event });
    return event;
  };

  const deliver = async (message: Element, userId: UserId, jid: Jid, attempt: Attempt): Promise<void> => {
    let room = await directRooms.open(userId, jid);
    const pair = { userId, jid, roomId: room.roomId };
    const [conversation, speaker] = [directConversation(pair, addresses), speakerIn(pair, addresses)];
    const { parts, surplus, whyNone, note } = await toMatrix(message, conversation, speaker);
    if (parts.length === 0) return log.info(`left out: ${whyNone}`, { cause: attempt.cause });
    const sentAt = sentAtOf(message, attempt.acceptedAt, now());
    for (const [part, content] of parts.entries()) {
      let eventId: EventId;
      try {
        eventId = await sendOnce(room, content, attempt, { part, sentAt });
      } catch (error) {
        if (!(error instanceof MatrixError && error.status === 403)) throw error;
        room = await directRooms.reopen(userId, jid, room.roomId);
        eventId = await sendOnce(room, content, attempt, { part, sentAt });
      }
      await note(room.roomId, eventId, part);
    }
    await changes.remove(conversation, speaker, surplus, attempt.cause);
    // They may have left while the message was under way; those who leave after it are seen to by from-matrix.
    const after = await directRooms.ofPair(userId, jid);
    if (after?.membership === "leave") await directRooms.open(userId, jid);
  };

  /** @returns whether the message was nothing but a change of earlier ones, and has been dealt with. */
  const isChange = async (message: Element, userId: UserId, jid: Jid, cause: string): Promise<boolean> => {
    const { reactsTo, retracts } = referencesOfStanza(message);
    if (!reactsTo && !retracts) return false;
    const room = await directRooms.ofPair(userId, jid);
    const pair = room?.roomId ? { userId, jid, roomId: room.roomId } : undefined;
    const conversation = pair && directConversation(pair, addresses);
    const speaker = { ghost: addresses.ghostOf(jid), jid };
    if (retracts) {
      if (conversation && (await changes.retract(conversation, speaker, retracts, cause))) return true;
      // Whoever takes something back has to know that it is still there.
      throw new UndeliverableError(
        "cancel",
        "item-not-found",
        "The bridge knows no message of yours by that ID, so nothing was removed.",
      );
    }
    const isKnown =
      conversation && reactsTo ? await changes.react(message, conversation, speaker, reactsTo, cause) : false;
    // A reaction that is taken back from what nobody knows is no reason to open a room.
    if (!isKnown) return !saysSomething(message);
    return !readText(message, "body") || isAllFallback(message, NS.reactions);
  };

  /** An error comes back for something that the Matrix user sent: they are told, as an answer to that message. */
  const onError = async (message: Element, userId: UserId, jid: Jid, attempt: Attempt): Promise<void> => {
    const room = await directRooms.ofPair(userId, jid);
    const error = readError(message);
    const { id } = message.attrs;
    log.warn("an XMPP server refused a message", { cause: attempt.cause, from: jid, about: id, ...error });
    if (!room?.roomId || typeof id !== "string" || !id.startsWith("$")) return;
    const { sentence } = failureOfStanzaError(error);
    const content = notDelivered(inWords(jid), sentence, error.text, id as EventId);
    await sendOnce({ roomId: room.roomId, ghost: addresses.ghostOf(jid) }, content, attempt);
  };

  /** Tells the Matrix user, of encryption once in a while. @throws UndeliverableError, for the sender. */
  const refuse = async (what: Unbridged, userId: UserId, jid: Jid, attempt: Attempt): Promise<never> => {
    const { kind, type, condition, sentence, notice } = what;
    const room = await directRooms.open(userId, jid);
    const content = { msgtype: "m.notice", body: `${inWords(jid)} ${notice}` };
    const cause = kind === "encrypted" ? `${encryptionCause(room.roomId)}/xmpp` : attempt.cause;
    await sendOnce(room, content, { cause, mayRepeat: attempt.mayRepeat || kind === "encrypted" });
    throw new UndeliverableError(type, condition, sentence);
  };

  /** @throws UndeliverableError where the two are not to be joined. */
  const mayWrite = (jid: Jid, to: UserId): void => {
    if (domainOf(jid) === component || addresses.isGhost(to)) {
      throw new UndeliverableError(
        "cancel",
        "not-allowed",
        "Both sides of this are on the same network; write there.",
      );
    }
    const isBlocked = isFullJid(jid) ? isShutOut(permissions, jid) : levelOf(permissions, jid) === "block";
    if (isBlocked) {
      throw new UndeliverableError("auth", "forbidden", "You may not use this bridge.");
    }
  };

  const converse: FromXmpp["converse"] = async (message, userId, jid, attempt) => {
    if (message.attrs.type === "error") return onError(message, userId, jid, attempt);
    mayWrite(jid, userId);
    const unbridged = unbridgedIn(message);
    if (unbridged) return refuse(unbridged, userId, jid, attempt);
    if (await isChange(message, userId, jid, attempt.cause)) return;
    await deliver(message, userId, jid, attempt);
  };

  return {
    matters(message) {
      const { reactsTo, retracts } = referencesOfStanza(message);
      return (
        message.attrs.type === "error" ||
        saysSomething(message) ||
        unbridgedIn(message) !== undefined ||
        reactsTo !== undefined ||
        retracts !== undefined
      );
    },
    sendOnce,
    converse,

    async handle(message, attempt) {
      const [from, to] = [bareOf(message.attrs.from as Jid), bareOf(message.attrs.to as Jid)];
      const isError = message.attrs.type === "error";
      if (message.attrs.type === "groupchat") {
        // As after an unlink; an error would tell the room more than it should know.
        return log.warn("left out: a groupchat message of a room that is not linked", {
          cause: attempt.cause,
          from,
        });
      }
      // XEP-0045 §7.5: it was private, and of an occupant.
      if (!isError && isFullJid(message.attrs.from) && readChild(message, NS.mucUser, "x"))
        throw new UndeliverableError("cancel", "item-not-found", `The bridge is in ${from} no more.`);
      if (to === component && isError)
        return deps.onOwnError(String(message.attrs.id), from, readError(message));
      if (to === component) return bot.onStanza(message, attempt.cause);
      const userId = addresses.userOfJid(to);
      if (!userId) {
        if (isError) return;
        throw new UndeliverableError("cancel", "item-not-found", `${to} is no Matrix user's address.`);
      }
      await converse(message, userId, from, attempt);
    },
  };
}
