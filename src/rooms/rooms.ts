/** Rooms that are linked: one Matrix room and one room of an XMPP service, as the bridge's middle sees both. */
import { createHash } from "node:crypto";
import type { Avatars } from "../bridge/avatars.ts";
import type { DirectRooms } from "../bridge/direct-rooms.ts";
import type { FromXmpp } from "../bridge/from-xmpp.ts";
import type { Ghosts } from "../bridge/ghosts.ts";
import type { MessageParts } from "../bridge/message-parts.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import type { Traffic } from "../bridge/traffic.ts";
import { within } from "../bridge/within.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import type { RoomAlias, RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Crowds, createCrowds } from "./crowds.ts";
import { createFaces } from "./faces.ts";
import { createGhostMembers } from "./ghost-members.ts";
import { createInvitations, type Invitations } from "./invitations.ts";
import { createLinks, type Links } from "./links.ts";
import { createRoomMessages } from "./messages.ts";
import { createModeration } from "./moderation.ts";
import { createMucAdmin } from "./muc-admin.ts";
import { createMucInfos } from "./muc-infos.ts";
import { createNotices } from "./notices.ts";
import { createOccupants } from "./occupants.ts";
import { createPortals, type LinkOptions } from "./portals.ts";
import { createPuppets } from "./puppets.ts";
import { createRanks } from "./ranks.ts";
import { createRoomProfile } from "./room-profile.ts";
import { createRoomTraffic } from "./room-traffic.ts";

export interface RoomsDeps {
  config: Config["rooms"];
  permissions: Config["permissions"];
  addresses: Addresses;
  /** The bridge's own domain in Prosody. */
  component: BareJid;
  homeserverDomain: string;
  store: Store;
  matrix: MatrixClient;
  xmpp: XmppClient;
  requests: IqRequests;
  ghosts: Ghosts;
  directRooms: DirectRooms;
  roomStates: RoomStates;
  avatars: Pick<Avatars, "typeOf" | "upload">;
  profileOf(userId: UserId): Promise<Profile | undefined>;
  /** The picture of a Matrix user, as far as it can be had. */
  photoOf(jid: BareJid): Promise<{ bytes: Buffer } | undefined>;
  messages: MessageParts;
  sendOnce: FromXmpp["sendOnce"];
  converse: FromXmpp["converse"];
  matters: FromXmpp["matters"];
  txnId(cause: string, part: string): string;
  newId(): string;
  /** Unix time in milliseconds. */
  now(): number;
  log: Log;
}

/** Matrix users as occupants, for commands. */
export interface RoomPuppets {
  nickOf(muc: BareJid, userId: UserId): string | undefined;
  rename(link: RoomLink, userId: UserId, nick: string): Promise<void>;
  ensure(link: RoomLink, userId: UserId): Promise<FullJid>;
}

export interface Rooms extends Traffic, Pick<Invitations, "invite">, Crowds {
  links: Pick<Links, "ofRoom" | "ofMuc" | "all">;
  puppets: RoomPuppets;
  isLinked(roomId: RoomId): boolean;
  isMuc(jid: BareJid): boolean;
  /** The portal of a MUC, made or found. @throws UndeliverableError where there can be none, with what to do. */
  open(muc: BareJid, by: UserId | undefined, options?: { password?: string | undefined }): Promise<RoomId>;
  /** Links a Matrix room that was there before. @throws UndeliverableError, as `open`. */
  link(roomId: RoomId, muc: BareJid, by: UserId | BareJid | undefined, options?: LinkOptions): Promise<void>;
  unlink(roomId: RoomId, reason: string): Promise<void>;
  /** Whether the alias leads to a portal, which is opened if it can be. */
  aliasExists(alias: RoomAlias): Promise<boolean>;
  /**
   * From where to where a private message goes now. @param occupant `muc/key`.
   * @throws UndeliverableError where it can go nowhere.
   */
  wayToOccupant(userId: UserId, occupant: FullJid): Promise<{ from: Jid; to: Jid }>;
  prosodyStarted(): void;
  prosodyReached(): void;
  /** Reads what is stored, before anything else is done; what takes the network goes on afterwards. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createRooms(deps: RoomsDeps): Rooms {
  const { config, permissions, addresses, component, store, matrix, requests, ghosts, roomStates } = deps;
  const { log } = deps;
  const { botUserId: bot } = addresses;
  const links = createLinks(store.links);
  const infos = createMucInfos({ component, requests });
  const admin = createMucAdmin({ request: requests.request });
  const notice = createNotices({ ...deps, bot });
  const members = createGhostMembers({ bot, ghosts, matrix, roomStates, log });
  const ranks = createRanks({ bot, table: config.powerLevels, matrix, roomStates, log });

  /** The portal looks like its MUC, and nobody is shown whom the MUC does not show to all. */
  const onConfigured = async (link: RoomLink): Promise<void> => {
    await profile.follow(link);
    const { isAnonymous } = await infos.of(link.muc);
    const current = links.ofMuc(link.muc);
    if (current && current.isAnonymous !== isAnonymous) await links.save({ ...current, isAnonymous });
  };

  const photoHashOf = async (userId: UserId): Promise<string> => {
    const photo = await deps.photoOf(addresses.jidOfUser(userId));
    return photo ? createHash("sha1").update(photo.bytes).digest("hex") : "";
  };

  const puppets = createPuppets({
    ...deps,
    links,
    infos,
    // Nobody waits at the door for a picture that takes long.
    photoHashOf: (userId) => within(2000, photoHashOf(userId)),
    onKicked: async (link, userId, kick) => {
      const current = links.ofMuc(link.muc);
      if (current) await moderation.onKicked(current, userId, kick);
    },
    async onDestroyed({ muc }, { jid, reason }) {
      const link = links.ofMuc(muc);
      if (!link) return;
      // A room that was there before has agreed to this MUC, and the other one to nothing.
      const isFollowed = jid !== undefined && link.kind === "portal" && (await portals.moveMuc(link, jid));
      const words = `The XMPP room ${muc} is no more`;
      const [why, where] = [reason ? `: ${reason}` : ".", jid ? ` It goes on as ${jid}.` : ""];
      await notice(link.roomId, `${words}${why}${where}`, words);
      if (!isFollowed && links.ofMuc(muc)) await portals.unlink(link.roomId, `${words}.`);
    },
    onBotEntering: ({ muc }) => occupants.onEntering(muc),
    async onBotIn({ muc }) {
      const link = await portals.awaited(muc);
      if (!link) return;
      await onConfigured(link).catch((error) => log.info("a room could not be looked at", { muc, error }));
      await ranks.observe(link.roomId);
      await occupants.onEntered(links.ofMuc(muc) ?? link);
    },
    async onArchived({ muc }, message, cause) {
      const link = links.ofMuc(muc);
      if (link) await messages.onStanza(link, message, { cause, mayRepeat: true });
    },
  });

  const occupants = createOccupants({
    addresses,
    links,
    infos,
    members,
    faces: createFaces({ ...deps, botJid: puppets.jidOf(bot), store: store.ghostProfiles }),
    store: store.occupants,
    lazyAbove: config.lazyAbove,
    onRank: ({ muc }, { ghost, affiliation, role }) => {
      const link = links.ofMuc(muc);
      if (link) ranks.show(link, ghost, { affiliation, role });
    },
    log,
  });
  const profile = createRoomProfile({
    ...deps,
    bot,
    infos,
    admin,
    puppets,
    speakerOf: occupants.speakerOf,
    notice,
  });
  const portals = createPortals({ ...deps, links, infos, occupants, profile, puppets });
  const moderation = createModeration({
    ...deps,
    store: store.occupants,
    occupants,
    ranks,
    admin,
    puppets,
    notice,
  });
  const invitations = createInvitations({ ...deps, occupants, puppets, open: portals.open, notice });
  const messages = createRoomMessages({ ...deps, links, puppets, occupants, onSubject: profile.onSubject });

  return {
    ...createRoomTraffic({
      addresses,
      component,
      botJid: puppets.jidOf(bot),
      permissions,
      links,
      portals,
      occupants,
      moderation,
      invitations,
      profile,
      messages,
      puppets,
      onConfigured,
      notice,
      log,
    }),
    links,
    puppets: { ...puppets, rename: puppets.choose },
    isLinked: (roomId) => links.ofRoom(roomId) !== undefined,
    isMuc: portals.isExpected,
    wayToOccupant: messages.wayToOccupant,
    open: portals.open,
    link: portals.link,
    unlink: portals.unlink,
    ...createCrowds({ ...deps, links, puppets }),
    invite: invitations.invite,
    aliasExists: portals.aliasExists,
    prosodyStarted: puppets.prosodyStarted,
    prosodyReached: puppets.prosodyReached,
    async start() {
      await links.load();
      await puppets.start();
      for (const { muc } of links.all()) await occupants.resume(muc);
    },
    async stop() {
      await puppets.stop();
      occupants.stop();
      ranks.stop();
    },
  };
}
