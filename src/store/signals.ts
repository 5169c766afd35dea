/** Names, faces, presence and read marks. */
import type { EventId } from "../matrix/ids.ts";
import type { GhostProfile, GhostProfiles, Place, Presences, ReadMarks, StoredPresence } from "./store.ts";
import { type Row, statement, type Tables } from "./tables.ts";

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

const readProfile = (row: Row): GhostProfile => ({
  nick: text(row.nick),
  name: text(row.name),
  avatarHash: String(row.avatar_hash),
  avatarMxc: text(row.avatar_mxc),
  lookedAt: Number(row.looked_at),
});

export function createGhostProfiles(tables: Tables): GhostProfiles {
  return {
    of: async (jid) => {
      const row = await tables.one("select * from ghost_profiles where jid = ?", jid);
      return row && readProfile(row);
    },
    save: async (jid, { nick, name, avatarHash, avatarMxc, lookedAt }) => {
      await tables.soon(
        statement(
          "insert into ghost_profiles (jid, nick, name, avatar_hash, avatar_mxc, looked_at) " +
            "values (?, ?, ?, ?, ?, ?) on conflict (jid) do update set nick = excluded.nick, name = excluded.name, " +
            "avatar_hash = excluded.avatar_hash, avatar_mxc = excluded.avatar_mxc, looked_at = excluded.looked_at",
          jid,
          nick ?? null,
          name ?? null,
          avatarHash,
          avatarMxc ?? null,
          lookedAt,
        ),
      );
    },
  };
}

const readPresence = (row: Row): StoredPresence => ({
  presence: row.presence as StoredPresence["presence"],
  status: text(row.status),
  activeAt: row.active_at === null ? undefined : Number(row.active_at),
});

export function createPresences(tables: Tables): Presences {
  return {
    of: async (userId) => {
      const row = await tables.one("select * from presences where user_id = ?", userId);
      return row && readPresence(row);
    },
    save: async (userId, { presence, status, activeAt }) => {
      await tables.soon(
        statement(
          "insert into presences (user_id, presence, status, active_at) values (?, ?, ?, ?) " +
            "on conflict (user_id) do update set presence = excluded.presence, status = excluded.status, " +
            "active_at = excluded.active_at",
          userId,
          presence,
          status ?? null,
          activeAt ?? null,
        ),
      );
    },
  };
}

const readPlace = (row: Row): Place => ({
  eventId: row.event_id as EventId,
  messageId: String(row.message_id),
  position: Number(row.seq),
});

export function createReadMarks(tables: Tables): ReadMarks {
  return {
    newestFromXmpp: async (roomId, upTo) => {
      const row = await tables.one(
        "select seq, event_id, message_id from messages " +
          "where room_id = ?1 and origin = 'xmpp' and message_id is not null and is_redacted = 0 " +
          "and seq <= (select max(seq) from messages where event_id = ?2 and room_id = ?1) " +
          "order by seq desc limit 1",
        roomId,
        upTo,
      );
      return row && readPlace(row);
    },
    sent: async (roomId, messageId) => {
      const row = await tables.one(
        "select seq, event_id, message_id from messages " +
          "where message_id = ? and room_id = ? and origin = 'matrix' order by seq limit 1",
        messageId,
        roomId,
      );
      return row && readPlace(row);
    },
    advance: async (roomId, reader, position) => {
      const sql =
        "insert into read_marks (room_id, reader, position) values (?, ?, ?) " +
        "on conflict (room_id, reader) do update set position = excluded.position " +
        "where excluded.position > read_marks.position";
      const [changed] = await tables.soon(statement(sql, roomId, reader, position));
      return changed === 1;
    },
  };
}
