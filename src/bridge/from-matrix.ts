/** One event of the homeserver: whose it is, what it becomes, and where that goes. */
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type FullJid, isFullJid, type Jid } from "../xmpp/jid.ts";
import type { Bot } from "./bot.ts";
import type { BotRooms } from "./bot-rooms.ts";
import { directConversation } from "./conversation.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { UndeliverableError } from "./failure.ts";
import type { Ghosts } from "./ghosts.ts";
import { encryptionCause } from "./tell.ts";
import type { ToXmpp } from "./to-xmpp.ts";
import type { Traffic } from "./traffic.ts";

export interface FromMatrixDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  ghosts: Ghosts;
  directRooms: DirectRooms;
  bot: Bot;
  botRooms: BotRooms;
  matrix: MatrixClient;
  toXmpp: ToXmpp;
  xmpp: XmppClient;
  traffic: readonly Traffic[];
  /** An XMPP user is invited to a room that is not for two: they are told, and may come or not. */
  onInvitedAmongOthers(event: MatrixEvent): Promise<void>;
  /** From where to where a message to an occupant of an XMPP room (`room/key`) goes. @throws UndeliverableError */
  wayToOccupant(userId: UserId, occupant: FullJid): Promise<{ from: Jid; to: Jid }>;
  /** A transaction ID for the n-th thing that a cause brings about. */
  txnId(cause: string, part: string): string;
  log: Log;
}

export interface FromMatrix {
  /** Whether an event is worth storing: messages, and memberships of and around ghosts, but nothing of our own. */
  matters(event: MatrixEvent): boolean;
  /**
   * @param mayRepeat an earlier attempt may have had its effect without the bridge learning of it.
   * @returns events that come next although the homeserver did not hand them over.
   */
  handle(event: MatrixEvent, mayRepeat: boolean): Promise<MatrixEvent[]>;
  /** @returns what the room holds after the event, handed over or not. */
  catchUp(roomId: RoomId, after: EventId): Promise<MatrixEvent[]>;
}

const encryptionType = "m.room.encryption";
/** Someone begins to share where they are from now on (MSC3672). */
const isLiveLocation = ({ type, content }: MatrixEvent): boolean =>
  /^(?:m|org\.matrix\.msc3672)\.beacon_info$/.test(type) && content.live === true;
const isMessage = ({ state_key: stateKey }: MatrixEvent): boolean => stateKey === undefined;

export function createFromMatrix(deps: FromMatrixDeps): FromMatrix {
  const { addresses, permissions, ghosts, directRooms, bot, botRooms, matrix, toXmpp, xmpp, log } = deps;
  const routeOf = (roomId: RoomId): Traffic | undefined =>
    deps.traffic.find((candidate) => candidate.hasRoom(roomId));
  const isOurs = (userId: UserId): boolean => userId === addresses.botUserId || addresses.isGhost(userId);

  const notice = (event: MatrixEvent, ghost: UserId, body: string): Promise<unknown> =>
    matrix.send(
      ghost,
      event.room_id,
      "m.room.message",
      { msgtype: "m.notice", body },
      deps.txnId(event.event_id, "notice"),
    );

  const decline = async (event: MatrixEvent, ghost: UserId, reason: string): Promise<void> => {
    log.info("declined an invitation", { cause: event.event_id, room: event.room_id, ghost, reason });
    await matrix.leave(ghost, event.room_id, reason);
  };

  /** Whether it is a room for more than two, as far as that can be known from outside. */
  const isForMany = async ({ room_id: roomId, content }: MatrixEvent, ghost: UserId): Promise<boolean> => {
    const summary = await matrix.roomSummary(ghost, roomId).catch((error) => {
      if (error instanceof MatrixError && error.status < 500) return undefined;
      throw error;
    });
    if (!summary) return false;
    const isNamed = summary.name !== undefined || summary.canonicalAlias !== undefined;
    return (summary.members ?? 1) > 1 || (isNamed && content.is_direct !== true);
  };

  const onGhostInvited = async (event: MatrixEvent, ghost: UserId): Promise<MatrixEvent[]> => {
    const { room_id: roomId, sender, event_id: cause } = event;
    const jid = (await ghosts.jidOf(ghost)) ?? (await ghosts.occupantOf(ghost));
    // Nobody can act as a ghost that stands for nobody, so its invitation stays open.
    if (!jid) {
      log.warn("an MXID that stands for no XMPP user was invited", { cause, ghost });
      return [];
    }
    await ghosts.ensure(jid);
    if (levelOf(permissions, sender) === "block") {
      await decline(event, ghost, "You may not use this bridge.");
      return [];
    }
    if (!jid.includes("/") && (await isForMany(event, ghost))) {
      await deps.onInvitedAmongOthers(event);
      return [];
    }
    const current = await directRooms.adopt(sender, jid, roomId, async () => {
      await matrix.join(ghost, roomId);
      const members = [...(await matrix.members(ghost, roomId)).keys()];
      return members.every((member) => member === ghost || member === sender);
    });
    if (!current) {
      await decline(
        event,
        ghost,
        "To have them in a room with others, give it a name or an alias, and invite them again.",
      );
      return [];
    }
    if (current === roomId)
      log.info("a direct conversation begins", { cause, room: roomId, user: sender, jid });
    else {
      await notice(
        event,
        ghost,
        `You already have a conversation with ${jid}: https://matrix.to/#/${current}`,
      );
      await decline(event, ghost, `The conversation with ${jid} is in another room.`);
    }
    // What was written before the ghost was in the room is nothing that homeservers hand over; what was written in
    // the wrong room is meant for the same person.
    const written = (await matrix.eventsAfter(ghost, roomId, cause)) ?? [];
    return current === roomId
      ? written
      : written.filter(isMessage).map((message) => ({ ...message, room_id: current }));
  };

  /** A message may have been on its way to someone who was just leaving; it calls them back. */
  const onUserLeft = async (event: MatrixEvent): Promise<void> => {
    const room = await directRooms.ofRoom(event.room_id);
    if (room?.membership !== "leave" || room.userId !== event.state_key) return;
    const ghost = addresses.ghostOf(room.jid);
    const later = await matrix.eventsAfter(ghost, event.room_id, event.event_id);
    const missed = later?.some(({ type, sender }) => type === "m.room.message" && sender === ghost);
    if (missed) await directRooms.open(room.userId, room.jid);
  };

  const onMember = async (event: MatrixEvent, member: UserId): Promise<MatrixEvent[]> => {
    const membership = readString(event.content, "membership") ?? "leave";
    if (membership === "invite" && addresses.isGhost(member)) return onGhostInvited(event, member);
    if (membership === "invite" && member === addresses.botUserId) return bot.onInvited(event);
    await botRooms.noteMembership(event);
    await directRooms.noteMembership(event.room_id, member, membership);
    if (membership === "leave") await onUserLeft(event);
    return [];
  };

  const onMessage = async (event: MatrixEvent, mayRepeat: boolean): Promise<void> => {
    if (await bot.onMessage(event, mayRepeat)) return;
    const { event_id: cause, sender } = event;
    const room = await directRooms.ofWriter(event.room_id, sender);
    if (!room) return log.info("left out: this room is not bridged", { cause, room: event.room_id });
    if (levelOf(permissions, sender) === "block") {
      throw new UndeliverableError("auth", "forbidden", "You may not use this bridge.");
    }
    if (sender !== room.userId) {
      const words = `This is the conversation of ${room.userId} with ${room.jid}; only their messages cross.`;
      throw new UndeliverableError("auth", "forbidden", words);
    }
    const conversation = directConversation({ ...room, roomId: event.room_id }, addresses);
    const way = isFullJid(room.jid)
      ? await deps.wayToOccupant(sender, room.jid)
      : { from: addresses.jidOfUser(sender), to: room.jid };
    const crossing = await toXmpp(event, conversation, way);
    if (crossing.kind === "nothing" || crossing.kind === "moderation") {
      const why = crossing.kind === "nothing" ? crossing.why : "only rooms have moderators";
      return log.debug(`left out: ${why}`, { cause, type: event.type });
    }
    if (crossing.kind === "refused") {
      throw new UndeliverableError("cancel", "feature-not-implemented", crossing.sentence, crossing);
    }
    for (const stanza of crossing.stanzas) await xmpp.send(stanza);
    await crossing.sent?.();
    log.info("delivered to XMPP", { cause, to: room.jid });
  };

  /** What they are going to send cannot cross, so they hear of it before they do. */
  const onHindrance = async ({ room_id: roomId, type, event_id: eventId }: MatrixEvent): Promise<void> => {
    const room = await directRooms.ofRoom(roomId);
    if (!room) return;
    const ghost = addresses.ghostOf(room.jid);
    const isEncryption = type === encryptionType;
    const body = isEncryption
      ? `This room is encrypted from now on, and the bridge cannot read encrypted messages. To write to ${room.jid}, use a room without encryption.`
      : `Live locations cannot cross the bridge. Send where you are now, and ${room.jid} will see that.`;
    const id = deps.txnId(isEncryption ? encryptionCause(roomId) : eventId, ghost);
    if (await matrix.hasSent(ghost, roomId, id)) return;
    await matrix.send(ghost, roomId, "m.room.message", { msgtype: "m.notice", body }, id);
  };

  /** Commands are given in rooms too; where guests look on, they see what others in the room see. */
  const inRoom = async (route: Traffic, event: MatrixEvent, mayRepeat: boolean): Promise<MatrixEvent[]> => {
    const { type, sender, state_key: member, content } = event;
    if (type === "m.room.member") await botRooms.noteMembership(event);
    const isFromBot = sender === addresses.botUserId;
    const isCommand = isMessage(event) && !isFromBot && (await bot.onMessage(event, mayRepeat));
    if (!isCommand || route.showsCommands) await route.onEvent(event, mayRepeat);
    const isCalled = type === "m.room.member" && member === addresses.botUserId && !isFromBot;
    return isCalled && content.membership === "invite" ? bot.onInvited(event) : [];
  };

  return {
    matters: (event) => {
      const route = routeOf(event.room_id);
      if (route) return route.takes(event);
      if (isOurs(event.sender)) return false;
      return (
        isMessage(event) ||
        event.type === "m.room.member" ||
        event.type === encryptionType ||
        isLiveLocation(event)
      );
    },

    async handle(event, mayRepeat) {
      const route = routeOf(event.room_id);
      if (route) {
        return inRoom(route, event, mayRepeat);
      }
      if (event.type === encryptionType || isLiveLocation(event)) await onHindrance(event);
      if (event.type === "m.room.member") return onMember(event, event.state_key as UserId);
      if (!isMessage(event)) return [];
      await onMessage(event, mayRepeat);
      return [];
    },

    async catchUp(roomId, after) {
      const room = await directRooms.ofRoom(roomId);
      const isBots = !room && (await botRooms.ofRoom(roomId)) !== undefined;
      const ofRoom = routeOf(roomId)?.readerOf(roomId);
      const reader = ofRoom ?? (room ? addresses.ghostOf(room.jid) : isBots && addresses.botUserId);
      if (!reader) return [];
      try {
        const events = await matrix.eventsAfter(reader, roomId, after);
        if (!events)
          log.warn("could not compare the room: its last known event is too far back", { room: roomId });
        return events ?? [];
      } catch (error) {
        // The ghost is no longer there, or the homeserver no longer knows the event: nothing to compare with.
        if (error instanceof MatrixError && (error.status === 403 || error.status === 404)) return [];
        throw error;
      }
    },
  };
}
