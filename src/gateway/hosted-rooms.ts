/** The rooms that are hosted: their guests, whom these have been shown, and what goes to all of them. */
import { LRUCache } from "lru-cache";
import type { Ghosts } from "../bridge/ghosts.ts";
import type { RoomState, RoomStates } from "../bridge/room-state.ts";
import { sha256 } from "../bridge/txn-id.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { type PowerTable, rankOf } from "../mapping/affiliations.ts";
import { isCondition, kicksFromMuc } from "../mapping/errors.ts";
import { authorOf } from "../mapping/hosted-stanzas.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { domainOf, type RoomId, type UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, isFullJid, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { HostedRoom, HostedRooms } from "./hosted-room.ts";
import { createRoster, type Roster } from "./roster.ts";
import type { Said } from "./said.ts";

export interface HostedRoomsDeps {
  addresses: Addresses;
  component: BareJid;
  powerLevels: PowerTable;
  ghosts: Pick<Ghosts, "jidOf">;
  said: Said;
  matrix: Pick<MatrixClient, "resolveAlias">;
  roomStates: RoomStates;
  store: Pick<Store, "guests" | "roomNicks">;
  xmpp: Pick<XmppClient, "send">;
  /** A guest cannot be reached any more. */
  onUnreachable(guest: Guest): void;
  log: Log;
}

/** What the parts of the gateway may do, besides what others may. */
export interface GuestRooms extends HostedRooms {
  roster(roomId: RoomId): Promise<Roster>;
  isHosted(roomId: RoomId): boolean;
  /** All rooms in which guests are, or which somebody is entering. */
  hosted(): Set<RoomId>;
  guestsOf(roomId: RoomId): Guest[];
  sessionsOf(roomId: RoomId, ghost: UserId): Guest[];
  roomsOf(ghost: UserId): RoomId[];
  all(): Guest[];
  /** Its aliases may be another room's from now on. */
  forgetAliases(roomId: RoomId): void;
  /** Events of the room come here from now on, until the one who enters is a guest or the answer is called. */
  expect(roomId: RoomId, ghost: UserId): () => void;
  /** As whom the room can be read; undefined for rooms that nobody has entered. */
  readerOf(roomId: RoomId): UserId | undefined;
  add(guest: Guest): Promise<void>;
  remove(guest: Guest): Promise<void>;
  /** As `remove`, but another run of the bridge will ask whether they are there. */
  suspend(guest: Guest): Promise<void>;
  /** To one guest; false where their client, or their server for it, did not take it. */
  sendTo(guest: Guest, stanza: Element): Promise<boolean>;
  load(): Promise<void>;
}

const minute = 60_000;

export function createHostedRooms(deps: HostedRoomsDeps): GuestRooms {
  const { addresses, component, said, matrix, roomStates, store, xmpp, log } = deps;
  const guests = new Map<RoomId, Guest[]>();
  /** The same by address of the room and of their client. */
  const clients = new Map<string, Guest>();
  const expected = new Map<RoomId, UserId[]>();
  const rosters = new LRUCache<RoomId, Promise<Roster>>({ max: 1000 });
  const resolved = new LRUCache<string, { roomId: RoomId; servers: string[] }>({ max: 1000, ttl: minute });
  /** Who has got what an unfinished job says. */
  const got = new LRUCache<string, Set<FullJid>>({ max: 1000 });

  const guestsOf = (roomId: RoomId): Guest[] => guests.get(roomId) ?? [];
  const sessionsOf = (roomId: RoomId, ghost: UserId): Guest[] =>
    guestsOf(roomId).filter((guest) => guest.ghost === ghost);
  const all = (): Guest[] => [...guests.values()].flat();

  const take = (guest: Guest): void => {
    const others = guestsOf(guest.roomId).filter(({ jid }) => jid !== guest.jid);
    const before = guestsOf(guest.roomId).find(({ jid }) => jid === guest.jid);
    if (before) clients.delete(`${before.address} ${before.jid}`);
    guests.set(guest.roomId, [...others, guest]);
    clients.set(`${guest.address} ${guest.jid}`, guest);
  };

  const drop = async ({ roomId, address, jid }: Guest): Promise<void> => {
    clients.delete(`${address} ${jid}`);
    const left = guestsOf(roomId).filter((guest) => guest.jid !== jid);
    if (left.length > 0) {
      guests.set(roomId, left);
      return;
    }
    guests.delete(roomId);
    await (await roster(roomId)).clear();
    // Nothing more is heard of a room in which no ghost is.
    roomStates.doubt(roomId);
  };

  const roster = (roomId: RoomId): Promise<Roster> => {
    const known = rosters.get(roomId);
    if (known) return known;
    const made = createRoster({ roomId, store: store.roomNicks, hasGuests: guestsOf(roomId).length > 0 });
    rosters.set(roomId, made);
    made.catch(() => rosters.delete(roomId));
    return made;
  };

  const sendTo = async (guest: Guest, stanza: Element): Promise<boolean> => {
    try {
      await xmpp.send(stanza);
      return true;
    } catch (error) {
      if (!(error instanceof StanzaRefusedError)) throw error;
      const { condition } = error.error;
      log.info("a guest did not take a stanza", { room: guest.roomId, jid: guest.jid, error });
      if (isCondition(condition) && kicksFromMuc(condition)) deps.onUnreachable(guest);
      return false;
    }
  };

  const readerOf = (roomId: RoomId): UserId | undefined =>
    guestsOf(roomId)[0]?.ghost ?? expected.get(roomId)?.[0];

  /** As one of those who are in the room, since some may have been put out a moment ago. */
  const readState = async (roomId: RoomId, reader?: UserId): Promise<RoomState> => {
    const inside = [...guestsOf(roomId).map(({ ghost }) => ghost), ...(expected.get(roomId) ?? [])];
    const readers = new Set(reader === undefined ? inside : [reader]);
    for (const candidate of readers) {
      try {
        return await roomStates.of(candidate, roomId);
      } catch (error) {
        if (!(error instanceof MatrixError && error.status === 403)) throw error;
      }
    }
    return roomStates.of(reader ?? addresses.botUserId, roomId);
  };

  const broadcast =
    (roomId: RoomId): HostedRoom["broadcast"] =>
    async (stanzaFor, cause) => {
      const done = (cause !== undefined && got.get(cause)) || new Set<FullJid>();
      if (cause !== undefined) got.set(cause, done);
      const sending = guestsOf(roomId)
        .filter(({ jid }) => !done.has(jid))
        .map(async (guest) => {
          const made = stanzaFor(guest.jid, guest) ?? [];
          // One after the other, since only the answer to one tells that the next will come after it.
          for (const stanza of Array.isArray(made) ? made : [made]) {
            if (!(await sendTo(guest, stanza))) break;
          }
          done.add(guest.jid);
        });
      const failed = (await Promise.allSettled(sending)).find(({ status }) => status === "rejected");
      // Those who have not got it are to get it; the others are remembered.
      if (failed?.status === "rejected") throw failed.reason;
      if (cause !== undefined) got.delete(cause);
    };

  const jidOf = async (roomId: RoomId, userId: UserId): Promise<Jid | undefined> => {
    if (userId === addresses.botUserId) return component;
    if (!addresses.isGhost(userId)) return addresses.jidOfUser(userId);
    return sessionsOf(roomId, userId)[0]?.jid ?? deps.ghosts.jidOf(userId);
  };

  const of = (roomId: RoomId): HostedRoom => ({
    roomId,
    guests: () => guestsOf(roomId),
    state: (reader) => readState(roomId, reader),
    async nickOf(userId) {
      const { nickOf } = await roster(roomId);
      const member = await readState(roomId)
        .then(({ members }) => members.get(userId))
        .catch(() => undefined);
      return nickOf(userId, member?.displayName);
    },
    userOfNick: async (nick) => (await roster(roomId)).userOf(nick),
    shown: async () => (await roster(roomId)).shown,
    occupantId: (userId) => sha256(`${roomId}\n${userId}`).digest("base64url"),
    async rankOf(userId) {
      const state = await readState(roomId);
      const rank = rankOf(state.levelOf(userId), state.powerLevels, deps.powerLevels);
      const isMembers = state.joinRule !== "public" && rank.affiliation === "none";
      return isMembers ? { ...rank, affiliation: "member" } : rank;
    },
    jidOf: (userId) => jidOf(roomId, userId),
    async archived(event, address, reader) {
      const room = of(roomId);
      const crossing = await said.of(event, room, address, reader);
      if (crossing.kind !== "stanzas") return [];
      const jid = await jidOf(roomId, event.sender);
      const rank = await room.rankOf(event.sender);
      // XEP-0313, "MUC Archives": where addresses are seen, those of authors are told.
      for (const stanza of crossing.stanzas)
        if (jid && isFullJid(stanza.attrs.from)) stanza.append(authorOf(bareOf(jid), rank));
      return crossing.stanzas;
    },
    broadcast: broadcast(roomId),
  });

  return {
    of,
    roster,
    guestsOf,
    sessionsOf,
    all,
    sendTo,
    isHosted: (roomId) => guestsOf(roomId).length > 0 || expected.has(roomId),
    hosted: () => new Set([...guests.keys(), ...expected.keys()]),
    readerOf,
    roomsOf: (ghost) => [...new Set(all().flatMap((guest) => (guest.ghost === ghost ? [guest.roomId] : [])))],
    guestAt: (address, jid) => clients.get(`${address} ${jid}`),

    async resolve(address) {
      const target = addresses.roomOfJid(address);
      if (!target) return undefined;
      if (target.startsWith("!")) {
        const server = domainOf(target as RoomId);
        return { roomId: target as RoomId, servers: server === undefined ? [] : [server] };
      }
      const known = resolved.get(target);
      if (known) return known;
      const found = await matrix.resolveAlias(target as Parameters<typeof matrix.resolveAlias>[0]);
      if (found) resolved.set(target, found);
      return found;
    },

    forgetAliases(roomId) {
      for (const [alias, found] of resolved.entries()) if (found.roomId === roomId) resolved.delete(alias);
    },

    expect(roomId, ghost) {
      expected.set(roomId, [...(expected.get(roomId) ?? []), ghost]);
      return () => {
        const left = (expected.get(roomId) ?? []).toSpliced((expected.get(roomId) ?? []).indexOf(ghost), 1);
        if (left.length > 0) expected.set(roomId, left);
        else expected.delete(roomId);
      };
    },

    async add(guest) {
      await store.guests.save(guest);
      take(guest);
    },

    suspend: drop,
    async remove(guest) {
      await store.guests.remove(guest.roomId, guest.jid);
      await drop(guest);
    },

    async load() {
      for (const guest of await store.guests.all()) take(guest);
    },
  };
}
