/** Push keys and what was sent for them, on SQLite. */
import type { BareJid } from "../xmpp/jid.ts";
import type { Database, Row } from "./database.ts";
import type { PushDeliveries, PushKey, PushKeyOwner, PushKeys } from "./store.ts";

const readKey = (row: Row): PushKey => ({
  digest: String(row.digest),
  key: String(row.key),
  owner: row.owner as PushKeyOwner,
  jid: row.jid as BareJid,
  madeAt: Number(row.made_at),
  unread: Number(row.unread),
  ended: (row.ended ?? undefined) as string | undefined,
});

export function createPushKeys(db: Database): PushKeys {
  return {
    save: ({ digest, key, owner, jid, madeAt, unread, ended }) =>
      db.durably(() => {
        db.run(
          "insert or replace into push_keys (digest, key, owner, jid, made_at, unread, ended) " +
            "values (?, ?, ?, ?, ?, ?, ?)",
          digest,
          key,
          owner,
          jid,
          madeAt,
          unread,
          ended ?? null,
        );
      }),
    find: async (digest) => {
      const row = db.one("select * from push_keys where digest = ?", digest);
      return row && readKey(row);
    },
    ofOwner: async (owner) =>
      db.all("select * from push_keys where owner = ? order by made_at, jid", owner).map(readKey),
    ofJid: async (jid) =>
      db.all("select * from push_keys where jid = ? order by made_at, owner", jid).map(readKey),
    end: (digest, reason) =>
      db.durably(() => {
        db.run("update push_keys set ended = ?, unread = 0 where digest = ?", reason, digest);
      }),
    remove: (digest) =>
      db.durably(() => {
        db.run("delete from push_keys where digest = ?", digest);
      }),
    setUnread: async (digest, unread) =>
      await db.soon(
        () =>
          db.run(
            "update push_keys set unread = ?2 where digest = ?1 and unread <> ?2 and ended is null",
            digest,
            unread,
          ) > 0,
      ),
  };
}

export function createPushDeliveries(db: Database, now: () => number): PushDeliveries {
  return {
    isDone: async (stanzaId) =>
      db.one("select 1 from push_deliveries where stanza_id = ? and refused = 0", stanzaId) !== undefined,
    keyOf: async (stanzaId) =>
      db.one("select digest from push_deliveries where stanza_id = ?", stanzaId)?.digest as
        | string
        | undefined,
    note: (stanzaId, digest, outcome) =>
      db.durably(() => {
        db.run(
          "insert into push_deliveries (stanza_id, digest, tried_at, refused) values (?, ?, ?, ?) " +
            "on conflict (stanza_id) do update set refused = excluded.refused",
          stanzaId,
          digest,
          now(),
          outcome === "refused" ? 1 : 0,
        );
      }),
    refusedSince: async (digest) => {
      const row = db.one(
        "select min(tried_at) as since from push_deliveries where digest = ?1 and tried_at > coalesce(" +
          "(select max(tried_at) from push_deliveries where digest = ?1 and refused = 0), -1)",
        digest,
      );
      return row?.since === null ? undefined : Number(row?.since);
    },
  };
}
