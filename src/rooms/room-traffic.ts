/** What comes in for linked rooms, from either side, and which part of them it is for. */

import { failureOf } from "../bridge/failure.ts";
import type { Traffic } from "../bridge/traffic.ts";
import { levelOf, type Permissions } from "../config/permissions.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { type OccupantPresence, readOccupantPresence } from "../mapping/muc-presence.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { localpartOf, parseRoomId, domainOf as serverOf, type UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { type BareJid, bareOf, domainOf, type FullJid, isFullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";
import type { Invitations } from "./invitations.ts";
import type { Links } from "./links.ts";
import type { RoomMessages } from "./messages.ts";
import type { Moderation } from "./moderation.ts";
import type { Notice } from "./notices.ts";
import type { Occupants } from "./occupants.ts";
import type { Portals } from "./portals.ts";
import type { RoomProfile } from "./room-profile.ts";

export interface RoomTrafficDeps {
  addresses: Addresses;
  component: BareJid;
  botJid: FullJid;
  permissions: Permissions;
  links: Links;
  portals: Portals;
  occupants: Occupants;
  moderation: Moderation;
  invitations: Invitations;
  profile: RoomProfile;
  messages: RoomMessages;
  puppets: {
    enter(link: RoomLink, userId: UserId): Promise<void>;
    leave(link: RoomLink, userId: UserId, reason?: string): Promise<void>;
    rename(link: RoomLink, userId: UserId, displayName: string): Promise<void>;
    userOfNick(muc: BareJid, nick: string): UserId | undefined;
    isOwn(muc: BareJid, signs: Pick<OccupantPresence, "nick" | "occupantId" | "realJid">): boolean;
    onPresence(link: RoomLink, to: FullJid, stanza: Element): Promise<void>;
    hear(stanza: Element): boolean;
    caughtUp(link: RoomLink): Promise<void>;
  };
  /** The MUC's configuration has changed. */
  onConfigured(link: RoomLink): Promise<void>;
  notice: Notice;
  log: Log;
}

/** XEP-0045 §15.6: a change of the configuration, or of who sees real JIDs. */
const ofConfiguration = new Set(["104", "172", "173"]);

/** Only the room itself says so, and not an occupant. */
const isConfigured = (message: Element): boolean =>
  !isFullJid(message.attrs.from) &&
  (readChild(message, NS.mucUser, "x")?.getChildren("status") ?? []).some(({ attrs }) =>
    ofConfiguration.has(String(attrs.code)),
  );

/** Only archives say whose a message is; in others, whatever says so was written by the sender, and Prosody passes it on. */
const withoutClaims = (message: Element): Element => {
  message.remove("x", NS.mucUser);
  return message;
};

export function createRoomTraffic(deps: RoomTrafficDeps): Traffic {
  const { addresses, component, botJid, permissions, links, portals, occupants, moderation } = deps;
  const { invitations, profile, messages, puppets, notice, log } = deps;
  const { botUserId: bot } = addresses;
  const isOurs = (userId: UserId): boolean => userId === bot || addresses.isGhost(userId);
  const isBlocked = (userId: UserId): boolean => levelOf(permissions, userId) === "block";
  const leftOut = ({ event_id: cause }: MatrixEvent): void =>
    log.info("left out: its sender may not use this bridge", { cause });

  const isOfMuc = ({ attrs }: Element): boolean =>
    portals.isExpected(bareOf(attrs.from as Jid)) && domainOf(attrs.to as Jid) === component;

  /** Every occupant of ours gets a copy of what the MUC says to all, and the bot's is enough. */
  const laneFor = (stanza: Element): string | undefined => {
    const { from, to, type } = stanza.attrs;
    const muc = bareOf(from as Jid);
    const isError = type === "error";
    if (to === botJid && !isError) return `xmpp ${muc}`;
    if (stanza.name === "message")
      return type === "groupchat" ? undefined : `xmpp ${muc} ${bareOf(to as Jid)}`;
    const isOwn = readOccupantPresence(stanza)?.statuses.has(110);
    return isError || isOwn ? `xmpp ${muc} presence ${to}` : undefined;
  };

  const onPresence = async (link: RoomLink, stanza: Element): Promise<void> => {
    const to = stanza.attrs.to as FullJid;
    const presence = readOccupantPresence(stanza);
    if (!presence || presence.statuses.has(110)) return puppets.onPresence(link, to, stanza);
    if (to !== botJid) return;
    if (!puppets.isOwn(link.muc, presence)) return occupants.onPresence(link, presence);
    const userId = puppets.userOfNick(link.muc, presence.nick);
    if (userId) moderation.onOwnPresence(link, userId, presence);
  };

  const toBot: Traffic["onStanza"] = async (message, attempt) => {
    const link = await portals.awaited(bareOf(message.attrs.from as Jid));
    if (!link) return;
    if (isConfigured(message)) await deps.onConfigured(link);
    await puppets.caughtUp(link);
    await messages.onStanza(link, withoutClaims(message), attempt);
  };

  const onMessage: Traffic["onStanza"] = async (message, attempt) => {
    const { from, to, type } = message.attrs;
    if (type === "groupchat") return to === botJid ? toBot(message, attempt) : undefined;
    const link = await portals.awaited(bareOf(from as Jid));
    if (!link) return;
    if (type === "error") return messages.onError(link, message, attempt);
    if (await invitations.onDecline(link, message, attempt)) return;
    if (to !== botJid && isFullJid(from)) await messages.onPrivate(link, withoutClaims(message), attempt);
  };

  const onUserIn = async (link: RoomLink, event: MatrixEvent, userId: UserId): Promise<void> => {
    if (link.mode === "relay" || isBlocked(userId)) return;
    const name = readString(event.content, "displayname") ?? localpartOf(userId);
    try {
      await puppets.enter(link, userId);
      await puppets.rename(link, userId, name);
    } catch (error) {
      const { retry, sentence } = failureOf(error);
      if (retry) throw error;
      await notice(link.roomId, `${userId} is not in the XMPP room. ${sentence}`, event.event_id);
    }
  };

  const onMember = async (link: RoomLink, event: MatrixEvent): Promise<void> => {
    const member = event.state_key as UserId;
    const membership = readString(event.content, "membership") ?? "leave";
    const isOut = membership === "leave" || membership === "ban";
    if (member === bot) {
      if (isOut) await portals.unlink(link.roomId, "The bridge is no longer in the Matrix room.");
      return;
    }
    if (addresses.isGhost(member)) {
      if (isBlocked(event.sender)) return leftOut(event);
      return membership === "invite"
        ? invitations.onGhostInvited(link, event)
        : moderation.onGhostMember(link, event);
    }
    if (membership === "join") return onUserIn(link, event, member);
    if (!isOut) return;
    await invitations.onRefused(link, event);
    await puppets.leave(link, member, readString(event.content, "reason"));
  };

  const onTombstone = async (link: RoomLink, event: MatrixEvent): Promise<void> => {
    const successor = parseRoomId(readString(event.content, "replacement_room") ?? "");
    if (!successor) return;
    try {
      await portals.moveRoom(link, successor, [serverOf(event.sender)]);
    } catch (error) {
      if (failureOf(error).retry) throw error;
      log.warn("a link could not follow its Matrix room", { from: link.roomId, room: successor, error });
      const words = `The bridge could not follow: invite ${bot} to the new room, and link it there.`;
      await notice(link.roomId, words, event.event_id);
    }
  };

  return {
    showsCommands: false,
    mayRefuse: (message) => !isOfMuc(message),
    concerns: (stanza) =>
      (stanza.name === "message" && invitations.isOne(stanza)) || (stanza.name !== "iq" && isOfMuc(stanza)),

    laneOf(stanza) {
      if (isOfMuc(stanza) && puppets.hear(stanza)) return undefined;
      const { from, to } = stanza.attrs;
      if (stanza.name === "message" && invitations.isOne(stanza)) {
        return `xmpp ${bareOf(from as Jid)} ${bareOf(to as Jid)}`;
      }
      return laneFor(stanza);
    },

    async onStanza(stanza, attempt) {
      if (stanza.name === "message" && invitations.isOne(stanza)) {
        return invitations.onInvitation(stanza, attempt);
      }
      const link = portals.present(bareOf(stanza.attrs.from as Jid));
      if (!link) return log.debug("left out: the room is linked no more", { cause: attempt.cause });
      return stanza.name === "presence" ? onPresence(link, stanza) : onMessage(stanza, attempt);
    },

    hasRoom: (roomId) => links.ofRoom(roomId) !== undefined,
    takes: ({ sender }) => !isOurs(sender),
    readerOf: (roomId) => (links.ofRoom(roomId) ? bot : undefined),

    async onEvent(event, mayRepeat) {
      const link = links.ofRoom(event.room_id);
      if (!link) return;
      if (event.state_key === undefined) return messages.onEvent(link, event, mayRepeat);
      if (event.type === "m.room.member") return onMember(link, event);
      if (event.state_key !== "") return;
      if (event.type === "m.room.tombstone") return onTombstone(link, event);
      const isOfBlocked = isBlocked(event.sender);
      if (event.type === "m.room.power_levels") await moderation.onPowerLevels(link, event, !isOfBlocked);
      else if (isOfBlocked) leftOut(event);
      else await profile.onState(link, event);
    },
  };
}
