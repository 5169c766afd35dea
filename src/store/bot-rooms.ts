/** The bot's rooms on SQLite. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Database, Row } from "./database.ts";
import type { BotRoom, BotRooms } from "./store.ts";

const readBotRoom = (row: Row): BotRoom => ({
  roomId: row.room_id as RoomId,
  userId: (row.user_id ?? undefined) as UserId | undefined,
});

export function createBotRooms(db: Database): BotRooms {
  return {
    ofRoom: async (roomId) => {
      const row = db.one("select * from bot_rooms where room_id = ?", roomId);
      return row && readBotRoom(row);
    },
    all: async () => db.all("select * from bot_rooms order by room_id").map(readBotRoom),
    save: async ({ roomId, userId }) => {
      await db.soon(() =>
        db.run("insert or replace into bot_rooms (room_id, user_id) values (?, ?)", roomId, userId ?? null),
      );
    },
    forget: async (roomId) => {
      await db.soon(() => db.run("delete from bot_rooms where room_id = ?", roomId));
    },
  };
}
