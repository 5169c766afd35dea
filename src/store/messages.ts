/** The memory of messages: which event is which stanza, and who has reacted to what. */
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import type { Messages, Reaction, Reactions, StoredMessage } from "./message-records.ts";
import { type Row, statement, type Tables } from "./tables.ts";

const textOr = <T extends string>(value: unknown): T | undefined => (value ?? undefined) as T | undefined;

const readMessage = (row: Row): StoredMessage => ({
  roomId: row.room_id as RoomId,
  eventId: row.event_id as EventId,
  part: Number(row.part),
  origin: row.origin as StoredMessage["origin"],
  userId: row.user_id as UserId,
  jid: row.jid as Jid,
  messageId: textOr(row.message_id),
  originId: textOr(row.origin_id),
  stanzaId: row.stanza_id === null ? undefined : { id: String(row.stanza_id), by: row.stanza_by as BareJid },
  rootId: textOr<EventId>(row.root_id),
  replyTo: textOr<EventId>(row.reply_to),
  threadId: textOr<EventId>(row.thread_id),
  isRedacted: row.is_redacted === 1,
});

const readReaction = (row: Row): Reaction => ({
  roomId: row.room_id as RoomId,
  eventId: row.event_id as EventId,
  targetId: row.target_id as EventId,
  userId: row.user_id as UserId,
  key: String(row.key),
});

export interface MemoryDeps {
  tables: Tables;
  /** Unix time in milliseconds. */
  now: () => number;
}

export function createMessages({ tables, now }: MemoryDeps): Messages {
  return {
    save: async (message) => {
      const { stanzaId } = message;
      await tables.soon(
        statement(
          "insert into messages (room_id, event_id, part, origin, user_id, jid, message_id, origin_id, " +
            "stanza_id, stanza_by, root_id, reply_to, thread_id, is_redacted, noted_at) " +
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (event_id, part) do nothing",
          message.roomId,
          message.eventId,
          message.part,
          message.origin,
          message.userId,
          message.jid,
          message.messageId ?? null,
          message.originId ?? null,
          stanzaId?.id ?? null,
          stanzaId?.by ?? null,
          message.rootId ?? null,
          message.replyTo ?? null,
          message.threadId ?? null,
          Number(message.isRedacted),
          now(),
        ),
      );
    },
    ofEvent: async (roomId, eventId) =>
      (
        await tables.all(
          "select * from messages where event_id = ? and room_id = ? order by part",
          eventId,
          roomId,
        )
      ).map(readMessage),
    ofMessageId: async (roomId, jid, id) =>
      (
        await tables.all(
          "select * from messages where message_id = ?1 and jid = ?2 and room_id = ?3 union " +
            "select * from messages where origin_id = ?1 and origin_id is distinct from message_id and jid = ?2 and room_id = ?3 " +
            "order by seq",
          id,
          jid,
          roomId,
        )
      ).map(readMessage),
    ofStanzaId: async (roomId, by, id) =>
      (
        await tables.all(
          "select * from messages where stanza_id = ? and stanza_by = ? and room_id = ? order by seq",
          id,
          by,
          roomId,
        )
      ).map(readMessage),
    setStanzaId: async (roomId, eventId, part, { id, by }) => {
      const sql =
        "update messages set stanza_id = ?, stanza_by = ? where event_id = ? and part = ? and room_id = ?";
      await tables.soon(statement(sql, id, by, eventId, part, roomId));
    },
    versions: async (roomId, rootId) =>
      (
        await tables.all(
          "select * from messages where event_id = ?1 and room_id = ?2 union " +
            "select * from messages where root_id = ?1 and room_id = ?2 order by seq",
          rootId,
          roomId,
        )
      ).map(readMessage),
    markRedacted: async (roomId, eventId) => {
      const sql = "update messages set is_redacted = 1 where event_id = ? and room_id = ?";
      await tables.soon(statement(sql, eventId, roomId));
    },
  };
}

export function createReactions({ tables, now }: MemoryDeps): Reactions {
  return {
    save: async ({ roomId, eventId, targetId, userId, key }) => {
      await tables.soon(
        statement(
          "insert into reactions (event_id, room_id, target_id, user_id, key, noted_at) " +
            "values (?, ?, ?, ?, ?, ?) on conflict (event_id) do nothing",
          eventId,
          roomId,
          targetId,
          userId,
          key,
          now(),
        ),
      );
    },
    ofEvent: async (roomId, eventId) => {
      const row = await tables.one(
        "select * from reactions where event_id = ? and room_id = ?",
        eventId,
        roomId,
      );
      return row && readReaction(row);
    },
    ofUser: async (roomId, targetId, userId) =>
      (
        await tables.all(
          "select * from reactions where target_id = ? and user_id = ? and room_id = ? order by seq",
          targetId,
          userId,
          roomId,
        )
      ).map(readReaction),
    ofTarget: async (roomId, targetId) =>
      (
        await tables.all(
          "select * from reactions where target_id = ? and room_id = ? order by seq",
          targetId,
          roomId,
        )
      ).map(readReaction),
    remove: async (roomId, eventId) => {
      const sql = "delete from reactions where event_id = ? and room_id = ?";
      await tables.soon(statement(sql, eventId, roomId));
    },
  };
}
