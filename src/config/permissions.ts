/** Who may use the bridge, and which rooms: `permissions`, by the most specific entry that fits, and `rooms.access`. */
import type { Config } from "./schema.ts";

export const levels = ["block", "user", "admin"] as const;
export type Level = (typeof levels)[number];
/** By MXID, JID, domain or "*". */
export type Permissions = Record<string, Level>;
type RoomRules = Config["rooms"];

/** Whether somebody of that level may open the portal of an XMPP room, link one, or enter Matrix rooms from XMPP. */
export function mayOpen(
  { access }: Pick<RoomRules, "access">,
  level: Level,
  kind: keyof RoomRules["access"],
): boolean {
  const needed = access[kind];
  if (level === "block" || needed === "nobody") return false;
  return needed === "user" || level === "admin";
}

/** @param domain of an XMPP service or of a homeserver. */
export function isServiceAllowed({ allow, deny }: RoomRules["mucServices"], domain: string): boolean {
  const name = domain.toLowerCase();
  const fits = (pattern: string): boolean => {
    const wanted = pattern.toLowerCase();
    return wanted === "*" || wanted === name || (wanted.startsWith("*.") && name.endsWith(wanted.slice(1)));
  };
  return allow.some(fits) && !deny.some(fits);
}

/**
 * Puts the configured entries and those who were blocked since into the one list that all parts of the bridge look at;
 * what is not blocked any more is as it was configured.
 */
export function applyBlocks(
  permissions: Permissions,
  configured: Permissions,
  blocked: readonly string[],
): void {
  for (const pattern of Object.keys(permissions)) delete permissions[pattern];
  Object.assign(permissions, configured);
  for (const pattern of blocked) permissions[canonical(pattern)] = "block";
}

/** A list as it is written, in the one form in which the others here look at it; of two alike the first counts. */
export const canonicalList = (written: Permissions): Permissions =>
  Object.fromEntries(
    Object.entries(written)
      .reverse()
      .map(([pattern, level]) => [canonical(pattern), level]),
  );

/**
 * An address itself counts before its bare JID, that before its domain, and that before "*". Where nothing fits the
 * answer is "block": a list without "*" is the list of those who are let in.
 * @param address an MXID, a JID of any kind or a domain.
 */
export function levelOf(permissions: Permissions, address: string): Level {
  return entryFor(permissions, [...patternsFor(address), "*"]) ?? "block";
}

/**
 * Whether nothing is taken from somebody in a linked XMPP room: only where an entry of their own says so. Who comes in there
 * the room decides, and mostly it tells nobody who they are, so that a list of those who may use the bridge cannot name them.
 */
export function isShutOut(permissions: Permissions, address: string): boolean {
  return entryFor(permissions, patternsFor(address)) === "block";
}

function entryFor(permissions: Permissions, patterns: readonly string[]): Level | undefined {
  const fitting = patterns.find((pattern) => Object.hasOwn(permissions, pattern));
  return fitting === undefined ? undefined : permissions[fitting];
}

function patternsFor(address: string): string[] {
  const whole = canonical(address);
  if (whole.startsWith("@")) return [whole, domainOfMxid(whole)];
  const bare = bareOf(whole);
  return [whole, bare, bare.slice(bare.indexOf("@") + 1)];
}

/** An entry in one form: JIDs and domains compare without regard to case, resources and localparts of MXIDs with it. */
export function canonical(address: string): string {
  if (address.startsWith("@")) {
    const domain = domainOfMxid(address);
    return address.slice(0, address.length - domain.length) + domain.toLowerCase();
  }
  const bare = bareOf(address);
  return bare.toLowerCase() + address.slice(bare.length);
}

const domainOfMxid = (mxid: string): string => mxid.slice(mxid.indexOf(":") + 1);
const bareOf = (jid: string): string => jid.split("/", 1)[0] ?? jid;
