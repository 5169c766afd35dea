/** What is remembered of rooms, on SQLite. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Affiliation, Role } from "../xmpp/affiliation.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
import type { Database, Row } from "./database.ts";
import type {
  Guest,
  Guests,
  Occupant,
  Occupants,
  Puppet,
  Puppets,
  RoomLink,
  RoomLinks,
  RoomNick,
  RoomNicks,
} from "./room-records.ts";

const readLink = (row: Row): RoomLink => ({
  roomId: row.room_id as RoomId,
  muc: row.muc as BareJid,
  kind: row.kind as RoomLink["kind"],
  mode: row.mode as RoomLink["mode"],
  password: (row.password ?? undefined) as string | undefined,
  linkedBy: (row.linked_by ?? undefined) as RoomLink["linkedBy"],
  archiveId: (row.archive_id ?? undefined) as string | undefined,
  isAnonymous: row.is_anonymous === 1,
});

const readPuppet = (row: Row): Puppet => ({
  muc: row.muc as BareJid,
  userId: row.user_id as UserId,
  nick: String(row.nick),
  state: row.state as Puppet["state"],
  ...(row.occupant_id !== null && { occupantId: String(row.occupant_id) }),
});

const readOccupant = (row: Row): Occupant => ({
  muc: row.muc as BareJid,
  key: String(row.key),
  nick: String(row.nick),
  ghost: row.ghost as UserId,
  jid: row.jid as Jid,
  affiliation: row.affiliation as Affiliation,
  role: row.role as Role,
  isIn: row.is_in === 1,
});

const readGuest = (row: Row): Guest => ({
  roomId: row.room_id as RoomId,
  address: row.address as BareJid,
  jid: row.jid as FullJid,
  nick: String(row.nick),
  ghost: row.ghost as UserId,
});

const readNick = (row: Row): RoomNick => ({
  roomId: row.room_id as RoomId,
  userId: row.user_id as UserId,
  nick: String(row.nick),
});

export function createRoomLinks(db: Database): RoomLinks {
  const first = (row: Row | undefined): RoomLink | undefined => row && readLink(row);
  const forgetPeople = (roomId: RoomId): void => {
    const ofRoom = "(select muc from room_links where room_id = ?)";
    db.run(`delete from puppets where muc in ${ofRoom}`, roomId);
    db.run(`delete from occupants where muc in ${ofRoom}`, roomId);
  };
  return {
    ofRoom: async (roomId) => first(db.one("select * from room_links where room_id = ?", roomId)),
    ofMuc: async (muc) => first(db.one("select * from room_links where muc = ?", muc)),
    all: async () => db.all("select * from room_links order by muc").map(readLink),
    save: (link) =>
      db.durably(() => {
        db.run(
          "insert into room_links (room_id, muc, kind, mode, password, linked_by, archive_id, is_anonymous) " +
            "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (room_id) do update set kind = ?3, mode = ?4, " +
            "password = ?5, linked_by = ?6, archive_id = ?7, is_anonymous = ?8",
          link.roomId,
          link.muc,
          link.kind,
          link.mode,
          link.password ?? null,
          link.linkedBy ?? null,
          link.archiveId ?? null,
          Number(link.isAnonymous),
        );
        const { muc } = db.one("select muc from room_links where room_id = ?", link.roomId) ?? {};
        if (muc !== link.muc) throw new Error(`${link.roomId} is linked with ${muc}`);
      }),
    forget: (roomId) =>
      db.durably(() => {
        forgetPeople(roomId);
        db.run("delete from room_links where room_id = ?", roomId);
      }),
    move: (roomId, link) =>
      db.durably(() => {
        const before = db.one("select muc from room_links where room_id = ?", roomId);
        if (before?.muc !== link.muc) forgetPeople(roomId);
        const sql =
          "update room_links set room_id = ?, muc = ?, archive_id = ?, is_anonymous = ? where room_id = ?";
        db.run(sql, link.roomId, link.muc, link.archiveId ?? null, Number(link.isAnonymous), roomId);
      }),
    setArchiveId: async (muc, archiveId) => {
      await db.soon(() => db.run("update room_links set archive_id = ? where muc = ?", archiveId, muc));
    },
  };
}

export function createPuppets(db: Database): Puppets {
  return {
    ofMuc: async (muc) => db.all("select * from puppets where muc = ? order by user_id", muc).map(readPuppet),
    of: async (muc, userId) => {
      const row = db.one("select * from puppets where muc = ? and user_id = ?", muc, userId);
      return row && readPuppet(row);
    },
    save: async ({ muc, userId, nick, state, occupantId }) => {
      const sql =
        "insert or replace into puppets (muc, user_id, nick, state, occupant_id) values (?, ?, ?, ?, ?)";
      await db.soon(() => db.run(sql, muc, userId, nick, state, occupantId ?? null));
    },
    remove: async (muc, userId) => {
      await db.soon(() => db.run("delete from puppets where muc = ? and user_id = ?", muc, userId));
    },
  };
}

export function createOccupants(db: Database): Occupants {
  const first = (row: Row | undefined): Occupant | undefined => row && readOccupant(row);
  return {
    ofMuc: async (muc) => db.all("select * from occupants where muc = ? order by key", muc).map(readOccupant),
    inMuc: async (muc) =>
      db.all("select * from occupants where muc = ? and is_in = 1 order by key", muc).map(readOccupant),
    ofNick: async (muc, nick) =>
      first(
        db.one("select * from occupants where muc = ? and nick = ? order by is_in desc limit 1", muc, nick),
      ),
    ofKey: async (muc, key) => first(db.one("select * from occupants where muc = ? and key = ?", muc, key)),
    ofGhost: async (muc, ghost) =>
      first(
        db.one("select * from occupants where muc = ? and ghost = ? order by is_in desc limit 1", muc, ghost),
      ),
    save: async (occupant) => {
      await db.soon(() =>
        db.run(
          "insert or replace into occupants (muc, key, nick, ghost, jid, affiliation, role, is_in) " +
            "values (?, ?, ?, ?, ?, ?, ?, ?)",
          occupant.muc,
          occupant.key,
          occupant.nick,
          occupant.ghost,
          occupant.jid,
          occupant.affiliation,
          occupant.role,
          Number(occupant.isIn),
        ),
      );
    },
  };
}

export function createGuests(db: Database): Guests {
  return {
    all: async () => db.all("select * from guests order by room_id, jid").map(readGuest),
    ofRoom: async (roomId) =>
      db.all("select * from guests where room_id = ? order by jid", roomId).map(readGuest),
    save: ({ roomId, jid, address, nick, ghost }) =>
      db.durably(() => {
        const sql =
          "insert or replace into guests (room_id, jid, address, nick, ghost) values (?, ?, ?, ?, ?)";
        db.run(sql, roomId, jid, address, nick, ghost);
      }),
    remove: async (roomId, jid) => {
      await db.soon(() => db.run("delete from guests where room_id = ? and jid = ?", roomId, jid));
    },
  };
}

export function createRoomNicks(db: Database): RoomNicks {
  return {
    ofRoom: async (roomId) =>
      db.all("select * from room_nicks where room_id = ? order by nick", roomId).map(readNick),
    save: async ({ roomId, userId, nick }) => {
      const sql =
        "insert into room_nicks (room_id, user_id, nick) values (?1, ?2, ?3) " +
        "on conflict (room_id, user_id) do update set nick = ?3";
      await db.soon(() => {
        const others = "delete from room_nicks where room_id = ? and nick = ? and user_id <> ?";
        db.run(others, roomId, nick, userId);
        db.run(sql, roomId, userId, nick);
      });
    },
    remove: async (roomId, userId) => {
      await db.soon(() => db.run("delete from room_nicks where room_id = ? and user_id = ?", roomId, userId));
    },
  };
}
