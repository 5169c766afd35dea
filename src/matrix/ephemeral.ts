/** Ephemeral data as a homeserver pushes it (Application Service API v1.15, "Pushing ephemeral data"). */
import { type Content, isObject, readString } from "./event.ts";
import { type EventId, parseEventId, parseRoomId, parseUserId, type RoomId, type UserId } from "./ids.ts";

export type Ephemeral =
  | { kind: "typing"; roomId: RoomId; userIds: UserId[] }
  | { kind: "receipt"; roomId: RoomId; eventId: EventId; userId: UserId; threadId?: string }
  | {
      kind: "presence";
      userId: UserId;
      presence: "online" | "unavailable" | "offline";
      status?: string;
      /** Milliseconds since they did something. */
      lastActiveAgo?: number;
    };

/** Whether a user is one of the bridge's own, whose doings are no news to it. */
type IsOurs = (userId: UserId) => boolean;

/** An array that holds what is no user ID is a typing notification all the same, of the others. */
function typingOf(roomId: RoomId, { user_ids: ids }: Content, isOurs: IsOurs): Ephemeral[] {
  if (!Array.isArray(ids)) return [];
  const userIds = ids.flatMap((id) => (typeof id === "string" ? (parseUserId(id) ?? []) : []));
  return [{ kind: "typing", roomId, userIds: userIds.filter((userId) => !isOurs(userId)) }];
}

/**
 * Only public ones. Synapse hands `m.read.private` to every application service, although the specification keeps
 * it for the reader.
 */
function receiptsOf(roomId: RoomId, content: Content, isOurs: IsOurs): Ephemeral[] {
  return Object.entries(content).flatMap(([id, receipts]) => {
    const eventId = parseEventId(id);
    const readers = isObject(receipts) ? receipts["m.read"] : undefined;
    if (!eventId || !isObject(readers)) return [];
    return Object.entries(readers).flatMap(([reader, data]): Ephemeral[] => {
      const userId = parseUserId(reader);
      if (!userId || isOurs(userId) || !isObject(data)) return [];
      const threadId = readString(data, "thread_id");
      return [{ kind: "receipt", roomId, eventId, userId, ...(threadId !== undefined && { threadId }) }];
    });
  });
}

function presenceOf(entry: Content, content: Content, isOurs: IsOurs): Ephemeral[] {
  const userId = parseUserId(readString(entry, "sender") ?? readString(content, "user_id") ?? "");
  const presence = readString(content, "presence");
  const status = readString(content, "status_msg");
  const ago = content.last_active_ago;
  const isAgo = typeof ago === "number" && Number.isSafeInteger(ago) && ago >= 0;
  if (!userId || isOurs(userId)) return [];
  if (presence !== "online" && presence !== "unavailable" && presence !== "offline") return [];
  const more = { ...(status !== undefined && { status }), ...(isAgo && { lastActiveAgo: ago }) };
  return [{ kind: "presence", userId, presence, ...more }];
}

function parseEntry(entry: unknown, isOurs: IsOurs): Ephemeral[] {
  if (!isObject(entry) || !isObject(entry.content)) return [];
  const { type, content } = entry;
  if (type === "m.presence") return presenceOf(entry, content, isOurs);
  const roomId = parseRoomId(readString(entry, "room_id") ?? "");
  if (!roomId) return [];
  if (type === "m.typing") return typingOf(roomId, content, isOurs);
  return type === "m.receipt" ? receiptsOf(roomId, content, isOurs) : [];
}

/** Reads the ephemeral data of a transaction's body; what is malformed or of another kind is left out. */
export function parseEphemeral(body: Content, isOurs: IsOurs): Ephemeral[] {
  const listOf = (key: string): Ephemeral[] => {
    const entries = Object.hasOwn(body, key) ? body[key] : undefined;
    return Array.isArray(entries) ? entries.flatMap((entry) => parseEntry(entry, isOurs)) : [];
  };
  const stable = listOf("ephemeral");
  const known = new Set(stable.map((item) => JSON.stringify(item)));
  // COMPAT(Synapse): asked under both names, it sends the same entries twice.
  const early = listOf("de.sorunome.msc2409.ephemeral");
  return [...stable, ...early.filter((item) => !known.has(JSON.stringify(item)))];
}
