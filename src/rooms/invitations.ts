/** Invitations into linked rooms, of XMPP users by Matrix users and the other way round. */
import { LRUCache } from "lru-cache";
import { failureOf, UndeliverableError } from "../bridge/failure.ts";
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { Ghosts } from "../bridge/ghosts.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import { levelOf, type Permissions } from "../config/permissions.ts";
import type { Addresses } from "../mapping/addresses.ts";
import {
  declinedInvitation,
  type MucInvitation,
  mediatedInvitation,
  readDecline,
  readInvitation,
} from "../mapping/muc-invitations.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, domainOf, type FullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import type { Notice } from "./notices.ts";
import type { Occupants } from "./occupants.ts";

export interface InvitationsDeps {
  addresses: Addresses;
  component: BareJid;
  permissions: Permissions;
  ghosts: Pick<Ghosts, "jidOf">;
  matrix: Pick<MatrixClient, "invite" | "leave">;
  roomStates: Pick<RoomStates, "of">;
  xmpp: Pick<XmppClient, "send">;
  occupants: Pick<Occupants, "ofGhost" | "settle">;
  puppets: {
    ensure(link: RoomLink, userId: UserId): Promise<FullJid>;
    ensureBot(link: RoomLink): Promise<FullJid>;
  };
  open(muc: BareJid, by: UserId, options: { password?: string | undefined }): Promise<RoomId>;
  notice: Notice;
  log: Log;
}

export interface Invitations {
  /** Has an XMPP user invited to the MUC. @param by undefined for the bot. */
  invite(link: RoomLink, by: UserId | undefined, jid: BareJid, reason?: string): Promise<void>;
  /** Whether a message invites a Matrix user to a room of an XMPP service. */
  isOne(message: Element): boolean;
  /** An XMPP user, or a MUC for one, invites a Matrix user. */
  onInvitation(message: Element, attempt: Attempt): Promise<void>;
  /** A Matrix user invites an XMPP user. */
  onGhostInvited(link: RoomLink, event: MatrixEvent): Promise<void>;
  /** A Matrix user who was invited does not come. */
  onRefused(link: RoomLink, event: MatrixEvent): Promise<void>;
  /** @returns whether the message said that an XMPP user does not come. */
  onDecline(link: RoomLink, message: Element, attempt: Attempt): Promise<boolean>;
}

export function createInvitations(deps: InvitationsDeps): Invitations {
  const { addresses, component, permissions, ghosts, matrix, roomStates, xmpp, occupants, puppets } = deps;
  const { open, notice, log } = deps;
  const { botUserId: bot } = addresses;
  /** Who has invited whom, so that a refusal finds them; it is worth no more than that. */
  const inviters = new LRUCache<string, Jid>({ max: 10_000 });
  /** XMPP users who were invited from Matrix: nobody else has anything to decline. */
  const invited = new LRUCache<string, true>({ max: 10_000 });

  const userFor = (message: Element): UserId | undefined => {
    const userId = addresses.userOfJid(bareOf(message.attrs.to as Jid));
    return userId === bot || (userId && addresses.isGhost(userId)) ? undefined : userId;
  };

  const mayNot = (userId: UserId, { from }: MucInvitation): string | undefined => {
    if (levelOf(permissions, userId) === "block") return `${userId} may not use this bridge.`;
    return from && levelOf(permissions, from) === "block" ? "You may not use this bridge." : undefined;
  };

  /** Invitations that nobody can follow are refused in the way in which they came. */
  const refuse = async (message: Element, userId: UserId, invitation: MucInvitation, error: unknown) => {
    const isMediated = message.attrs.from === invitation.muc;
    if (!isMediated || !invitation.from) throw error;
    const { sentence } = failureOf(error);
    const from = addresses.jidOfUser(userId);
    await xmpp.send(declinedInvitation(from, invitation.muc, invitation.from, sentence));
  };

  const follow = async (userId: UserId, invitation: MucInvitation): Promise<void> => {
    const { muc, from, password } = invitation;
    const why = mayNot(userId, invitation);
    if (why) throw new UndeliverableError("auth", "forbidden", why);
    const roomId = await open(muc, userId, { password });
    const membership = (await roomStates.of(bot, roomId)).members.get(userId)?.membership;
    if (membership === "join" || membership === "invite") return;
    if (from) inviters.set(`${roomId} ${userId}`, from);
    await matrix.invite(bot, roomId, userId);
  };

  const invite: Invitations["invite"] = async (link, by, jid, reason) => {
    const { muc, password } = link;
    const isPuppet = by !== undefined && link.mode === "puppets";
    const from = isPuppet ? await puppets.ensure(link, by) : await puppets.ensureBot(link);
    invited.set(`${link.roomId} ${jid}`, true);
    try {
      await xmpp.send(mediatedInvitation(from, muc, jid, reason));
    } catch (error) {
      if (!(error instanceof StanzaRefusedError)) throw error;
      // Whoever may invite nobody through the room can still tell them where it is.
      const attrs = {
        xmlns: NS.conference,
        jid: muc,
        ...(reason && { reason }),
        ...(password && { password }),
      };
      await xmpp.send(xml("message", { from, to: jid }, xml("x", attrs)));
    }
  };

  return {
    invite,

    isOne(message) {
      const invitation = readInvitation(message);
      if (!invitation || domainOf(invitation.muc) === component) return false;
      return userFor(message) !== undefined;
    },

    async onInvitation(message, { cause }) {
      const [invitation, userId] = [readInvitation(message), userFor(message)];
      if (!invitation || !userId) return;
      try {
        await follow(userId, invitation);
        log.info("an invitation is on Matrix", { cause, muc: invitation.muc, user: userId });
      } catch (error) {
        if (failureOf(error).retry) throw error;
        await refuse(message, userId, invitation, error);
      }
    },

    async onGhostInvited(link, event) {
      const ghost = event.state_key as UserId;
      const occupant = await occupants.ofGhost(link.muc, ghost);
      if (occupant?.isIn) return occupants.settle(link.muc, occupant.key);
      const jid = await ghosts.jidOf(ghost);
      if (!jid) {
        await matrix.leave(ghost, link.roomId, "They are in another room, and have no address outside it.");
        return;
      }
      await invite(link, event.sender, jid, readString(event.content, "reason"));
      log.info("an invitation is on XMPP", { cause: event.event_id, muc: link.muc, to: jid });
      if (!link.isAnonymous) return;
      // There they are somebody whose address nobody is told.
      await matrix.leave(
        ghost,
        link.roomId,
        "They were invited on XMPP, and come under a name of their own.",
      );
    },

    async onRefused(link, event) {
      const userId = event.state_key as UserId;
      const inviter = inviters.get(`${link.roomId} ${userId}`);
      if (!inviter) return;
      inviters.delete(`${link.roomId} ${userId}`);
      const reason = readString(event.content, "reason");
      await xmpp.send(declinedInvitation(addresses.jidOfUser(userId), link.muc, inviter, reason));
    },

    async onDecline(link, message, { cause }) {
      const decline = readDecline(message);
      if (!decline) return false;
      const jid = bareOf(decline.from);
      const ghost = addresses.ghostOf(jid);
      const membership = (await roomStates.of(bot, link.roomId)).members.get(ghost)?.membership;
      const isInvited = invited.delete(`${link.roomId} ${jid}`) || membership === "invite";
      if (!isInvited) {
        log.info("left out: it declines what nobody has offered", { cause, muc: link.muc });
        return true;
      }
      const why = decline.reason ? `: ${decline.reason}` : ".";
      if (membership === "invite") await matrix.leave(ghost, link.roomId, decline.reason ?? "");
      await notice(link.roomId, `${jid} does not come${why}`, cause);
      return true;
    },
  };
}
