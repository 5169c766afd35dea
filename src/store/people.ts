/** Who is behind a ghost, and who has whom in the roster. */
import type { UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { Ghosts, Subscribers } from "./store.ts";
import { statement, type Tables } from "./tables.ts";

export function createGhosts(tables: Tables): Ghosts {
  return {
    jidOf: async (userId) =>
      (await tables.one("select jid from ghosts where user_id = ?", userId))?.jid as Jid | undefined,
    save: async (userId, jid) => {
      await tables.soon(
        statement("delete from ghosts where jid = ? and user_id <> ?", jid, userId),
        statement(
          "insert into ghosts (user_id, jid) values (?, ?) on conflict (user_id) do update set jid = excluded.jid",
          userId,
          jid,
        ),
      );
    },
  };
}

export function createSubscribers(tables: Tables): Subscribers {
  return {
    all: async () =>
      (await tables.all("select user_id, jid from subscribers order by user_id, jid")).map((row) => ({
        userId: row.user_id as UserId,
        jid: row.jid as BareJid,
      })),
    ofUser: async (userId) =>
      (await tables.all("select jid from subscribers where user_id = ? order by jid", userId)).map(
        ({ jid }) => jid as BareJid,
      ),
    isMutual: async (userId, jid) => {
      const sql = "select mutual from subscribers where user_id = ? and jid = ?";
      return (await tables.one(sql, userId, jid))?.mutual === 1;
    },
    setMutual: async (userId, jid, mutual) => {
      const sql = "update subscribers set mutual = ? where user_id = ? and jid = ?";
      await tables.soon(statement(sql, Number(mutual), userId, jid));
    },
    has: async (userId, jid) => {
      const sql = "select 1 from subscribers where user_id = ? and jid = ?";
      return (await tables.one(sql, userId, jid)) !== undefined;
    },
    add: async (userId, jid) => {
      const sql =
        "insert into subscribers (user_id, jid) values (?, ?) on conflict (user_id, jid) do nothing";
      await tables.soon(statement(sql, userId, jid));
    },
    remove: async (userId, jid) => {
      await tables.soon(statement("delete from subscribers where user_id = ? and jid = ?", userId, jid));
    },
  };
}
