/** One stanza of Prosody: whose it is, what it becomes, and where that goes. */
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { failureOfStanzaError } from "../mapping/errors.ts";
import { toContent } from "../mapping/messages.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Content } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import { type BareJid, bareOf, domainOf, type Jid } from "../xmpp/jid.ts";
import { type Element, readError, type StanzaError } from "../xmpp/stanza.ts";
import type { Bot } from "./bot.ts";
import type { DirectRooms, OpenRoom } from "./direct-rooms.ts";
import { UndeliverableError } from "./failure.ts";
import { notDelivered } from "./tell.ts";

export interface FromXmppDeps {
  addresses: Addresses;
  component: string;
  permissions: Config["permissions"];
  directRooms: DirectRooms;
  bot: Bot;
  /** A message of the bridge itself came back. */
  onOwnError(id: string, from: BareJid, error: StanzaError): Promise<void>;
  matrix: MatrixClient;
  txnId(cause: string, part: string): string;
  log: Log;
}

/** What is known of the attempt at hand. */
export interface Attempt {
  cause: string;
  /** An earlier attempt may have had its effect without the bridge learning of it. */
  mayRepeat: boolean;
}

export interface FromXmpp {
  /** Whether a message says something to a person; chat states and the like do not. */
  matters(message: Element): boolean;
  handle(message: Element, attempt: Attempt): Promise<void>;
  /** Sends one event as a ghost, once, whatever happened to earlier attempts. */
  sendOnce(to: OpenRoom, content: Content, attempt: Attempt): Promise<void>;
}

export function createFromXmpp(deps: FromXmppDeps): FromXmpp {
  const { addresses, component, permissions, directRooms, bot, matrix, txnId, log } = deps;

  const sendOnce = async ({ roomId, ghost }: OpenRoom, content: Content, attempt: Attempt): Promise<void> => {
    const id = txnId(attempt.cause, ghost);
    if (attempt.mayRepeat && (await matrix.hasSent(ghost, roomId, id))) {
      return log.info("found that an earlier attempt had arrived", { cause: attempt.cause, room: roomId });
    }
    const event = await matrix.send(ghost, roomId, "m.room.message", content, id);
    log.info("delivered to Matrix", { cause: attempt.cause, room: roomId, event });
  };

  const deliver = async (userId: UserId, jid: BareJid, content: Content, attempt: Attempt): Promise<void> => {
    const room = await directRooms.open(userId, jid);
    try {
      await sendOnce(room, content, attempt);
    } catch (error) {
      if (!(error instanceof MatrixError && error.status === 403)) throw error;
      await sendOnce(await directRooms.reopen(userId, jid, room.roomId), content, attempt);
    }
    // They may have left while the message was under way; those who leave after it are seen to by from-matrix.
    const after = await directRooms.ofPair(userId, jid);
    if (after?.membership === "leave") await directRooms.open(userId, jid);
  };

  /** An error comes back for something that the Matrix user sent: they are told, as an answer to that message. */
  const onError = async (message: Element, userId: UserId, jid: BareJid, attempt: Attempt): Promise<void> => {
    const room = await directRooms.ofPair(userId, jid);
    const error = readError(message);
    const { id } = message.attrs;
    log.warn("an XMPP server refused a message", { cause: attempt.cause, from: jid, about: id, ...error });
    if (!room?.roomId || typeof id !== "string" || !id.startsWith("$")) return;
    const { sentence } = failureOfStanzaError(error);
    const content = notDelivered(jid, sentence, error.text, id as EventId);
    await sendOnce({ roomId: room.roomId, ghost: addresses.ghostOf(jid) }, content, attempt);
  };

  /** @throws UndeliverableError where the two are not to be joined. */
  const mayWrite = (from: BareJid, to: UserId): void => {
    if (domainOf(from) === component || addresses.isGhost(to)) {
      throw new UndeliverableError(
        "cancel",
        "not-allowed",
        "Both sides of this are on the same network; write there.",
      );
    }
    if (levelOf(permissions, from) === "block") {
      throw new UndeliverableError("auth", "forbidden", "You may not use this bridge.");
    }
  };

  return {
    matters: (message) => message.attrs.type === "error" || toContent(message) !== undefined,
    sendOnce,

    async handle(message, attempt) {
      const [from, to] = [bareOf(message.attrs.from as Jid), bareOf(message.attrs.to as Jid)];
      const isError = message.attrs.type === "error";
      if (message.attrs.type === "groupchat") {
        // The bridge is in no MUC yet, and an error would tell the room more than it should know.
        return log.warn("left out: a groupchat message came, but the bridge is in no room", {
          cause: attempt.cause,
          from,
        });
      }
      if (to === component && isError)
        return deps.onOwnError(String(message.attrs.id), from, readError(message));
      if (to === component) return bot.onStanza(message, attempt.cause);
      const userId = addresses.userOfJid(to);
      if (!userId) {
        if (isError) return;
        throw new UndeliverableError("cancel", "item-not-found", `${to} is no Matrix user's address.`);
      }
      if (isError) return onError(message, userId, from, attempt);
      mayWrite(from, userId);
      const content = toContent(message);
      if (content) await deliver(userId, from, content, attempt);
    },
  };
}
