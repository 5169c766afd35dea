/** Which room is that of a Matrix user and an XMPP user. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { DirectRoom, DirectRooms } from "./store.ts";
import { type Row, statement, type Tables } from "./tables.ts";

const readDirectRoom = (row: Row): DirectRoom => ({
  userId: row.user_id as UserId,
  jid: row.jid as Jid,
  roomId: (row.room_id ?? undefined) as RoomId | undefined,
  membership: String(row.membership),
});

export function createDirectRooms(tables: Tables): DirectRooms {
  const first = (row: Row | undefined): DirectRoom | undefined => row && readDirectRoom(row);
  return {
    ofPair: async (userId, jid) =>
      first(await tables.one("select * from direct_rooms where user_id = ? and jid = ?", userId, jid)),
    ofRoom: async (roomId) => first(await tables.one("select * from direct_rooms where room_id = ?", roomId)),
    roomless: async (userId) => {
      const sql = "select * from direct_rooms where user_id = ? and room_id is null order by jid";
      return (await tables.all(sql, userId)).map(readDirectRoom);
    },
    all: async () =>
      (await tables.all("select * from direct_rooms order by user_id, jid")).map(readDirectRoom),
    ofNext: async (count, after = "" as Jid) => {
      const users = "select distinct jid from direct_rooms where jid > ? order by jid limit ?";
      const sql = `select * from direct_rooms where jid in (${users}) order by jid`;
      return (await tables.all(sql, after, count)).map(readDirectRoom);
    },
    save: async ({ userId, jid, roomId = null, membership }) => {
      await tables.durably(
        statement(
          "delete from direct_rooms where room_id = ? and (user_id <> ? or jid <> ?)",
          roomId,
          userId,
          jid,
        ),
        statement(
          "insert into direct_rooms (user_id, jid, room_id, membership) values (?, ?, ?, ?) " +
            "on conflict (user_id, jid) do update set room_id = excluded.room_id, membership = excluded.membership",
          userId,
          jid,
          roomId,
          membership,
        ),
      );
    },
    forget: async (userId, jid) => {
      await tables.soon(statement("delete from direct_rooms where user_id = ? and jid = ?", userId, jid));
    },
  };
}
