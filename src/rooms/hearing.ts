/** What the presences of linked rooms say of who is there, learnt the moment that they come. */
import { exitOf } from "../mapping/exits.ts";
import { type OccupantPresence, readOccupantPresence } from "../mapping/muc-presence.ts";
import type { UserId } from "../matrix/ids.ts";
import { type BareJid, domainOf, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import { selfPresence } from "./entrances.ts";
import type { Seats } from "./seats.ts";

export interface HearingDeps {
  seats: Seats;
  bot: UserId;
  component: BareJid;
  userOf(to: Jid): UserId | undefined;
}

export interface Hearing {
  hear(presence: Element): void;
  /** Where the receiver of a presence is, by what it says of them. */
  note(userId: UserId, presence: OccupantPresence): void;
  isOwn(muc: BareJid, who: Pick<OccupantPresence, "nick" | "occupantId" | "realJid">): boolean;
}

export function createHearing({ seats, bot, component, userOf }: HearingDeps): Hearing {
  const isSelf = (userId: UserId, { room, statuses, nick }: OccupantPresence): boolean => {
    const seat = seats.of(room, userId);
    return statuses.has(selfPresence) || (seat?.state === "in" && seat.nick === nick);
  };

  const note: Hearing["note"] = (userId, presence) => {
    const { room, nick, newNick, affiliation, role, occupantId } = presence;
    const exit = presence.isUnavailable ? exitOf(presence) : undefined;
    if (exit === undefined) {
      const seat = seats.arrived(room, userId, nick);
      Object.assign(seat, { rank: { affiliation, role } });
      if (occupantId) seats.called(room, userId, occupantId);
    } else if (exit === "renamed") {
      if (newNick) seats.arrived(room, userId, newNick);
    } else if (seats.of(room, userId)?.nick === nick) {
      seats.gone(room, userId, exit === "kicked" || exit === "banned" ? exit : "out");
    }
  };

  const isOwn: Hearing["isOwn"] = (muc, { nick, occupantId, realJid }) => {
    if (realJid && domainOf(realJid) === component) return true;
    if (occupantId && seats.userOfOccupantId(muc, occupantId)) return true;
    const userId = seats.userOfNick(muc, nick);
    const known = userId && seats.occupantIdOf(muc, userId);
    // Somebody else may have had the nick when that was said.
    return userId !== undefined && (!occupantId || !known || known === occupantId);
  };

  /** What the room tells the bot of another occupant. */
  const noteOther = (presence: OccupantPresence): void => {
    const { room, nick, newNick, isUnavailable, occupantId } = presence;
    if (!isOwn(room, presence)) {
      seats.other(room, nick, !isUnavailable);
      if (newNick) seats.other(room, newNick, true);
      return;
    }
    const own = isUnavailable ? undefined : seats.userOfNick(room, nick);
    if (own && occupantId && seats.of(room, own)?.state === "in") seats.called(room, own, occupantId);
  };

  return {
    note,
    isOwn,
    hear(stanza) {
      const userId = userOf(stanza.attrs.to as Jid);
      const presence = readOccupantPresence(stanza);
      if (!userId || !presence) return;
      if (isSelf(userId, presence)) {
        note(userId, presence);
        const seat = seats.of(presence.room, userId);
        if (seat) seat.isHeard = true;
      } else if (userId === bot) noteOther(presence);
    },
  };
}
