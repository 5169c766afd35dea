/** Push keys and what was sent for them. */
import type { BareJid } from "../xmpp/jid.ts";
import type { PushDeliveries, PushKey, PushKeyOwner, PushKeys } from "./store.ts";
import { type Row, statement, type Tables } from "./tables.ts";

const readKey = (row: Row): PushKey => ({
  digest: String(row.digest),
  key: String(row.key),
  owner: row.owner as PushKeyOwner,
  jid: row.jid as BareJid,
  madeAt: Number(row.made_at),
  unread: Number(row.unread),
  ended: (row.ended ?? undefined) as string | undefined,
});

export function createPushKeys(tables: Tables): PushKeys {
  return {
    save: async ({ digest, key, owner, jid, madeAt, unread, ended }) => {
      await tables.durably(
        statement("delete from push_keys where owner = ? and jid = ? and digest <> ?", owner, jid, digest),
        statement(
          "insert into push_keys (digest, key, owner, jid, made_at, unread, ended) values (?, ?, ?, ?, ?, ?, ?) " +
            "on conflict (digest) do update set key = excluded.key, owner = excluded.owner, jid = excluded.jid, " +
            "made_at = excluded.made_at, unread = excluded.unread, ended = excluded.ended",
          digest,
          key,
          owner,
          jid,
          madeAt,
          unread,
          ended ?? null,
        ),
      );
    },
    find: async (digest) => {
      const row = await tables.one("select * from push_keys where digest = ?", digest);
      return row && readKey(row);
    },
    ofOwner: async (owner) =>
      (await tables.all("select * from push_keys where owner = ? order by made_at, jid", owner)).map(readKey),
    ofJid: async (jid) =>
      (await tables.all("select * from push_keys where jid = ? order by made_at, owner", jid)).map(readKey),
    end: async (digest, reason) => {
      const sql = "update push_keys set ended = ?, unread = 0 where digest = ?";
      await tables.durably(statement(sql, reason, digest));
    },
    remove: async (digest) => {
      await tables.durably(statement("delete from push_keys where digest = ?", digest));
    },
    setUnread: async (digest, unread) => {
      const sql = "update push_keys set unread = ?2 where digest = ?1 and unread <> ?2 and ended is null";
      const [changed] = await tables.soon(statement(sql, digest, unread));
      return changed === 1;
    },
  };
}

export interface PushDeliveriesDeps {
  tables: Tables;
  /** Unix time in milliseconds. */
  now: () => number;
}

export function createPushDeliveries({ tables, now }: PushDeliveriesDeps): PushDeliveries {
  return {
    isDone: async (stanzaId) => {
      const sql = "select 1 from push_deliveries where stanza_id = ? and refused = 0";
      return (await tables.one(sql, stanzaId)) !== undefined;
    },
    keyOf: async (stanzaId) =>
      (await tables.one("select digest from push_deliveries where stanza_id = ?", stanzaId))?.digest as
        | string
        | undefined,
    note: async (stanzaId, digest, outcome) => {
      const sql =
        "insert into push_deliveries (stanza_id, digest, tried_at, refused) values (?, ?, ?, ?) " +
        "on conflict (stanza_id) do update set refused = excluded.refused";
      await tables.durably(statement(sql, stanzaId, digest, now(), Number(outcome === "refused")));
    },
    refusedSince: async (digest) => {
      const row = await tables.one(
        "select min(tried_at) as since from push_deliveries where digest = ?1 and tried_at > coalesce(" +
          "(select max(tried_at) from push_deliveries where digest = ?1 and refused = 0), -1)",
        digest,
      );
      return row?.since === null ? undefined : Number(row?.since);
    },
  };
}
