/** Events as a homeserver pushes them to an application service (Client-Server API v1.15, "Room event format"). */
import type { EventId, RoomId, UserId } from "./ids.ts";
import { isDeeperThan, maxDepth } from "./json.ts";

export type Content = Record<string, unknown>;

export interface MatrixEvent {
  event_id: EventId;
  type: string;
  room_id: RoomId;
  sender: UserId;
  state_key?: string;
  origin_server_ts: number;
  content: Content;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown): value is string => typeof value === "string" && value !== "";

/** The end of the year 9999, beyond which no date can be written. */
const latest = 253_402_300_799_999;

/** Its homeserver may say anything. */
const readTime = (value: unknown): number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= latest ? Number(value) : 0;

/**
 * Reads an event that came from outside, and keeps only the fields that the bridge uses.
 * @returns undefined where a field that every event has is missing or of another type, or the content too deep.
 */
export function parseEvent(value: unknown): MatrixEvent | undefined {
  if (!isObject(value)) return undefined;
  const { event_id, type, room_id, sender, state_key, origin_server_ts, content } = value;
  if (!text(event_id) || !text(type) || !text(room_id) || !text(sender) || !isObject(content))
    return undefined;
  if (state_key !== undefined && typeof state_key !== "string") return undefined;
  if (isDeeperThan(maxDepth, content)) return undefined;
  // Room versions before 11 name what a redaction takes away beside its content.
  const redacted =
    type === "m.room.redaction" && typeof value.redacts === "string" ? value.redacts : undefined;
  return {
    event_id: event_id as EventId,
    type,
    room_id: room_id as RoomId,
    sender: sender as UserId,
    ...(state_key !== undefined && { state_key }),
    origin_server_ts: readTime(origin_server_ts),
    content: redacted === undefined ? content : { redacts: redacted, ...content },
  };
}

/** A string field of an object whose shape nobody guarantees. */
export const readString = (content: Content, key: string): string | undefined => {
  const value = Object.hasOwn(content, key) ? content[key] : undefined;
  return typeof value === "string" ? value : undefined;
};
