/** Who of ours sits in which linked room under which nick, known without waiting. */
import type { Rank } from "../mapping/affiliations.ts";
import { lookOf } from "../mapping/nicks.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Puppet } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { BareJid } from "../xmpp/jid.ts";

export interface Seat {
  readonly muc: BareJid;
  readonly userId: UserId;
  nick: string;
  state: Puppet["state"];
  rank?: Rank;
  /** The name on Matrix that the nick was made of, or chosen in place of; undefined where that is not known. */
  displayName?: string;
  /** Whether the room has said anything of it in this run of the bridge. */
  isHeard: boolean;
}

export interface Seats {
  load(mucs: Iterable<BareJid>): Promise<void>;
  of(muc: BareJid, userId: UserId): Seat | undefined;
  all(muc: BareJid): Seat[];
  /** Whose nick it is: of one who is in, or about to be. */
  userOfNick(muc: BareJid, nick: string): UserId | undefined;
  userOfOccupantId(muc: BareJid, occupantId: string): UserId | undefined;
  occupantIdOf(muc: BareJid, userId: UserId): string | undefined;
  /** Somebody who is none of ours has come or gone. */
  other(muc: BareJid, nick: string, isIn: boolean): void;
  /** The room is about to say anew who is there. */
  forgetOthers(muc: BareJid): void;
  /** Whether somebody other than the user has a nick that looks like it. */
  isTaken(muc: BareJid, nick: string, userId: UserId): boolean;
  /** From now on the nick counts as the user's, who is about to ask the room for it. */
  claim(muc: BareJid, userId: UserId, nick: string): void;
  /** The room has refused it, or nothing came of it. */
  disclaim(muc: BareJid, userId: UserId, nick: string): void;
  /** The room says that they are in under the nick; other claims of theirs are void. */
  arrived(muc: BareJid, userId: UserId, nick: string): Seat;
  /** The room calls them by that ID (XEP-0421). */
  called(muc: BareJid, userId: UserId, occupantId: string): void;
  /** They are in no longer, or not any more by their own wish. */
  gone(muc: BareJid, userId: UserId, state: Exclude<Puppet["state"], "in">): Seat | undefined;
  /** Writes down that they are about to be in, as they are to count if the bridge dies before the room says so. */
  expect(muc: BareJid, userId: UserId, nick: string, state: "in" | "out"): Promise<void>;
  /** Whether it is written down that they are in. */
  isSettled(muc: BareJid, userId: UserId): Promise<boolean>;
  /** Writes down how it is. */
  save(muc: BareJid, userId: UserId): Promise<void>;
  remove(muc: BareJid, userId: UserId): Promise<void>;
  /** Of memory alone: the room is linked no more. */
  forget(muc: BareJid): void;
}

interface Table {
  seats: Map<UserId, Seat>;
  /** Nicks of those who are in or about to be. */
  nicks: Map<string, UserId>;
  looks: Map<string, UserId>;
  /** Nicks of those who are none of ours, by how they look. */
  others: Map<string, string>;
  /** Kept when they leave: what the room has said of them may still come. */
  occupantIds: Map<string, UserId>;
  idsOfUsers: Map<UserId, string>;
}

export function createSeats({ puppets: store, occupants }: Pick<Store, "puppets" | "occupants">): Seats {
  const tables = new Map<BareJid, Table>();
  const tableOf = (muc: BareJid): Table => {
    const known = tables.get(muc);
    if (known) return known;
    const table: Table = {
      seats: new Map(),
      nicks: new Map(),
      looks: new Map(),
      others: new Map(),
      occupantIds: new Map(),
      idsOfUsers: new Map(),
    };
    tables.set(muc, table);
    return table;
  };
  const claim: Seats["claim"] = (muc, userId, nick) => {
    const { nicks, looks } = tableOf(muc);
    nicks.set(nick, userId);
    looks.set(lookOf(nick), userId);
  };
  const disclaim: Seats["disclaim"] = (muc, userId, nick) => {
    const { nicks, looks } = tableOf(muc);
    if (nicks.get(nick) === userId) nicks.delete(nick);
    if (looks.get(lookOf(nick)) === userId) looks.delete(lookOf(nick));
  };
  const other: Seats["other"] = (muc, nick, isIn) => {
    const { others } = tableOf(muc);
    const look = lookOf(nick);
    if (isIn) others.set(look, nick);
    else if (others.get(look) === nick) others.delete(look);
  };
  const called: Seats["called"] = (muc, userId, occupantId) => {
    const { occupantIds, idsOfUsers } = tableOf(muc);
    occupantIds.set(occupantId, userId);
    idsOfUsers.set(userId, occupantId);
  };
  const occupantIdOf: Seats["occupantIdOf"] = (muc, userId) => tables.get(muc)?.idsOfUsers.get(userId);
  const write = (muc: BareJid, userId: UserId, nick: string, state: Puppet["state"]): Promise<void> => {
    const occupantId = occupantIdOf(muc, userId);
    return store.save({ muc, userId, nick, state, ...(occupantId !== undefined && { occupantId }) });
  };
  const disclaimAll = (muc: BareJid, userId: UserId): void => {
    for (const [nick, claimant] of [...tableOf(muc).nicks]) {
      if (claimant === userId) disclaim(muc, userId, nick);
    }
  };

  return {
    async load(mucs) {
      for (const muc of mucs) {
        for (const puppet of await store.ofMuc(muc)) {
          const { userId, nick, state, occupantId } = puppet;
          tableOf(muc).seats.set(userId, { muc, userId, nick, state, isHeard: false });
          if (state === "in") claim(muc, userId, nick);
          if (occupantId !== undefined) called(muc, userId, occupantId);
        }
        for (const { nick } of await occupants.inMuc(muc)) other(muc, nick, true);
      }
    },
    of: (muc, userId) => tables.get(muc)?.seats.get(userId),
    all: (muc) => [...(tables.get(muc)?.seats.values() ?? [])],
    userOfNick: (muc, nick) => tables.get(muc)?.nicks.get(nick),
    userOfOccupantId: (muc, occupantId) => tables.get(muc)?.occupantIds.get(occupantId),
    other,
    forgetOthers: (muc) => tables.get(muc)?.others.clear(),
    isTaken(muc, nick, userId) {
      const look = lookOf(nick);
      const claimant = tables.get(muc)?.looks.get(look);
      const isOfOthers = tables.get(muc)?.others.has(look) ?? false;
      return isOfOthers || (claimant !== undefined && claimant !== userId);
    },
    claim,
    disclaim,
    arrived(muc, userId, nick) {
      const { seats } = tableOf(muc);
      disclaimAll(muc, userId);
      claim(muc, userId, nick);
      const seat = seats.get(userId) ?? { muc, userId, nick, state: "in", isHeard: false };
      seats.set(userId, Object.assign(seat, { nick, state: "in" }));
      return seat;
    },
    occupantIdOf,
    called,
    gone(muc, userId, state) {
      const seat = tables.get(muc)?.seats.get(userId);
      disclaimAll(muc, userId);
      return seat && Object.assign(seat, { state });
    },
    expect: write,
    isSettled: async (muc, userId) => (await store.of(muc, userId))?.state === "in",
    async save(muc, userId) {
      const seat = tables.get(muc)?.seats.get(userId);
      if (seat) await write(muc, userId, seat.nick, seat.state);
      else await store.remove(muc, userId);
    },
    async remove(muc, userId) {
      disclaimAll(muc, userId);
      tables.get(muc)?.seats.delete(userId);
      await store.remove(muc, userId);
    },
    forget: (muc) => void tables.delete(muc),
  };
}
