/** Who is put out of a linked room, let in again, or given power there, on either side. */
import type { RoomStates } from "../bridge/room-state.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { Rank } from "../mapping/affiliations.ts";
import type { OccupantPresence } from "../mapping/muc-presence.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Occupant, RoomLink, Occupants as StoredOccupants } from "../store/room-records.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
import type { MucAdmin } from "./muc-admin.ts";
import type { Notice } from "./notices.ts";
import type { Occupants } from "./occupants.ts";
import type { Ranks } from "./ranks.ts";

export interface Kick {
  reason?: string | undefined;
  /** By nick. */
  actor?: string | undefined;
  isBan: boolean;
  statuses: ReadonlySet<number>;
}

export interface ModerationDeps {
  addresses: Pick<Addresses, "botUserId" | "isGhost" | "jidOfUser">;
  matrix: Pick<MatrixClient, "kick" | "ban" | "unban">;
  roomStates: RoomStates;
  occupants: Occupants;
  store: StoredOccupants;
  ranks: Ranks;
  admin: MucAdmin;
  puppets: {
    ensure(link: RoomLink, userId: UserId): Promise<FullJid>;
    ensureBot(link: RoomLink): Promise<FullJid>;
    /** As the MUC has last told it; undefined where it has not. */
    rankOf(muc: BareJid, userId: UserId): Rank | undefined;
  };
  notice: Notice;
  newId(): string;
  log: Log;
}

export interface Moderation {
  /** The MUC has put one of ours out. */
  onKicked(link: RoomLink, userId: UserId, kick: Kick): Promise<void>;
  /** What one of ours is in the MUC, as the bot hears it. */
  onOwnPresence(link: RoomLink, userId: UserId, presence: OccupantPresence): void;
  /** Somebody on Matrix has put a ghost out, or lets it in again. */
  onGhostMember(link: RoomLink, event: MatrixEvent): Promise<void>;
  /** @param isForBoth whether it is to hold on XMPP too. */
  onPowerLevels(link: RoomLink, event: MatrixEvent, isForBoth: boolean): Promise<void>;
}

type Action = "kick" | "ban" | "unban";

const none: Rank = { affiliation: "none", role: "participant" };

/** XEP-0045 §15.6.13 and §15.6.14: somebody is a member no longer, or the room is for members only now. */
const isForMembers = ({ statuses }: Kick): boolean => statuses.has(321) || statuses.has(322);

function whyOut(kick: Kick, muc: BareJid): string {
  const { isBan, reason, actor } = kick;
  if (isForMembers(kick)) {
    return `${muc} is for its members only; ask one of its admins to make you one.`;
  }
  const by = actor ? ` by ${actor}` : "";
  return `${isBan ? "Banned" : "Kicked"} from ${muc}${by}${reason ? `: ${reason}` : "."}`;
}

export function createModeration(deps: ModerationDeps): Moderation {
  const { addresses, matrix, roomStates, occupants, store, ranks, admin, puppets, notice, newId, log } = deps;
  const { botUserId: bot } = addresses;
  /** Addresses of ours that may have the power there, the one of whoever wants it first. */
  const actors = async (link: RoomLink, userId: UserId): Promise<FullJid[]> => {
    const isModerator = puppets.rankOf(link.muc, userId)?.role === "moderator";
    const theirs = isModerator && link.mode === "puppets" ? [await puppets.ensure(link, userId)] : [];
    return [...theirs, await puppets.ensureBot(link)];
  };

  const firstWho = async (
    link: RoomLink,
    userId: UserId,
    work: (from: FullJid) => Promise<boolean>,
  ): Promise<boolean> => {
    for (const from of await actors(link, userId)) if (await work(from)) return true;
    return false;
  };

  /** By address wherever that can be had, as the nick may be somebody else's by the time of an unban. */
  const whomOf = async (from: Jid, occupant: Occupant): Promise<{ jid: BareJid } | { nick: string }> => {
    const { muc, nick, role, isIn } = occupant;
    const known = occupants.realJidOf(occupant);
    const jid = known ?? (isIn ? await admin.realJidOf(from, muc, nick, role) : undefined);
    if (jid && !known) occupants.learn(occupant, jid);
    return jid ? { jid } : { nick };
  };

  /** Here it holds all the same: a bridge that took it back would go round in circles with a moderating bot. */
  const tellWhoStays = async (link: RoomLink, event: MatrixEvent, { nick }: Occupant): Promise<void> => {
    const isBan = readString(event.content, "membership") === "ban";
    const here = isBan
      ? "What they say there is not shown here."
      : "They are back here when they speak again.";
    const body = `${nick} could not be removed from ${link.muc}: neither you nor the bridge may do that there. ${here}`;
    await notice(link.roomId, body, event.event_id);
  };

  /** @returns undefined where there is nothing to do on XMPP. */
  const actionOf = ({ content }: MatrixEvent, { affiliation, isIn }: Occupant): Action | undefined => {
    const membership = readString(content, "membership") ?? "leave";
    if (membership === "ban") return "ban";
    if (membership !== "leave") return undefined;
    if (affiliation === "outcast") return "unban";
    return isIn ? "kick" : undefined;
  };

  const carryOut = (link: RoomLink, event: MatrixEvent, occupant: Occupant, kind: Action) => {
    const { muc } = link;
    const reason = readString(event.content, "reason");
    const affiliation = kind === "ban" ? "outcast" : "none";
    return firstWho(link, event.sender, async (from) =>
      kind === "kick"
        ? admin.setRole(from, muc, occupant.nick, "none", reason)
        : admin.setAffiliation(from, muc, await whomOf(from, occupant), affiliation, reason),
    );
  };

  /** Members stay members: there is no such thing on Matrix. */
  const isOther = (rank: Rank, before: Rank, there: Rank): boolean =>
    rank.affiliation !== before.affiliation &&
    rank.affiliation !== there.affiliation &&
    !(rank.affiliation === "none" && there.affiliation === "member");

  const follow = async (
    link: RoomLink,
    event: MatrixEvent,
    { userId, rank, before }: ReturnType<Ranks["changedBy"]>[number],
  ): Promise<void> => {
    const { muc } = link;
    const occupant = addresses.isGhost(userId) ? await occupants.ofGhost(muc, userId) : undefined;
    if (userId === bot || (addresses.isGhost(userId) && !occupant)) return;
    const there = occupant ?? puppets.rankOf(muc, userId) ?? none;
    if (isOther(rank, before, there)) {
      const done = await firstWho(link, event.sender, async (from) => {
        const whom = occupant ? await whomOf(from, occupant) : { jid: addresses.jidOfUser(userId) };
        return admin.setAffiliation(from, muc, whom, rank.affiliation);
      });
      if (!done) log.info("an affiliation could not follow a power level", { muc, user: userId });
    }
    if (occupant && rank.role !== before.role && rank.affiliation === "none") {
      await firstWho(link, event.sender, (from) => admin.setRole(from, muc, occupant.nick, rank.role));
    }
  };

  return {
    async onKicked(link, userId, kick) {
      const { roomId, muc } = link;
      const why = whyOut(kick, muc);
      log.info("one of ours was put out of a room", { muc, user: userId, ban: kick.isBan });
      if (userId === bot) {
        const body = `The bridge was put out: ${why} Nothing crosses until it is let in again. Then write: !xmpp join ${muc}`;
        return notice(roomId, body, newId());
      }
      // A room that was there before does not become empty with the other; they are told when they write.
      if (link.kind === "plumbed" && isForMembers(kick)) return;
      const state = await roomStates.of(bot, roomId);
      if (state.members.get(userId)?.membership !== "join") return;
      const action = kick.isBan ? "ban" : "kick";
      if (!state.may(bot, action, userId)) {
        const body = `${userId} is no longer in the XMPP room. ${why} What they write here does not arrive there.`;
        return notice(roomId, body, newId());
      }
      await matrix[action](bot, roomId, userId, why);
    },

    onOwnPresence(link, userId, { affiliation, role, isUnavailable }) {
      // In rooms that were there before, people on Matrix say who has power.
      if (!isUnavailable && link.kind === "portal" && userId !== bot)
        ranks.show(link, userId, { affiliation, role });
    },

    async onGhostMember(link, event) {
      const occupant = await occupants.ofGhost(link.muc, event.state_key as UserId);
      const kind = occupant && actionOf(event, occupant);
      if (!occupant || !kind) return;
      if (await carryOut(link, event, occupant, kind)) {
        const affiliation = { kick: occupant.affiliation, ban: "outcast", unban: "none" } as const;
        const current = (await occupants.ofGhost(link.muc, occupant.ghost)) ?? occupant;
        await store.save({ ...current, affiliation: affiliation[kind] });
        return log.info("moderated on XMPP as on Matrix", { cause: event.event_id, muc: link.muc, kind });
      }
      if (kind !== "unban") return tellWhoStays(link, event, occupant);
      await notice(link.roomId, `${occupant.nick} is still banned from ${link.muc}.`, event.event_id);
    },

    async onPowerLevels(link, event, isForBoth) {
      if (isForBoth) for (const change of ranks.changedBy(event)) await follow(link, event, change);
      ranks.note(event);
    },
  };
}
