/** Requests for links, and blocks, on SQLite. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { Database, Row } from "./database.ts";
import type { Blocks, LinkRequest, LinkRequests } from "./request-records.ts";

const readRequest = (row: Row): LinkRequest => ({
  code: String(row.code),
  roomId: row.room_id as RoomId,
  muc: row.muc as BareJid,
  password: (row.password ?? undefined) as string | undefined,
  mode: (row.mode ?? undefined) as LinkRequest["mode"],
  askedBy: row.asked_by as UserId | Jid,
  askedAt: Number(row.asked_at),
  matrixBy: (row.matrix_by ?? undefined) as UserId | undefined,
  xmppBy: (row.xmpp_by ?? undefined) as Jid | undefined,
  isRefused: row.refused === 1,
});

export function createLinkRequests(db: Database): LinkRequests {
  return {
    all: async () => db.all("select * from link_requests order by asked_at, code").map(readRequest),
    ofCode: async (code) => {
      const row = db.one("select * from link_requests where code = ?", code);
      return row && readRequest(row);
    },
    save: (request) =>
      db.durably(() => {
        db.run(
          "insert or replace into link_requests " +
            "(code, room_id, muc, password, mode, asked_by, asked_at, matrix_by, xmpp_by, refused) " +
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          request.code,
          request.roomId,
          request.muc,
          request.password ?? null,
          request.mode ?? null,
          request.askedBy,
          request.askedAt,
          request.matrixBy ?? null,
          request.xmppBy ?? null,
          Number(request.isRefused),
        );
      }),
    remove: async (code) => {
      await db.soon(() => db.run("delete from link_requests where code = ?", code));
    },
  };
}

export function createBlocks(db: Database): Blocks {
  return {
    all: async () =>
      db.all("select * from blocks order by pattern").map((row) => ({
        pattern: String(row.pattern),
        by: row.blocked_by as UserId | Jid,
        at: Number(row.blocked_at),
      })),
    save: ({ pattern, by, at }) =>
      db.durably(() => {
        const sql = "insert or replace into blocks (pattern, blocked_by, blocked_at) values (?, ?, ?)";
        db.run(sql, pattern, by, at);
      }),
    remove: (pattern) =>
      db.durably(() => {
        db.run("delete from blocks where pattern = ?", pattern);
      }),
  };
}
