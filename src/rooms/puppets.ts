/** Matrix users and the bot as occupants of linked rooms: XEP-0045 1.35, as whoever enters a room has to do. */

import { UndeliverableError } from "../bridge/failure.ts";
import { resource } from "../bridge/matrix-presence.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import { levelOf, type Permissions } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { Rank } from "../mapping/affiliations.ts";
import { exitOf } from "../mapping/exits.ts";
import { type OccupantPresence, readOccupantPresence } from "../mapping/muc-presence.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, fullJid, type Jid } from "../xmpp/jid.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import type { Element } from "../xmpp/stanza.ts";
import { createEntrances, selfPresence } from "./entrances.ts";
import { createHearing } from "./hearing.ts";
import { createJoining } from "./joining.ts";
import type { Links } from "./links.ts";
import type { Kick } from "./moderation.ts";
import { createMucCatchUp } from "./muc-catch-up.ts";
import type { MucInfos } from "./muc-infos.ts";
import { createSeats } from "./seats.ts";
import { createSelfPing } from "./self-ping.ts";
import { createStaying } from "./staying.ts";

export interface PuppetsDeps {
  config: Pick<Config["rooms"], "lazyAbove" | "historyMessages">;
  permissions: Permissions;
  addresses: Addresses;
  component: BareJid;
  links: Pick<Links, "all" | "ofMuc" | "setArchiveId">;
  infos: MucInfos;
  store: Pick<Store, "puppets" | "occupants">;
  matrix: Pick<MatrixClient, "history">;
  roomStates: Pick<RoomStates, "of">;
  profileOf(userId: UserId): Promise<Profile | undefined>;
  /** XEP-0153, see `createJoining`. */
  photoHashOf(userId: UserId): Promise<string | undefined>;
  xmpp: Pick<XmppClient, "send">;
  requests: Pick<IqRequests, "request" | "requestAll">;
  /** One of ours, the bot included, was put out by somebody. */
  onKicked(link: RoomLink, userId: UserId, kick: Kick): Promise<void>;
  onDestroyed(link: RoomLink, destroyed: NonNullable<OccupantPresence["destroyed"]>): Promise<void>;
  /** The room is about to tell the bot, once more perhaps, of all who are in it. */
  onBotEntering(link: RoomLink): void;
  /** The room has told the bot of all who are in it. */
  onBotIn(link: RoomLink): Promise<void>;
  /** A message of the room's archive, to be dealt with as if the room said it now. */
  onArchived(link: RoomLink, message: Element, cause: string): Promise<void>;
  newId(): string;
  log: Log;
}

export interface Puppets {
  /** Has a Matrix user in the room. @throws UndeliverableError with what to do, or an error that may pass. */
  ensure(link: RoomLink, userId: UserId): Promise<FullJid>;
  ensureBot(link: RoomLink): Promise<FullJid>;
  /** A Matrix user is a member, or asks once more after having been put out. */
  enter(link: RoomLink, userId: UserId): Promise<void>;
  leave(link: RoomLink, userId: UserId, reason?: string): Promise<void>;
  leaveAll(link: RoomLink, reason: string): Promise<void>;
  /** Their name on Matrix is another one now, or still the same. */
  rename(link: RoomLink, userId: UserId, displayName: string): Promise<void>;
  /** They want another nick, in this room. @throws UndeliverableError where the room does not let them. */
  choose(link: RoomLink, userId: UserId, nick: string): Promise<void>;
  /** The room does not know somebody who was in it. */
  rejoin(link: RoomLink, userId: UserId): Promise<FullJid>;
  jidOf(userId: UserId): FullJid;
  nickOf(muc: BareJid, userId: UserId): string | undefined;
  userOfNick(muc: BareJid, nick: string): UserId | undefined;
  /** As far as the room has told it in this run. */
  userOfOccupantId(muc: BareJid, occupantId: string): UserId | undefined;
  /** Whether an occupant of whom the bot hears is one of ours, or was when that was said. */
  isOwn(muc: BareJid, who: Pick<OccupantPresence, "nick" | "occupantId" | "realJid">): boolean;
  /** Undefined where the room has not said it in this run. */
  rankOf(muc: BareJid, userId: UserId): Rank | undefined;
  /** To be called with every stanza of a room the moment that it comes. @returns whether that is all. */
  hear(stanza: Element): boolean;
  /** Presence of the room about whom it is sent to, in its turn. */
  onPresence(link: RoomLink, to: FullJid, stanza: Element): Promise<void>;
  /** Resolves once what was said unheard is handled; to be awaited before anything that the room says now. */
  caughtUp(link: RoomLink): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  prosodyStarted(): void;
  prosodyReached(): void;
}

export function createPuppets(deps: PuppetsDeps): Puppets {
  const { config, addresses, component, links, store, roomStates, profileOf, requests, log } = deps;
  const bot = addresses.botUserId;
  const botJid = fullJid(component, "causeway");
  const jidOf = (userId: UserId): FullJid =>
    userId === bot ? botJid : fullJid(addresses.jidOfUser(userId), resource);
  const userOf = (to: Jid): UserId | undefined => (to === botJid ? bot : addresses.userOfJid(bareOf(to)));

  const seats = createSeats(store);
  const hearing = createHearing({ seats, bot, component, userOf });
  /** Rooms that the bot has entered, and the members of their Matrix rooms have not yet followed. */
  const arrivals = new Set<BareJid>();
  const entrances = createEntrances({ xmpp: deps.xmpp, newId: deps.newId });
  const catchUp = createMucCatchUp({
    ...deps,
    ...config,
    bot,
    botJid,
    isGhost: addresses.isGhost,
    handle: deps.onArchived,
  });

  const displayNameOf = async ({ roomId }: RoomLink, userId: UserId): Promise<string | undefined> => {
    if (userId === bot) return "Causeway";
    const member = (await roomStates.of(bot, roomId)).members.get(userId);
    return member?.displayName ?? (await profileOf(userId))?.displayName;
  };
  const throwIfUnwanted = ({ muc }: RoomLink, userId: UserId): void => {
    const state = seats.of(muc, userId)?.state;
    if (state !== "kicked" && state !== "banned") return;
    const [who, again] =
      userId === bot
        ? ["The bridge itself was", "Join or link the room again once it may return."]
        : ["You were", "Leave this room and join it again to return."];
    throw new UndeliverableError("auth", "forbidden", `${who} ${state} from ${muc}. ${again}`);
  };
  const ping = createSelfPing({ requests, jidOf });
  const joining = createJoining({
    ...deps,
    ping,
    seats,
    entrances,
    bot,
    jidOf,
    throwIfUnwanted,
    displayNameOf,
    // Not waited for: to leave the room takes its turn behind the attempt to enter it.
    onGone(link, destroyed) {
      deps.onDestroyed(link, destroyed).catch((error) => {
        log.warn("a link could not follow its XMPP room", { muc: link.muc, error });
      });
    },
    historyFor: catchUp.historyFor,
  });
  const staying = createStaying({
    links,
    seats,
    joining,
    isMember: async ({ roomId }, userId) =>
      (await roomStates.of(bot, roomId)).members.get(userId)?.membership === "join",
    ping,
    bot,
    log,
  });

  const ensure: Puppets["ensure"] = async (link, userId) => {
    throwIfUnwanted(link, userId);
    // Whoever still is in would speak without hearing an answer.
    throwIfUnwanted(link, bot);
    return joining.enter(link, userId);
  };

  const isPerson = (userId: UserId): boolean =>
    userId !== bot && !addresses.isGhost(userId) && levelOf(deps.permissions, userId) !== "block";
  /** Members of the Matrix room who have a place in the other one. */
  const membersOf = async ({ roomId }: RoomLink): Promise<UserId[]> => {
    const { members } = await roomStates.of(bot, roomId);
    return [...members].flatMap(([userId, { membership }]) =>
      membership === "join" && isPerson(userId) ? [userId] : [],
    );
  };
  const isLazy = (members: readonly UserId[]): boolean => members.length > config.lazyAbove;

  /** The bot is in, so the others follow, and who is a member no longer goes. */
  const bringIn = async (link: RoomLink): Promise<void> => {
    const members = new Set(await membersOf(link));
    for (const { userId, state } of seats.all(link.muc)) {
      if (userId !== bot && !members.has(userId) && state === "in") await joining.leave(link, userId);
    }
    if (link.mode === "relay" || isLazy([...members])) return;
    for (const userId of members) if (!seats.of(link.muc, userId)) staying.enterSoon(link, userId);
  };

  /** The Matrix room of a portal is made only after the bot has been let in. */
  const settle = async ({ muc }: RoomLink): Promise<void> => {
    const link = links.ofMuc(muc);
    if (!link) return;
    await catchUp.caughtUp(link);
    if (!arrivals.has(muc)) return;
    await bringIn(link);
    arrivals.delete(muc);
  };

  const botArrived = async (link: RoomLink): Promise<void> => {
    arrivals.add(link.muc);
    catchUp.suspect(link.muc);
    await deps.onBotIn(link);
    await settle(link);
  };

  const removed = async (link: RoomLink, userId: UserId, presence: OccupantPresence): Promise<void> => {
    const { reason, actor, statuses, destroyed } = presence;
    const exit = exitOf(presence);
    log.info("is in a room no longer", { muc: link.muc, user: userId, exit, reason });
    if (exit === "lost") staying.lost(link.muc, userId);
    if (exit === "kicked" || exit === "banned")
      await deps.onKicked(link, userId, { reason, actor, statuses, isBan: exit === "banned" });
    if (destroyed && userId === bot) await deps.onDestroyed(link, destroyed);
  };

  const lookAnew = (): void => {
    for (const { muc } of links.all()) catchUp.suspect(muc);
    staying.look(true);
  };

  return {
    ensure,
    ensureBot: (link) => ensure(link, bot),
    async enter(link, userId) {
      const state = seats.of(link.muc, userId)?.state;
      if (state === "in") return;
      // Else they may be about to enter already, and the nick that they have asked for stays theirs.
      if (state === "kicked" || state === "banned") seats.gone(link.muc, userId, "out");
      if (userId !== bot && (link.mode === "relay" || isLazy(await membersOf(link)))) return;
      await joining.enter(link, userId);
    },
    leave: joining.leave,
    async leaveAll(link, reason) {
      const all = seats.all(link.muc);
      try {
        // The bot last: it is the one that hears.
        for (const { userId } of all) if (userId !== bot) await joining.leave(link, userId, reason);
        await joining.leave(link, bot, reason);
      } catch (error) {
        // Nobody comes back to a link that has not come about.
        if (links.ofMuc(link.muc)) throw error;
      }
      seats.forget(link.muc);
    },
    rename: joining.rename,
    choose: joining.choose,
    async rejoin(link, userId) {
      throwIfUnwanted(link, userId);
      seats.gone(link.muc, userId, "out");
      return joining.enter(link, userId);
    },
    jidOf,
    nickOf: (muc, userId) => seats.of(muc, userId)?.nick,
    userOfNick: seats.userOfNick,
    userOfOccupantId: seats.userOfOccupantId,
    isOwn: hearing.isOwn,
    rankOf: (muc, userId) => seats.of(muc, userId)?.rank,

    hear(stanza) {
      if (stanza.name === "message") return catchUp.hear(stanza);
      hearing.hear(stanza);
      entrances.hear(stanza);
      return false;
    },

    async onPresence(link, to, stanza) {
      const presence = readOccupantPresence(stanza);
      const userId = userOf(to);
      if (!userId || !presence) return;
      const seat = seats.of(link.muc, userId);
      if (!presence.statuses.has(selfPresence)) return;
      // Left over from an earlier run.
      if (!seat?.isHeard) hearing.note(userId, presence);
      if (presence.isUnavailable && exitOf(presence) !== "renamed") await removed(link, userId, presence);
      const isNews = !presence.isUnavailable && !(await seats.isSettled(link.muc, userId));
      if (isNews && userId === bot) await botArrived(link);
      await seats.save(link.muc, userId);
    },
    caughtUp: settle,

    async start() {
      const mucs = links.all().map(({ muc }) => muc);
      await seats.load(mucs);
      for (const muc of mucs) catchUp.suspect(muc);
      staying.start();
    },
    async stop() {
      entrances.close();
      staying.stop();
    },
    prosodyStarted() {
      entrances.abandon();
      lookAnew();
    },
    prosodyReached: lookAnew,
  };
}
