/**
 * Affiliations and roles set from XMPP (XEP-0045 1.35, §8 and §9) as what they mean on Matrix: power levels, kicks, bans
 * and invitations (Client-Server API v1.15, "Room membership", "m.room.power_levels").
 */
import type { Content } from "../matrix/event.ts";
import { isObject } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import {
  type Affiliation,
  affiliations,
  parseAffiliation,
  parseRole,
  type Role,
} from "../xmpp/affiliation.ts";
import { type BareJid, bareOf, type Jid, parseJid } from "../xmpp/jid.ts";
import type { Element, StanzaError } from "../xmpp/stanza.ts";
import { levelOfRank, numberIn, type PowerTable, type Rank } from "./affiliations.ts";

/** One line of a list, asked for or to be changed. */
export interface AdminItem {
  affiliation: Affiliation | undefined;
  role: Role | undefined;
  jid: BareJid | undefined;
  nick: string | undefined;
  reason: string | undefined;
}

const refusal = (type: string, condition: string, text?: string): StanzaError => ({
  type,
  condition,
  ...(text !== undefined && { text }),
});
const badRequest = (text: string): StanzaError => refusal("modify", "bad-request", text);
const notAllowed = (text: string): StanzaError => refusal("cancel", "not-allowed", text);
const forbidden = (text: string): StanzaError => refusal("auth", "forbidden", text);
const conflict = (text: string): StanzaError => refusal("cancel", "conflict", text);

const mostItems = 50;

function readItem(element: Element): AdminItem | StanzaError {
  const { affiliation: a, role: r, jid: j, nick: n } = element.attrs;
  const [affiliation, role] = [parseAffiliation(a), parseRole(r)];
  const jid = typeof j === "string" && parseJid(j) ? bareOf(j as Jid) : undefined;
  if ((a !== undefined && !affiliation) || (r !== undefined && !role) || (j !== undefined && !jid)) {
    return badRequest("There is no such affiliation, role or address.");
  }
  // §8.3 and §9.2: what manages the one must not name the other.
  if ((affiliation === undefined) === (role === undefined)) {
    return badRequest("An item has either an affiliation or a role.");
  }
  return {
    affiliation,
    role,
    jid,
    nick: typeof n === "string" && n !== "" ? n : undefined,
    reason: element.getChildText("reason")?.trim() || undefined,
  };
}

/** @param query of muc#admin. */
export function readAdminItems(query: Element): AdminItem[] | StanzaError {
  const elements = query.getChildren("item");
  if (elements.length === 0 || elements.length > mostItems) return badRequest("No items, or too many.");
  const items: AdminItem[] = [];
  for (const element of elements) {
    const item = readItem(element);
    if ("condition" in item) return item;
    items.push(item);
  }
  return items;
}

/** The room as it matters here. */
export interface Powers {
  powerLevels: Content;
  joinRule: string;
  levelOf(userId: UserId): number;
  may(userId: UserId, action: "invite" | "kick" | "ban" | "redact", to?: UserId): boolean;
  maySetState(userId: UserId, type: string): boolean;
}

/** Whom an item is about. */
export interface Target {
  userId: UserId;
  /** As in `m.room.member`; "leave" for those of whom the room knows nothing. */
  membership: string;
  rank: Rank;
}

export type Change = { target: Target; reason: string | undefined } & (
  | { affiliation: Affiliation; role?: undefined }
  | { affiliation?: undefined; role: Role }
);

export interface Step {
  do: "kick" | "ban" | "unban" | "invite";
  userId: UserId;
  reason: string | undefined;
}

export interface AdminPlan {
  /** What the power levels become; undefined where they stay. */
  powerLevels: Content | undefined;
  steps: Step[];
}

const place = (affiliation: Affiliation): number => affiliations.indexOf(affiliation);
const isHere = ({ membership }: Target): boolean => membership === "join";

interface Wanted {
  level?: number | undefined;
  step?: Step["do"];
}

/** §8: of those who are in the room. */
function ofRole(role: Role, target: Target, room: Powers, table: PowerTable): Wanted | StanzaError {
  if (role === "none") return { step: "kick" };
  const { affiliation } = target.rank;
  if (affiliation === "owner" || affiliation === "admin") {
    if (role === "moderator") return {};
    return notAllowed("Owners and admins are always moderators.");
  }
  if (role === target.rank.role) return {};
  return { level: levelOfRank({ affiliation: "none", role }, room.powerLevels, table) };
}

/** §10: with an invitation for those who are not there. */
function raise(to: "owner" | "admin", target: Target, table: PowerTable): Wanted | StanzaError {
  const { membership, rank } = target;
  if (membership === "ban") return notAllowed("They are banned: lift that first.");
  const isThere = isHere(target) || membership === "invite";
  return {
    level: rank.affiliation === to ? undefined : table[to],
    ...(!isThere && { step: "invite" as const }),
  };
}

/** §9: who is no member stays out of a room that is not for everybody. */
function stepTo(affiliation: "member" | "none", target: Target, isClosed: boolean): Step["do"] | undefined {
  const { membership } = target;
  if (membership === "ban") return "unban";
  const isThere = isHere(target) || membership === "invite";
  if (affiliation === "member") return isThere ? undefined : "invite";
  return membership === "invite" || (isClosed && isHere(target)) ? "kick" : undefined;
}

/** §9 and §10. */
function ofAffiliation(
  affiliation: Affiliation,
  target: Target,
  room: Powers,
  table: PowerTable,
): Wanted | StanzaError {
  if (affiliation === "outcast") return target.membership === "ban" ? {} : { step: "ban" };
  if (affiliation === "owner" || affiliation === "admin") return raise(affiliation, target, table);
  const had = target.rank.affiliation;
  const usual = levelOfRank({ affiliation: "none", role: "participant" }, room.powerLevels, table);
  const step = stepTo(affiliation, target, room.joinRule !== "public");
  return { ...((had === "owner" || had === "admin") && { level: usual }), ...(step && { step }) };
}

const words = { kick: "remove", ban: "ban", unban: "unban", invite: "invite" } as const;

/** §8.2, §9.1: the rules about who may do what to whom, and the homeserver's own. */
function problemWith(wanted: Wanted, userId: UserId, actor: UserId, room: Powers): StanzaError | undefined {
  const isSelf = userId === actor;
  const { level, step } = wanted;
  if (isSelf && step === "ban") return conflict("Nobody can ban themselves.");
  if (isSelf && step === "kick") return conflict("To leave, leave.");
  const needed = step === "unban" ? "ban" : step;
  if (needed && step && !room.may(actor, needed))
    return forbidden(`You may not ${words[step]} anybody here.`);
  if ((step === "kick" || step === "ban") && !room.may(actor, step, userId)) {
    return notAllowed(`You may not ${words[step]} somebody of your own rank or above.`);
  }
  if (level === undefined) return undefined;
  if (!room.maySetState(actor, "m.room.power_levels")) {
    return forbidden("You may not change what others may do here.");
  }
  const [own, theirs] = [room.levelOf(actor), room.levelOf(userId)];
  if (level > own) return notAllowed("You cannot give more power than you have.");
  if (!isSelf && theirs >= own) return notAllowed("You may not change somebody of your own rank or above.");
  if (theirs === Number.POSITIVE_INFINITY) return notAllowed("Who made the room is its owner for ever.");
  return undefined;
}

/** Those who have the usual level need no entry. */
function withLevels(powerLevels: Content, levels: ReadonlyMap<UserId, number>): Content {
  const users = isObject(powerLevels.users) ? { ...powerLevels.users } : {};
  const usual = numberIn(powerLevels, "users_default") ?? 0;
  for (const [userId, level] of levels) {
    if (level === usual) delete users[userId];
    else users[userId] = level;
  }
  return { ...powerLevels, users };
}

/**
 * What the changes come to: all of them or none.
 * @param owners everyone with that affiliation.
 */
export function planChanges(
  changes: readonly Change[],
  actor: UserId,
  room: Powers,
  { table, owners }: { table: PowerTable; owners: ReadonlySet<UserId> },
): AdminPlan | StanzaError {
  const steps: Step[] = [];
  const levels = new Map<UserId, number>();
  for (const change of changes) {
    const { target, reason } = change;
    const wanted =
      change.role === undefined
        ? ofAffiliation(change.affiliation, target, room, table)
        : ofRole(change.role, target, room, table);
    if ("condition" in wanted) return wanted;
    const problem = problemWith(wanted, target.userId, actor, room);
    if (problem) return problem;
    if (wanted.level !== undefined) levels.set(target.userId, wanted.level);
    if (wanted.step) steps.push({ do: wanted.step, userId: target.userId, reason });
  }
  // §10.5: a room keeps at least one owner.
  const isOwner = (userId: UserId): boolean => (levels.get(userId) ?? table.owner) >= table.owner;
  const stays = owners.size === 0 || [...owners, ...levels.keys()].some((id) => isOwner(id));
  if (!stays) return conflict("A room needs an owner: name another one first.");
  return { powerLevels: levels.size > 0 ? withLevels(room.powerLevels, levels) : undefined, steps };
}

/** §9.5, §9.8, §10.5: who may read which list. */
export function mayRead(rank: Rank, item: AdminItem, joinRule: string): boolean {
  const isAdmin = place(rank.affiliation) <= place("admin");
  if (item.role !== undefined) return rank.role === "moderator";
  const wanted = item.affiliation ?? "none";
  if (wanted === "outcast") return isAdmin || rank.role === "moderator";
  if (isAdmin && place(wanted) >= place(rank.affiliation)) return true;
  // Nothing is kept from those who are in a room whose members are all known to each other.
  return joinRule !== "public" && rank.affiliation !== "none";
}
