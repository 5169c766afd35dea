/** Requests for links, and blocks. */
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { Blocks, LinkRequest, LinkRequests } from "./request-records.ts";
import { type Row, statement, type Tables } from "./tables.ts";

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

export function createLinkRequests(tables: Tables): LinkRequests {
  return {
    all: async () =>
      (await tables.all("select * from link_requests order by asked_at, code")).map(readRequest),
    ofCode: async (code) => {
      const row = await tables.one("select * from link_requests where code = ?", code);
      return row && readRequest(row);
    },
    save: async (request) => {
      await tables.durably(
        statement(
          "delete from link_requests where room_id = ? and muc = ? and code <> ?",
          request.roomId,
          request.muc,
          request.code,
        ),
        statement(
          "insert into link_requests " +
            "(code, room_id, muc, password, mode, asked_by, asked_at, matrix_by, xmpp_by, refused) " +
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (code) do update set room_id = excluded.room_id, " +
            "muc = excluded.muc, password = excluded.password, mode = excluded.mode, asked_by = excluded.asked_by, " +
            "asked_at = excluded.asked_at, matrix_by = excluded.matrix_by, xmpp_by = excluded.xmpp_by, " +
            "refused = excluded.refused",
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
        ),
      );
    },
    remove: async (code) => {
      await tables.soon(statement("delete from link_requests where code = ?", code));
    },
  };
}

export function createBlocks(tables: Tables): Blocks {
  return {
    all: async () =>
      (await tables.all("select * from blocks order by pattern")).map((row) => ({
        pattern: String(row.pattern),
        by: row.blocked_by as UserId | Jid,
        at: Number(row.blocked_at),
      })),
    save: async ({ pattern, by, at }) => {
      const sql =
        "insert into blocks (pattern, blocked_by, blocked_at) values (?, ?, ?) on conflict (pattern) " +
        "do update set blocked_by = excluded.blocked_by, blocked_at = excluded.blocked_at";
      await tables.durably(statement(sql, pattern, by, at));
    },
    remove: async (pattern) => {
      await tables.durably(statement("delete from blocks where pattern = ?", pattern));
    },
  };
}
