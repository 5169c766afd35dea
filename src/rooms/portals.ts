/** Links made and ended: portals of XMPP rooms, Matrix rooms that were there before, and rooms that go on elsewhere. */
import { failureOf } from "../bridge/failure.ts";
import { createLocks } from "../bridge/locks.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MucInfo } from "../mapping/muc-info.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { readString } from "../matrix/event.ts";
import type { RoomAlias, RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import { type BareJid, domainOf, type FullJid } from "../xmpp/jid.ts";
import { createLinkTraces } from "./link-traces.ts";
import type { Links } from "./links.ts";
import type { Occupants } from "./occupants.ts";
import { createPortalChecks, no, type PortalChecksDeps } from "./portal-checks.ts";
import { markType, portalRoom } from "./portal-room.ts";
import type { RoomProfile } from "./room-profile.ts";

export interface LinkOptions {
  mode?: "puppets" | "relay";
  password?: string | undefined;
}

export interface PortalsDeps extends PortalChecksDeps {
  config: PortalChecksDeps["config"] & Pick<Config["rooms"], "mode">;
  addresses: Addresses;
  links: Links;
  matrix: Pick<
    MatrixClient,
    | "createRoom"
    | "joinRoom"
    | "leave"
    | "members"
    | "putAlias"
    | "removeAlias"
    | "resolveAlias"
    | "setState"
    | "state"
  >;
  roomStates: RoomStates;
  store: Pick<Store, "occupants">;
  occupants: Pick<Occupants, "leaveAll" | "settle">;
  profile: Pick<RoomProfile, "nameOf" | "pictureOf">;
  puppets: {
    ensureBot(link: RoomLink): Promise<FullJid>;
    enter(link: RoomLink, userId: UserId): Promise<void>;
    leaveAll(link: RoomLink, reason: string): Promise<void>;
  };
  log: Log;
}

export interface Portals {
  /** The MUC is linked, or about to be. */
  isExpected(muc: BareJid): boolean;
  /** The link of a MUC; of one that is about to be linked, once it is. @returns undefined where nothing came of it. */
  awaited(muc: BareJid): Promise<RoomLink | undefined>;
  /** As `awaited`, at once: the Matrix room of a link that is about to be is not known yet. */
  present(muc: BareJid): RoomLink | undefined;
  open(muc: BareJid, by: UserId | undefined, options?: LinkOptions): Promise<RoomId>;
  link(roomId: RoomId, muc: BareJid, by: UserId | BareJid | undefined, options?: LinkOptions): Promise<void>;
  unlink(roomId: RoomId, reason: string): Promise<void>;
  /** The Matrix room goes on as another one. */
  moveRoom(link: RoomLink, successor: RoomId, via: readonly string[]): Promise<void>;
  /** The MUC goes on as another one. @returns false where that cannot be entered, or is linked already. */
  moveMuc(link: RoomLink, muc: BareJid): Promise<boolean>;
  aliasExists(alias: RoomAlias): Promise<boolean>;
}

const isGone = (error: unknown): boolean =>
  error instanceof MatrixError && (error.status === 403 || error.status === 404);

interface Opening {
  link: RoomLink;
  done: Promise<RoomLink | undefined>;
}

export function createPortals(deps: PortalsDeps): Portals {
  const { config, addresses, component, links, matrix, roomStates } = deps;
  const { store, occupants, profile, puppets, log } = deps;
  const { botUserId: bot } = addresses;
  const locks = createLocks();
  const checks = createPortalChecks(deps);
  const traces = createLinkTraces(deps);
  const openings = new Map<BareJid, Opening>();

  /** While it lasts, what the MUC says is kept for the link that is to be. */
  const opening = async (provisional: RoomLink, work: () => Promise<RoomLink>): Promise<RoomLink> => {
    const { muc } = provisional;
    const done = work();
    const quiet = done.catch(() => undefined);
    openings.set(muc, { link: provisional, done: quiet });
    try {
      return await done;
    } catch (error) {
      await puppets.leaveAll(provisional, "").catch(() => undefined);
      throw error;
    } finally {
      openings.delete(muc);
    }
  };

  /** A portal that a run has made which did not live to write it down. */
  const findMade = async (muc: BareJid): Promise<RoomId | undefined> => {
    const alias = addresses.aliasOf(muc);
    const found = await matrix.resolveAlias(alias);
    if (!found) return undefined;
    const mark = await matrix.state(bot, found.roomId, markType);
    if (mark && readString(mark, "muc") === muc) return found.roomId;
    await matrix.removeAlias(bot, alias);
    return undefined;
  };

  const makePortal = async (muc: BareJid, info: MucInfo): Promise<RoomId> => {
    const picture = await profile.pictureOf(muc, info).catch(() => undefined);
    const alias = addresses.aliasOf(muc);
    const body = portalRoom({ muc, alias, bot, name: profile.nameOf(muc, info), info, picture });
    try {
      const roomId = await matrix.createRoom(bot, body);
      log.info("made a portal", { room: roomId, muc });
      return roomId;
    } catch (error) {
      // Asked before there is one, the homeserver would ask the bridge in turn.
      if (!(error instanceof MatrixError && error.errcode === "M_ROOM_IN_USE")) throw error;
      return (await findMade(muc)) ?? matrix.createRoom(bot, body);
    }
  };

  const make = (muc: BareJid, by: UserId | undefined, { mode, password }: LinkOptions): Promise<RoomLink> => {
    const provisional: RoomLink = {
      roomId: "" as RoomId,
      muc,
      kind: "portal",
      mode: mode ?? config.mode,
      password,
      linkedBy: by,
      archiveId: undefined,
      isAnonymous: true,
    };
    return opening(provisional, async () => {
      const info = await checks.look(muc);
      Object.assign(provisional, { isAnonymous: info.isAnonymous });
      await puppets.ensureBot(provisional);
      const link = { ...provisional, roomId: await makePortal(muc, info) };
      await links.save(link);
      return link;
    });
  };

  /** Who may follow into a room that is there, is for that room to say. */
  const mayEnter = async ({ roomId, kind, muc }: RoomLink, by: UserId | undefined): Promise<void> => {
    if (kind === "portal" || by === undefined) return;
    const state = await roomStates.of(bot, roomId);
    if (state.joinRule === "public" || state.members.get(by)?.membership === "join") return;
    throw no(
      `${muc} is linked with a Matrix room that is not open to all; ask somebody there for an invitation.`,
    );
  };

  /** The alias of the MUC leads to this Matrix room from now on. */
  const callIt = async (muc: BareJid, roomId: RoomId): Promise<void> => {
    const alias = addresses.aliasOf(muc);
    try {
      await matrix.removeAlias(bot, alias);
      await matrix.putAlias(bot, alias, roomId);
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      log.info("a room could not be given its alias", { alias, room: roomId, error });
    }
  };

  /** Whoever asks for a room that the bot was put out of wants it back there. */
  const returnTo = async (link: RoomLink, password: string | undefined): Promise<void> => {
    const isNew = password !== undefined && password !== link.password;
    const current = isNew ? { ...link, password } : link;
    await puppets.enter(current, bot);
    if (isNew) await links.save({ ...(links.ofMuc(link.muc) ?? current), password });
  };

  const open: Portals["open"] = (muc, by, options = {}) =>
    locks.run(muc, async () => {
      const known = links.ofMuc(muc);
      if (known) {
        checks.mayUse(by);
        await mayEnter(known, by);
        await returnTo(known, options.password);
        return known.roomId;
      }
      checks.mayOpen(muc, by);
      return (await make(muc, by, options)).roomId;
    });

  return {
    isExpected: (muc) => links.ofMuc(muc) !== undefined || openings.has(muc),
    present: (muc) => links.ofMuc(muc) ?? openings.get(muc)?.link,
    awaited: async (muc) => links.ofMuc(muc) ?? openings.get(muc)?.done,
    open,

    link: (roomId, muc, by, { mode = config.mode, password } = {}) =>
      locks.run(muc, async () => {
        const [ofRoom, ofMuc] = [links.ofRoom(roomId), links.ofMuc(muc)];
        if (ofRoom?.muc === muc) return traces.leave(ofRoom);
        if (ofRoom) throw no(`This room is linked with ${ofRoom.muc} already; unlink ends that.`);
        if (ofMuc) throw no(`${muc} is linked with another Matrix room already.`);
        if (domainOf(muc) === component)
          throw no(`${muc} is an address of this very bridge: it leads to Matrix.`);
        const provisional: RoomLink = {
          roomId,
          muc,
          kind: "plumbed",
          mode,
          password,
          linkedBy: by,
          archiveId: undefined,
          isAnonymous: true,
        };
        await opening(provisional, async () => {
          const info = await checks.look(muc);
          Object.assign(provisional, { isAnonymous: info.isAnonymous });
          await puppets.ensureBot(provisional);
          await links.save(provisional);
          return provisional;
        });
        await traces.leave(provisional);
        log.info("rooms are linked", { room: roomId, muc, by });
      }),

    unlink: async (roomId, reason) => {
      const link = links.ofRoom(roomId);
      if (!link) return;
      await locks.run(link.muc, async () => {
        await puppets.leaveAll(link, reason);
        await occupants.leaveAll(link);
        await traces.remove(link);
        await links.forget(roomId);
        try {
          if (link.kind === "portal") await matrix.leave(bot, roomId, reason);
        } catch (error) {
          if (!isGone(error)) throw error;
        }
        log.info("a link has ended", { room: roomId, muc: link.muc });
      });
    },

    moveRoom: (link, successor, via) =>
      locks.run(link.muc, async () => {
        if (links.ofMuc(link.muc)?.roomId !== link.roomId || links.ofRoom(successor)) return;
        await matrix.joinRoom(bot, successor, via);
        await occupants.leaveAll(link);
        if (link.kind === "portal") await callIt(link.muc, successor);
        await links.move(link.roomId, { ...link, roomId: successor });
        for (const { key } of await store.occupants.inMuc(link.muc)) occupants.settle(link.muc, key);
        log.info("a link follows its Matrix room", { from: link.roomId, room: successor, muc: link.muc });
      }),

    moveMuc: (link, muc) =>
      locks.run(muc, async () => {
        const moved = { ...link, muc, archiveId: undefined };
        try {
          if (links.ofMuc(muc)) return links.ofMuc(muc)?.roomId === link.roomId;
          checks.mayOpen(muc, undefined);
          moved.isAnonymous = (await checks.look(muc)).isAnonymous;
          await opening(moved, async () => {
            await puppets.ensureBot(moved);
            await puppets.leaveAll(link, "");
            await occupants.leaveAll(link);
            await links.move(link.roomId, moved);
            return moved;
          });
        } catch (error) {
          if (failureOf(error).retry) throw error;
          log.info("an XMPP room could not be followed", { from: link.muc, muc, error });
          return false;
        }
        log.info("a link follows its XMPP room", { from: link.muc, muc, room: link.roomId });
        return true;
      }),

    async aliasExists(alias) {
      const muc = addresses.jidOfAlias(alias);
      if (!muc) return false;
      const isLinked = links.ofMuc(muc) !== undefined;
      try {
        const roomId = await open(muc, undefined);
        // The homeserver asks for what it does not know, as the alias of a room that was there before.
        if (isLinked) await callIt(muc, roomId);
        return true;
      } catch (error) {
        const { condition, retry } = failureOf(error);
        log.info("an alias leads to no XMPP room", { alias, condition, retry, error });
        return false;
      }
    },
  };
}
