/** The bot's rooms. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { BotRoom, BotRooms } from "./store.ts";
import { type Row, statement, type Tables } from "./tables.ts";

const readBotRoom = (row: Row): BotRoom => ({
  roomId: row.room_id as RoomId,
  userId: (row.user_id ?? undefined) as UserId | undefined,
});

export function createBotRooms(tables: Tables): BotRooms {
  return {
    ofRoom: async (roomId) => {
      const row = await tables.one("select * from bot_rooms where room_id = ?", roomId);
      return row && readBotRoom(row);
    },
    all: async () => (await tables.all("select * from bot_rooms order by room_id")).map(readBotRoom),
    save: async ({ roomId, userId = null }) => {
      const sql =
        "insert into bot_rooms (room_id, user_id) values (?, ?) " +
        "on conflict (room_id) do update set user_id = excluded.user_id";
      await tables.soon(statement(sql, roomId, userId));
    },
    forget: async (roomId) => {
      await tables.soon(statement("delete from bot_rooms where room_id = ?", roomId));
    },
  };
}
