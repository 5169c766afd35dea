/** Invitations to hosted rooms, from either network to either: XEP-0045 1.35 §7.8, XEP-0249 1.2, m.room.member. */

import { LRUCache } from "lru-cache";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { Ghosts } from "../bridge/ghosts.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { invitation, readInvitees, readRefusal, refusedInvitation } from "../mapping/hosted-invitations.ts";
import { readInvitation } from "../mapping/muc-invitations.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { type BareJid, bareOf, domainOf, type Jid, localOf } from "../xmpp/jid.ts";
import type { Question } from "./question.ts";

export interface InvitationsDeps {
  addresses: Addresses;
  component: string;
  ghosts: Pick<Ghosts, "ensure" | "jidOf">;
  matrix: Pick<MatrixClient, "invite" | "leave" | "roomSummary">;
  xmpp: Pick<XmppClient, "send">;
  /** Whether an XMPP user may enter rooms at all. */
  permits(jid: BareJid): boolean;
  isBlocked(userId: UserId): boolean;
  /** How many people one may invite. */
  limit: RateLimit;
  txnId(cause: string, part: string): string;
  log: Log;
}

export interface Invitation {
  to: BareJid;
  reason: string | undefined;
  cause: string;
}

const day = 24 * 60 * 60_000;

const isForbidden = (error: unknown): boolean => error instanceof MatrixError && error.status === 403;

export function createInvitations(deps: InvitationsDeps) {
  const { addresses, component, ghosts, matrix, xmpp, txnId, log } = deps;
  /** Whom guests have invited, so that nobody hears of refusals by those whom nobody has asked. */
  const passedOn = new LRUCache<string, true>({ max: 10_000, ttl: day });
  const between = (roomId: RoomId, invitee: BareJid, inviter: BareJid): string =>
    `${roomId} ${invitee} ${inviter}`;

  const tell = async (
    address: BareJid,
    { to, reason, cause }: Invitation,
    from: Jid,
    roomName: string,
  ): Promise<void> => {
    const head = { from: address, to, id: txnId(cause, `invitation ${to}`) };
    await xmpp.send(invitation(head, { from, reason, roomName }));
  };

  const userOf = async (to: BareJid): Promise<UserId> => {
    const userId = domainOf(to) === component ? addresses.userOfJid(to) : undefined;
    if (userId) return userId;
    if (domainOf(to) === component || localOf(to) === undefined) {
      throw new IqRefusal("cancel", "item-not-found", `${to} is nobody's address.`);
    }
    return ghosts.ensure(to);
  };

  /** The ghost's own invitation is taken back, if there is one. @returns whether there was. */
  const decline = async (ghost: UserId, roomId: RoomId, reason: string): Promise<boolean> => {
    const summary = await matrix.roomSummary(ghost, roomId).catch((error) => {
      if (error instanceof MatrixError && error.status < 500) return undefined;
      throw error;
    });
    if (summary?.membership !== "invite") return false;
    await matrix.leave(ghost, roomId, reason);
    return true;
  };

  /** Somebody in the room invites somebody. @throws IqRefusal, MatrixError. */
  const invite = async (question: Question, wanted: Invitation): Promise<void> => {
    const { room, ghost, jid: inviter, address } = question;
    const { to, reason } = wanted;
    const isTooMuch = (await deps.limit.take(inviter)) !== undefined;
    if (isTooMuch)
      throw new IqRefusal("wait", "resource-constraint", "You invite too many people; wait a little.");
    const state = await room.state();
    const userId = await userOf(to);
    const isMatrixUser = domainOf(to) === component;
    if (state.members.get(userId)?.membership === "join") return;
    try {
      await matrix.invite(ghost, room.roomId, userId, reason);
    } catch (error) {
      // Whoever may enter anyway needs no more than to hear of the room.
      if (isMatrixUser || !isForbidden(error) || state.joinRule !== "public") throw error;
    }
    log.info("an XMPP user has invited somebody", { room: room.roomId, from: inviter, to });
    if (isMatrixUser) return;
    passedOn.set(between(room.roomId, to, inviter), true);
    try {
      await tell(address, wanted, inviter, state.name ?? address);
    } catch (error) {
      if (!(error instanceof StanzaRefusedError)) throw error;
      await decline(userId, room.roomId, `${to} could not be invited.`);
      throw new IqRefusal(
        "cancel",
        "item-not-found",
        `${to} could not be invited: ${error.error.condition}.`,
      );
    }
  };

  return {
    invite,

    /** @returns whether the message was one, and has been dealt with. */
    async onRequest(question: Question, { cause }: Attempt): Promise<boolean> {
      const invitees = readInvitees(question.request);
      if (invitees.length === 0) return false;
      if (!question.guest) {
        throw new IqRefusal("modify", "not-acceptable", "Enter the room first, then invite others.");
      }
      for (const invitee of invitees) {
        if (!invitee)
          throw new IqRefusal("modify", "jid-malformed", "This is no address that can be invited.");
        await invite(question, { ...invitee, cause });
      }
      return true;
    },

    /** XEP-0249: a guest has sent the invitation to a Matrix user's address, who gets it as one of the room. */
    async onDirect(question: Question, { cause }: Attempt): Promise<void> {
      const { request, room, ghost } = question;
      if (!room.guests().some((guest) => guest.ghost === ghost)) {
        throw new IqRefusal("modify", "not-acceptable", "Enter the room first, then invite others.");
      }
      const to = bareOf(request.attrs.to as Jid);
      await invite(question, { to, reason: readInvitation(request)?.reason, cause });
    },

    /** @returns whether the message says that somebody does not come, and has been dealt with. */
    async onRefusal(question: Question, { cause }: Attempt): Promise<boolean> {
      const { request, room, ghost, jid, address } = question;
      const isBounce = request.attrs.type === "error";
      const refusal = isBounce ? { to: undefined, reason: undefined } : readRefusal(request);
      if (!refusal) return false;
      const words = isBounce ? `${jid} cannot be invited: their server refused.` : `${jid} does not come.`;
      const inviter = refusal.to && bareOf(refusal.to);
      const wasAsked = inviter !== undefined && passedOn.has(between(room.roomId, jid, inviter));
      const wasInvited = await decline(ghost, room.roomId, refusal.reason ?? words);
      if (!wasAsked && !wasInvited) {
        log.info("left out: nobody has invited those who decline", { cause, jid, room: room.roomId });
        return true;
      }
      for (const guest of room.guests().filter((one) => bareOf(one.jid) === inviter)) {
        const head = { from: address, to: guest.jid, id: txnId(cause, guest.jid) };
        await xmpp.send(refusedInvitation(head, { from: jid, reason: refusal.reason }));
      }
      if (inviter) passedOn.delete(between(room.roomId, jid, inviter));
      return true;
    },

    /** A Matrix user has invited an XMPP user into a room that is not for the two of them alone. */
    async onGhostInvited(event: MatrixEvent): Promise<void> {
      const { room_id: roomId, sender, event_id: cause, content } = event;
      const ghost = event.state_key as UserId;
      const to = await ghosts.jidOf(ghost);
      if (!to) return log.warn("an MXID that stands for no XMPP user was invited", { cause, ghost });
      await ghosts.ensure(to);
      const refuse = async (reason: string): Promise<void> => {
        log.info("declined an invitation", { cause, room: roomId, ghost, reason });
        await matrix.leave(ghost, roomId, reason);
      };
      if (deps.isBlocked(sender)) return refuse("You may not use this bridge.");
      if (!deps.permits(to)) return refuse(`${to} may not enter rooms through this bridge.`);
      const summary = await matrix.roomSummary(ghost, roomId).catch(() => undefined);
      if (summary?.isEncrypted) return refuse(`This room is encrypted, so ${to} could read nothing in it.`);
      const address = addresses.jidOfRoom(summary?.canonicalAlias ?? roomId);
      try {
        const wanted = { to, reason: readString(content, "reason") || undefined, cause };
        await tell(address, wanted, addresses.jidOfUser(sender), summary?.name ?? address);
        log.info("an XMPP user is invited", { cause, room: roomId, from: sender, to });
      } catch (error) {
        if (!(error instanceof StanzaRefusedError)) throw error;
        await refuse(`${to} could not be invited: ${error.error.text ?? error.error.condition}.`);
      }
    },
  };
}

/** A refusal as the sender of a message is told it. */
export const asUndeliverable = ({ error }: IqRefusal): UndeliverableError => {
  const { type, condition, text } = error;
  return new UndeliverableError(
    type as ConstructorParameters<typeof UndeliverableError>[0],
    condition as ConstructorParameters<typeof UndeliverableError>[1],
    text ?? "The room does not take this.",
  );
};
