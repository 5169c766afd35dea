/** How an XMPP user enters a hosted room, in the order that clients count on: XEP-0045 1.35 §7.2. */
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { Ghosts } from "../bridge/ghosts.ts";
import type { Locks } from "../bridge/locks.ts";
import type { RoomState, RoomStates } from "../bridge/room-state.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { refusedPresence } from "../mapping/hosted-stanzas.ts";
import { domainOf, type RoomId, type UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, resourceOf } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Membership, Target } from "./membership.ts";
import type { Occupancy } from "./occupancy.ts";
import { checkNick, EntryRefusal, refusalOf } from "./refusal.ts";
import type { Welcome } from "./welcome.ts";

export interface ArrivalDeps {
  addresses: Addresses;
  /** Whether an XMPP user may enter rooms at all. */
  permits(jid: BareJid): boolean;
  /** Whether rooms of the homeserver may be entered. */
  allowsServer(server: string): boolean;
  maxRooms: number;
  ghosts: Pick<Ghosts, "ensure">;
  rooms: GuestRooms;
  locks: Locks;
  occupancy: Occupancy;
  membership: Membership;
  welcome: Welcome;
  store: Pick<Store, "links" | "directRooms" | "botRooms">;
  roomStates: Pick<RoomStates, "of">;
  /** A ghost that is in the room for nobody any more leaves it. */
  leave(roomId: RoomId, ghost: UserId, reason: string): Promise<void>;
  xmpp: Pick<XmppClient, "send">;
  entries: RateLimit;
  now: () => number;
  log: Log;
}

interface Entry {
  stanza: Element;
  cause: string;
  jid: FullJid;
  address: BareJid;
  nick: string;
  ghost: UserId;
  target: Target;
}

export function createArrival(deps: ArrivalDeps) {
  const { addresses, rooms, locks, membership, store, xmpp, log } = deps;

  const targetOf = async (address: BareJid): Promise<Target> => {
    const called = addresses.roomOfJid(address);
    const server = called && domainOf(called);
    // Ahead of it, since to resolve an alias is to ask its server.
    if (server !== undefined && !deps.allowsServer(server)) {
      throw new EntryRefusal(
        "auth",
        "forbidden",
        `Rooms of ${server} cannot be entered through this bridge.`,
      );
    }
    const found = await rooms.resolve(address);
    if (!found || !called) throw new EntryRefusal("cancel", "item-not-found", "There is no such room.");
    return { ...found, called };
  };

  /** Its founder may be alone there with the bot yet. */
  const isOpen = async (roomId: RoomId): Promise<boolean> => {
    const { joinRule, canonicalAlias } = await deps.roomStates.of(addresses.botUserId, roomId);
    return joinRule === "public" || canonicalAlias !== undefined;
  };

  /** @throws EntryRefusal for rooms that have another way in, or none. */
  const mayBeHosted = async (roomId: RoomId): Promise<void> => {
    const link = await store.links.ofRoom(roomId);
    if (link) throw new EntryRefusal("cancel", "gone", `This room is ${link.muc}; enter that.`, link.muc);
    const isOthers =
      (await store.directRooms.ofRoom(roomId)) ??
      ((await store.botRooms.ofRoom(roomId))?.userId && !(await isOpen(roomId)));
    if (isOthers) throw new EntryRefusal("cancel", "not-allowed", "This is a conversation of two.");
  };

  const mayComeToo = (ghost: UserId, roomId: RoomId): void => {
    const others = rooms.roomsOf(ghost).filter((other) => other !== roomId);
    if (others.length >= deps.maxRooms) {
      const words = `You are in ${others.length} rooms of the bridge, and may be in no more; leave one of them.`;
      throw new EntryRefusal("cancel", "not-allowed", words);
    }
  };

  const mayBeShown = ({ isEncrypted, successor }: RoomState): void => {
    if (successor) {
      const next = addresses.jidOfRoom(successor);
      throw new EntryRefusal("cancel", "gone", `This room is continued as ${next}.`, next);
    }
    if (isEncrypted) {
      const words = "This room is encrypted, and the bridge cannot read what is said in it.";
      throw new EntryRefusal("modify", "not-acceptable", words);
    }
  };

  /** @returns the nick that they have, which is another one where a client of theirs is there already. */
  const nickFor = async ({ target: { roomId }, ghost, nick, jid }: Entry): Promise<string> => {
    const roster = await rooms.roster(roomId);
    const [other] = rooms.sessionsOf(roomId, ghost).filter((session) => session.jid !== jid);
    if (other) return other.nick;
    if (roster.isTaken(nick, ghost)) {
      throw new EntryRefusal(
        "cancel",
        "conflict",
        "Somebody in the room has this nick, or one that looks like it.",
      );
    }
    return nick;
  };

  /** Whether they may, which is known only inside. @returns their nick. */
  const settle = async (entry: Entry, state: RoomState): Promise<string> => {
    const { ghost, target } = entry;
    try {
      mayBeShown(state);
      (await rooms.roster(target.roomId)).name(state, ghost);
      return await nickFor(entry);
    } catch (error) {
      const isAlone = rooms.sessionsOf(target.roomId, ghost).length === 0;
      // Who was invited could not come again.
      const isOut = error instanceof EntryRefusal && isAlone && state.joinRule === "public";
      if (isOut) await deps.leave(target.roomId, ghost, error.message);
      throw error;
    }
  };

  const enterRoom = async (entry: Entry): Promise<void> => {
    const { stanza, cause, jid, address, ghost, target } = entry;
    const { roomId } = target;
    const [room, roster] = [rooms.of(roomId), await rooms.roster(roomId)];
    if (room.guests().length > 0) {
      // Ahead of it, so that nobody comes only to go again.
      roster.name(await room.state());
      await nickFor(entry);
    }
    await membership.enter(ghost, target, entry.nick);
    const state = await room.state(ghost);
    const nick = await settle(entry, state);
    if (state.members.get(ghost)?.displayName !== nick) await membership.call(ghost, roomId, nick);
    const shownAs = roster.shown.get(ghost)?.nick;
    if (shownAs !== undefined && shownAs !== nick) {
      await deps.occupancy.rename(roomId, ghost, nick, cause);
    }
    roster.set(ghost, nick);
    await deps.welcome({ guest: { roomId, address, jid, nick, ghost }, stanza, wanted: entry.nick, state });
    log.info("an XMPP user has entered a Matrix room", { room: roomId, jid, nick });
  };

  /** Events of the room come here from the beginning, and wait until it is over. */
  const enter = async (entry: Entry): Promise<void> => {
    const { target, ghost } = entry;
    const arrived = rooms.expect(target.roomId, ghost);
    try {
      await locks.run(target.roomId, () => enterRoom(entry));
    } finally {
      arrived();
    }
  };

  /** @throws EntryRefusal. */
  const check = async (stanza: Element, cause: string): Promise<Entry> => {
    const [jid, address] = [stanza.attrs.from as FullJid, bareOf(stanza.attrs.to)];
    const nick = resourceOf(stanza.attrs.to) ?? "";
    const user = bareOf(jid);
    if (!deps.permits(user))
      throw new EntryRefusal("auth", "forbidden", "You may not enter rooms through this bridge.");
    if ((await deps.entries.take(user)) !== undefined) {
      throw new EntryRefusal("wait", "resource-constraint", "You enter rooms too often; wait a little.");
    }
    checkNick(nick);
    const target = await targetOf(address);
    await mayBeHosted(target.roomId);
    const ghost = addresses.ghostOf(user);
    mayComeToo(ghost, target.roomId);
    return { stanza, cause, jid, address, nick, ghost: await deps.ghosts.ensure(user), target };
  };

  /** Lets them in, again too, or tells them why not. */
  return async (stanza: Element, attempt: Attempt): Promise<void> => {
    try {
      await enter(await check(stanza, attempt.cause));
    } catch (error) {
      const refusal = refusalOf(error, deps.now() - (attempt.acceptedAt ?? deps.now()));
      if (!refusal) throw error;
      const { condition } = refusal.error;
      log.info("an XMPP user may not enter", { cause: attempt.cause, to: stanza.attrs.to, condition, error });
      await xmpp.send(refusedPresence(stanza, refusal.error, refusal.elsewhere));
    }
  };
}
