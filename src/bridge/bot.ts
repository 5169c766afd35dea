/** The bridge's own conversations: with its bot in rooms of Matrix, and with the component's address on XMPP. */
import { afterPrefix, prefix, withoutQuotation } from "../commands/chat.ts";
import type { Caller, Place } from "../commands/command.ts";
import type { Commands } from "../commands/commands.ts";
import { noticeOf } from "../commands/notice.ts";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, domainOf, type Jid, localOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, errorReply, readChild, readText, xml } from "../xmpp/stanza.ts";
import type { BotRooms } from "./bot-rooms.ts";
import { UndeliverableError } from "./failure.ts";

export interface BotDeps {
  bot: UserId;
  component: BareJid;
  permissions: Config["permissions"];
  commands: Commands;
  rooms: BotRooms;
  /** Whether a room is linked, or XMPP users are in it: what is said there is not for the bot alone. */
  isShared(roomId: RoomId): boolean;
  /** The XMPP room that it is linked with. */
  mucOf(roomId: RoomId): BareJid | undefined;
  isGhost(userId: UserId): boolean;
  /** The XMPP user behind a ghost; undefined where it stands for nobody. */
  jidOfGhost(userId: UserId): Promise<BareJid | undefined>;
  matrix: MatrixClient;
  xmpp: Pick<XmppClient, "send">;
  /** How much one person is answered. */
  limit: RateLimit;
  /** How often one person is told that they may not use the bridge. */
  refusals: RateLimit;
  /** How often one person is told that they ask too much. */
  warnings: RateLimit;
  txnId(cause: string, part: string): string;
  log: Log;
}

export interface Bot {
  /** @returns what was written in the room before the bot was there. */
  onInvited(event: MatrixEvent): Promise<MatrixEvent[]>;
  /** @returns whether the event was for the bot. */
  onMessage(event: MatrixEvent, mayRepeat: boolean): Promise<boolean>;
  onStanza(message: Element, cause: string): Promise<void>;
}

const noAccess = "You may not use this bridge.";
const tooMuch = "These are more commands than I answer in a minute: wait a little, and give this one again.";
const cannotRead = "I cannot read encrypted messages. Write to me in a room without encryption.";

/** What a person has written anew; edits and what machines write give no commands. */
function writtenIn({ type, content }: MatrixEvent): string | undefined {
  if (type !== "m.room.message" || readString(content, "msgtype") !== "m.text" || isEdit(content))
    return undefined;
  const body = readString(content, "body");
  return body === undefined ? undefined : withoutQuotation(body);
}

const relationOf = (content: Content): Content => {
  const relation = content["m.relates_to"];
  return isObject(relation) ? relation : {};
};
const isEdit = (content: Content): boolean => readString(relationOf(content), "rel_type") === "m.replace";

/** What is written for the bot; "" where nothing is. */
function lineIn(event: MatrixEvent, isDirect: boolean): string {
  const written = writtenIn(event) ?? "";
  return afterPrefix(written) ?? (isDirect ? written.trim() : "");
}

/** What an edit puts in the place of what was written. */
function rewrittenIn({ content }: MatrixEvent): string | undefined {
  const anew = content["m.new_content"];
  return isEdit(content) && isObject(anew) ? readString(anew, "body") : undefined;
}

export function createBot(deps: BotDeps): Bot {
  const { bot, component, permissions, commands, rooms, matrix, xmpp, txnId, log } = deps;
  const { limit, refusals, warnings } = deps;

  const say = async (event: MatrixEvent, content: Content, part: string): Promise<void> => {
    const { event_id: cause, room_id: room } = event;
    try {
      const answer = await matrix.send(bot, room, "m.room.message", content, txnId(cause, part));
      log.info("the bot has answered on Matrix", { cause, room, event: answer });
    } catch (error) {
      // It may have been sent away meanwhile, or may not speak there.
      if (!(error instanceof MatrixError && error.status === 403)) throw error;
      log.info("the bot may not answer in this room", { cause, room });
    }
  };

  /** @returns what to add to the answer. */
  const takeAway = async ({ event_id: cause, room_id: roomId }: MatrixEvent): Promise<string> => {
    try {
      await matrix.redact(bot, roomId, cause, txnId(cause, "redaction"), "It held a secret.");
      return "";
    } catch (error) {
      if (!(error instanceof MatrixError && error.status === 403)) throw error;
      return "\n\nYour message holds a secret, and I may not remove it here: please delete it.";
    }
  };

  const reply = async (event: MatrixEvent, text: string, isPrivate: boolean): Promise<void> => {
    const relation = { "m.relates_to": { "m.in_reply_to": { event_id: event.event_id } } };
    // Where several people write, an answer says whose it is.
    await say(event, { ...noticeOf(text), ...(!isPrivate && relation) }, "answer");
  };

  /** Said once in a while, not under each message. */
  const tellOfEncryption = async (event: MatrixEvent): Promise<void> => {
    const id = txnId(event.room_id, "encrypted");
    if (await matrix.hasSent(bot, event.room_id, id)) return;
    await matrix.send(bot, event.room_id, "m.room.message", noticeOf(cannotRead), id);
  };

  /** Whether the person has been answered too often. */
  const isTooMuch = async (from: UserId | BareJid, cause: string): Promise<boolean> => {
    if ((await limit.take(from)) === undefined) return false;
    log.warn("left out: too many commands of one person", { cause, from });
    return true;
  };

  const onLine = async (
    event: MatrixEvent,
    caller: Caller,
    line: string,
    isPrivate: boolean,
    mayRepeat: boolean,
  ): Promise<void> => {
    const { event_id: cause, sender, room_id: roomId } = event;
    // Whatever else becomes of the line: nobody is to find a secret in the room.
    const added = commands.holdsSecret(caller, line) ? await takeAway(event) : "";
    const answer = (text: string): Promise<void> => reply(event, text + added, isPrivate);
    if (caller.level === "block") {
      if ((await refusals.take(sender)) === undefined) await answer(noAccess);
      return;
    }
    if (mayRepeat && (await matrix.hasSent(bot, roomId, txnId(cause, "answer")))) return;
    if (!mayRepeat && (await isTooMuch(sender, cause))) {
      if ((await warnings.take(sender)) === undefined) await answer(tooMuch);
      return;
    }
    const { text } = await commands.runLine(caller, line, isPrivate);
    await answer(text);
  };

  /** For those who read along. */
  const shortGreeting = (caller: Caller): string => {
    const mayLink = commands.allowed(caller).some(({ name }) => name === "link");
    return [
      "This is a bridge between Matrix and XMPP.",
      ...(mayLink
        ? [`To link this room with one of XMPP: ${prefix} link garden@conference.xmpp.example`]
        : []),
      `What else I can do here: ${prefix} help`,
    ].join("\n");
  };

  /** In a room of two the prefix says that the room itself is meant. */
  const placeOf = (event: MatrixEvent, isDirect: boolean): { place?: Place } => {
    const isMeant = !isDirect || afterPrefix(writtenIn(event) ?? "") !== undefined;
    const muc = deps.mucOf(event.room_id);
    return isMeant ? { place: { roomId: event.room_id, ...(muc && { muc }) } } : {};
  };

  /** @returns undefined for a ghost that stands for nobody. */
  const callerOf = async (event: MatrixEvent, isDirect: boolean): Promise<Caller | undefined> => {
    const { sender } = event;
    const place = placeOf(event, isDirect);
    if (!deps.isGhost(sender))
      return { network: "matrix", userId: sender, level: levelOf(permissions, sender), ...place };
    const jid = await deps.jidOfGhost(sender);
    return jid && { network: "xmpp", jid, level: levelOf(permissions, jid), ...place };
  };

  return {
    async onInvited(event) {
      const { room_id: roomId, sender, event_id: cause } = event;
      const level = levelOf(permissions, sender);
      if (level === "block") {
        log.info("declined an invitation to the bot", { cause, room: roomId, from: sender });
        await matrix.leave(bot, roomId, noAccess);
        return [];
      }
      const room = await rooms.enter(roomId);
      log.info("the bot has entered a room", { cause, room: roomId, from: sender });
      const caller: Caller = { network: "matrix", userId: sender, level };
      const isShared = room.userId === undefined || deps.isShared(roomId);
      const { text } = isShared
        ? { text: shortGreeting(caller) }
        : await commands.runLine(caller, "help", true);
      await say(event, noticeOf(text), "greeting");
      return (await matrix.eventsAfter(bot, room.roomId, cause)) ?? [];
    },

    async onMessage(event, mayRepeat) {
      const room = await rooms.ofRoom(event.room_id);
      if (!room) return false;
      const { sender, room_id: roomId } = event;
      const isDirect = room.userId !== undefined && !deps.isShared(roomId);
      const caller = await callerOf(event, isDirect);
      if (!caller) return false;
      const { level } = caller;
      const edited = rewrittenIn(event);
      if (edited && commands.holdsSecret(caller, afterPrefix(edited) ?? edited)) {
        await takeAway(event);
        return true;
      }
      const line = lineIn(event, isDirect);
      if (line) {
        await onLine(event, caller, line, isDirect, mayRepeat);
        return true;
      }
      if (!isDirect) return false;
      if (event.type !== "m.room.encrypted") {
        log.debug("left out: this is no command", { cause: event.event_id });
      } else if (level !== "block" && !(await isTooMuch(sender, event.event_id))) {
        await tellOfEncryption(event);
      }
      return true;
    },

    async onStanza(message, cause) {
      const { from, type } = message.attrs;
      const jid = bareOf(from as Jid);
      // Servers and other gateways answer what they are told, so an answer to them might never end.
      const isPerson = localOf(jid) !== undefined && domainOf(jid) !== component;
      const isSaid = type === undefined || type === "chat" || type === "normal";
      const body = withoutQuotation(readText(message, "body") ?? "");
      if (!isPerson || !isSaid || body === "" || readChild(message, NS.correct)) return;
      const level = levelOf(permissions, jid);
      if (level === "block") throw new UndeliverableError("auth", "forbidden", noAccess);
      if (await isTooMuch(jid, cause)) {
        // At once, since it counts only now.
        const error = { type: "wait", condition: "resource-constraint", text: tooMuch };
        await xmpp.send(errorReply(message, error));
        return;
      }
      const isEncrypted = readChild(message, NS.omemo) ?? readChild(message, NS.omemo2);
      const caller: Caller = { network: "xmpp", jid, level };
      const { text } = isEncrypted
        ? { text: cannotRead }
        : await commands.runLine(caller, afterPrefix(body) ?? body, true);
      const id = txnId(cause, "answer");
      await xmpp.send(
        xml(
          "message",
          { type: "chat", from: component, to: from, id },
          xml("body", {}, text),
          xml("origin-id", { xmlns: NS.stableId, id }),
        ),
      );
      log.info("the bridge has answered on XMPP", { cause, to: jid });
    },
  };
}
