/**
 * Power levels of Matrix (Client-Server API v1.15, "m.room.power_levels") as affiliations and roles of XMPP rooms
 * (XEP-0045 1.35, §5), and back.
 */
import { type Content, isObject } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Affiliation, Role } from "../xmpp/affiliation.ts";

/** The level from which on somebody counts as each. */
export interface PowerTable {
  owner: number;
  admin: number;
  moderator: number;
}

export interface Rank {
  affiliation: Affiliation;
  role: Role;
}

export const numberIn = (content: unknown, key: string): number | undefined => {
  const value = isObject(content) && Object.hasOwn(content, key) ? content[key] : undefined;
  // Room versions before 10 allow numbers as text.
  const number = typeof value === "string" ? Number.parseInt(value, 10) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined;
};

/** @param levels the content of the state event; {} where there is none. */
export const levelOfUser = (levels: Content, userId: UserId): number =>
  numberIn(levels.users, userId) ?? numberIn(levels, "users_default") ?? 0;

/** What it takes to say something there. */
export const levelToSpeak = (levels: Content): number =>
  numberIn(levels.events, "m.room.message") ?? numberIn(levels, "events_default") ?? 0;

/** @param level of a user who is in the room; infinite for creators of rooms of version 12 and later. */
export function rankOf(level: number, levels: Content, table: PowerTable): Rank {
  const affiliation = level >= table.owner ? "owner" : level >= table.admin ? "admin" : "none";
  if (affiliation !== "none" || level >= table.moderator) return { affiliation, role: "moderator" };
  return { affiliation, role: level >= levelToSpeak(levels) ? "participant" : "visitor" };
}

/** The level that gives somebody the rank; for those without any, what lets them speak, or keeps them from it. */
export function levelOfRank({ affiliation, role }: Rank, levels: Content, table: PowerTable): number {
  if (affiliation === "owner") return table.owner;
  if (affiliation === "admin") return table.admin;
  if (role === "moderator") return table.moderator;
  const usual = numberIn(levels, "users_default") ?? 0;
  const speaks = levelToSpeak(levels);
  if (role === "visitor") return Math.min(usual, speaks - 1);
  return Math.max(usual, Math.min(speaks, table.moderator - 1));
}
