/** What is remembered of rooms. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Affiliation, Role } from "../xmpp/affiliation.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
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
import { type Row, type Statement, statement, type Tables, type Value } from "./tables.ts";

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

export function createRoomLinks(tables: Tables): RoomLinks {
  const first = (row: Row | undefined): RoomLink | undefined => row && readLink(row);
  const forgetPeople = (where: string, ...values: Value[]): Statement[] =>
    ["puppets", "occupants"].map((table) =>
      statement(`delete from ${table} where muc in (select muc from room_links where ${where})`, ...values),
    );
  return {
    ofRoom: async (roomId) => first(await tables.one("select * from room_links where room_id = ?", roomId)),
    ofMuc: async (muc) => first(await tables.one("select * from room_links where muc = ?", muc)),
    all: async () => (await tables.all("select * from room_links order by muc")).map(readLink),
    save: async (link) => {
      const [saved] = await tables.durably(
        statement(
          "insert into room_links (room_id, muc, kind, mode, password, linked_by, archive_id, is_anonymous) " +
            "values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (room_id) do update set kind = excluded.kind, " +
            "mode = excluded.mode, password = excluded.password, linked_by = excluded.linked_by, " +
            "archive_id = excluded.archive_id, is_anonymous = excluded.is_anonymous " +
            "where room_links.muc = excluded.muc",
          link.roomId,
          link.muc,
          link.kind,
          link.mode,
          link.password ?? null,
          link.linkedBy ?? null,
          link.archiveId ?? null,
          Number(link.isAnonymous),
        ),
      );
      if (saved !== 1) throw new Error(`${link.roomId} is linked with another room than ${link.muc}`);
    },
    forget: async (roomId) => {
      await tables.durably(
        ...forgetPeople("room_id = ?", roomId),
        statement("delete from room_links where room_id = ?", roomId),
      );
    },
    move: async (roomId, link) => {
      const sql =
        "update room_links set room_id = ?, muc = ?, archive_id = ?, is_anonymous = ? where room_id = ?";
      await tables.durably(
        ...forgetPeople("room_id = ? and muc <> ?", roomId, link.muc),
        statement(sql, link.roomId, link.muc, link.archiveId ?? null, Number(link.isAnonymous), roomId),
      );
    },
    setArchiveId: async (muc, archiveId) => {
      await tables.soon(statement("update room_links set archive_id = ? where muc = ?", archiveId, muc));
    },
  };
}

export function createPuppets(tables: Tables): Puppets {
  return {
    ofMuc: async (muc) =>
      (await tables.all("select * from puppets where muc = ? order by user_id", muc)).map(readPuppet),
    of: async (muc, userId) => {
      const row = await tables.one("select * from puppets where muc = ? and user_id = ?", muc, userId);
      return row && readPuppet(row);
    },
    save: async ({ muc, userId, nick, state, occupantId = null }) => {
      const sql =
        "insert into puppets (muc, user_id, nick, state, occupant_id) values (?, ?, ?, ?, ?) " +
        "on conflict (muc, user_id) do update set nick = excluded.nick, state = excluded.state, " +
        "occupant_id = excluded.occupant_id";
      await tables.soon(statement(sql, muc, userId, nick, state, occupantId));
    },
    remove: async (muc, userId) => {
      await tables.soon(statement("delete from puppets where muc = ? and user_id = ?", muc, userId));
    },
  };
}

export function createOccupants(tables: Tables): Occupants {
  const first = (row: Row | undefined): Occupant | undefined => row && readOccupant(row);
  const some = async (where: string, muc: BareJid): Promise<Occupant[]> =>
    (await tables.all(`select * from occupants where ${where} order by key`, muc)).map(readOccupant);
  const newest = async (where: string, muc: BareJid, value: string): Promise<Occupant | undefined> =>
    first(await tables.one(`select * from occupants where ${where} order by is_in desc limit 1`, muc, value));
  return {
    ofMuc: (muc) => some("muc = ?", muc),
    inMuc: (muc) => some("muc = ? and is_in = 1", muc),
    ofNick: (muc, nick) => newest("muc = ? and nick = ?", muc, nick),
    ofKey: (muc, key) => newest("muc = ? and key = ?", muc, key),
    ofGhost: (muc, ghost) => newest("muc = ? and ghost = ?", muc, ghost),
    save: async (occupant) => {
      await tables.soon(
        statement(
          "insert into occupants (muc, key, nick, ghost, jid, affiliation, role, is_in) " +
            "values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (muc, key) do update set nick = excluded.nick, " +
            "ghost = excluded.ghost, jid = excluded.jid, affiliation = excluded.affiliation, " +
            "role = excluded.role, is_in = excluded.is_in",
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

export function createGuests(tables: Tables): Guests {
  return {
    all: async () => (await tables.all("select * from guests order by room_id, jid")).map(readGuest),
    ofRoom: async (roomId) =>
      (await tables.all("select * from guests where room_id = ? order by jid", roomId)).map(readGuest),
    save: async ({ roomId, jid, address, nick, ghost }) => {
      const sql =
        "insert into guests (room_id, jid, address, nick, ghost) values (?, ?, ?, ?, ?) on conflict (room_id, jid) " +
        "do update set address = excluded.address, nick = excluded.nick, ghost = excluded.ghost";
      await tables.durably(statement(sql, roomId, jid, address, nick, ghost));
    },
    remove: async (roomId, jid) => {
      await tables.soon(statement("delete from guests where room_id = ? and jid = ?", roomId, jid));
    },
  };
}

export function createRoomNicks(tables: Tables): RoomNicks {
  return {
    ofRoom: async (roomId) =>
      (await tables.all("select * from room_nicks where room_id = ? order by nick", roomId)).map(readNick),
    save: async ({ roomId, userId, nick }) => {
      await tables.soon(
        statement(
          "delete from room_nicks where room_id = ? and nick = ? and user_id <> ?",
          roomId,
          nick,
          userId,
        ),
        statement(
          "insert into room_nicks (room_id, user_id, nick) values (?, ?, ?) " +
            "on conflict (room_id, user_id) do update set nick = excluded.nick",
          roomId,
          userId,
          nick,
        ),
      );
    },
    remove: async (roomId, userId) => {
      await tables.soon(
        statement("delete from room_nicks where room_id = ? and user_id = ?", roomId, userId),
      );
    },
  };
}
