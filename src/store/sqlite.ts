/** The store on SQLite, the default: one file, nothing to install. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import { createBotRooms } from "./bot-rooms.ts";
import { type Database, type OnCommit, openDatabase, type Row } from "./database.ts";
import { createLanes, createNews, createTransactions } from "./lanes.ts";
import { createMessages, createReactions } from "./messages.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { createOverview } from "./overview.ts";
import { createPruning } from "./pruning.ts";
import { createPushDeliveries, createPushKeys } from "./push.ts";
import { createBlocks, createLinkRequests } from "./requests.ts";
import { createGuests, createOccupants, createPuppets, createRoomLinks, createRoomNicks } from "./rooms.ts";
import { createGhostProfiles, createPresences, createReadMarks } from "./signals.ts";
import type { DirectRoom, DirectRooms, Ghosts, Store, Subscribers } from "./store.ts";

const readDirectRoom = (row: Row): DirectRoom => ({
  userId: row.user_id as UserId,
  jid: row.jid as Jid,
  roomId: (row.room_id ?? undefined) as RoomId | undefined,
  membership: String(row.membership),
});

function createDirectRooms(db: Database): DirectRooms {
  return {
    ofPair: async (userId, jid) => {
      const row = db.one("select * from direct_rooms where user_id = ? and jid = ?", userId, jid);
      return row && readDirectRoom(row);
    },
    ofRoom: async (roomId) => {
      const row = db.one("select * from direct_rooms where room_id = ?", roomId);
      return row && readDirectRoom(row);
    },
    roomless: async (userId) =>
      db
        .all("select * from direct_rooms where user_id = ? and room_id is null order by jid", userId)
        .map(readDirectRoom),
    all: async () => db.all("select * from direct_rooms order by user_id, jid").map(readDirectRoom),
    ofNext: async (count, after = "" as Jid) =>
      db
        .all(
          "select * from direct_rooms where jid in " +
            "(select distinct jid from direct_rooms where jid > ? order by jid limit ?) order by jid",
          after,
          count,
        )
        .map(readDirectRoom),
    save: ({ userId, jid, roomId, membership }) =>
      db.durably(() => {
        db.run(
          "insert or replace into direct_rooms (user_id, jid, room_id, membership) values (?, ?, ?, ?)",
          userId,
          jid,
          roomId ?? null,
          membership,
        );
      }),
    forget: async (userId, jid) => {
      await db.soon(() => db.run("delete from direct_rooms where user_id = ? and jid = ?", userId, jid));
    },
  };
}

function createGhosts(db: Database): Ghosts {
  return {
    jidOf: async (userId) =>
      db.one("select jid from ghosts where user_id = ?", userId)?.jid as BareJid | undefined,
    save: async (userId, jid) => {
      await db.soon(() => db.run("insert or replace into ghosts (user_id, jid) values (?, ?)", userId, jid));
    },
  };
}

function createSubscribers(db: Database): Subscribers {
  return {
    all: async () =>
      db
        .all("select user_id, jid from subscribers order by user_id, jid")
        .map(({ user_id, jid }) => ({ userId: user_id as UserId, jid: jid as BareJid })),
    ofUser: async (userId) =>
      db
        .all("select jid from subscribers where user_id = ? order by jid", userId)
        .map(({ jid }) => jid as BareJid),
    isMutual: async (userId, jid) =>
      db.one("select mutual from subscribers where user_id = ? and jid = ?", userId, jid)?.mutual === 1,
    setMutual: async (userId, jid, mutual) => {
      const sql = "update subscribers set mutual = ? where user_id = ? and jid = ?";
      await db.soon(() => db.run(sql, mutual ? 1 : 0, userId, jid));
    },
    has: async (userId, jid) =>
      db.one("select 1 from subscribers where user_id = ? and jid = ?", userId, jid) !== undefined,
    add: async (userId, jid) => {
      await db.soon(() =>
        db.run("insert or ignore into subscribers (user_id, jid) values (?, ?)", userId, jid),
      );
    },
    remove: async (userId, jid) => {
      await db.soon(() => db.run("delete from subscribers where user_id = ? and jid = ?", userId, jid));
    },
  };
}

export interface SqliteStoreDeps {
  path: string;
  /** Unix time in milliseconds. */
  now: () => number;
  onCommit?: OnCommit;
}

/**
 * Opens the database file, made and brought up to date where needed.
 * @throws Error if the file cannot be opened or is of a newer schema.
 */
export function openSqliteStore({ path, now, onCommit }: SqliteStoreDeps): Store {
  const db = openDatabase(path, onCommit);
  migrate(db, readMigrations());
  const pruning = createPruning(db);
  const news = createNews(db);
  return {
    transactions: createTransactions({ db, news, now }),
    lanes: createLanes({ db, news, now }),
    directRooms: createDirectRooms(db),
    botRooms: createBotRooms(db),
    ghosts: createGhosts(db),
    subscribers: createSubscribers(db),
    ghostProfiles: createGhostProfiles(db),
    presences: createPresences(db),
    readMarks: createReadMarks(db),
    links: createRoomLinks(db),
    puppets: createPuppets(db),
    occupants: createOccupants(db),
    guests: createGuests(db),
    roomNicks: createRoomNicks(db),
    linkRequests: createLinkRequests(db),
    blocks: createBlocks(db),
    overview: createOverview(db),
    messages: createMessages({ db, now }),
    reactions: createReactions({ db, now }),
    pushKeys: createPushKeys(db),
    pushDeliveries: createPushDeliveries(db, now),
    prune: pruning.prune,
    close() {
      pruning.stop();
      return db.close();
    },
  };
}
