/** Addresses: who is called what on the other side, in both directions and without loss. */
import type { RoomAlias, RoomId, UserId } from "../matrix/ids.ts";
import { byteLength, isServerName, parseRoomAlias, parseRoomId, parseUserId } from "../matrix/ids.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
import { bareJid, domainOf, localOf, parseBareJid, parseFullJid } from "../xmpp/jid.ts";
import { bytesOf, escapeNode, ghostUnits, unescapeGhost, unescapeNode } from "./escapes.ts";

export type AddressesOptions = {
  /** Server name of the homeserver, as in MXIDs. */
  homeserverDomain: string;
  /** Domain of the component in Prosody, in lower case. */
  component: string;
  /** What ghost and portal alias localparts begin with, `_xmpp_` unless configured otherwise. */
  userPrefix: string;
  /** SHA-256 of the UTF-8 text in lower-case hex. */
  digest: (text: string) => string;
};

export type Addresses = {
  botUserId: UserId;
  /** The ghost of an XMPP user, or of the occupant of an XMPP room (`room@domain/occupant`). */
  ghostOf: (jid: Jid) => UserId;
  /** Whose ghost this is; `undefined` for all but whole ghosts of bare JIDs, so for short forms too. */
  jidOfGhost: (userId: UserId) => BareJid | undefined;
  /** As `jidOfGhost`, for ghosts of occupants. */
  occupantOfGhost: (userId: UserId) => FullJid | undefined;
  /** In the ghosts' namespace, whole or short, well-formed or not; the bot is none. */
  isGhost: (userId: UserId) => boolean;
  /** The alias under which an XMPP room is found from Matrix. */
  aliasOf: (room: BareJid) => RoomAlias;
  /** The XMPP room behind such an alias; `undefined` for other aliases and short forms. */
  jidOfAlias: (alias: RoomAlias) => BareJid | undefined;
  /** A short form cannot be read back: whoever made it stores which JID it stands for. */
  isShortened: (id: UserId | RoomAlias) => boolean;
  /** A Matrix user as XMPP sees them: `@alice:hs.test` is `alice%hs.test@bridge.xmpp.test`. */
  jidOfUser: (userId: UserId) => BareJid;
  /** The Matrix user meant; without `%server` one of our own homeserver; `undefined` for rooms and malformed ones. */
  userOfJid: (jid: Jid) => UserId | undefined;
  /** A Matrix room as XMPP sees it: `#cafe:hs.test` is `#cafe%hs.test@bridge.xmpp.test`. */
  jidOfRoom: (room: RoomId | RoomAlias) => BareJid;
  /** The Matrix room meant; only an alias may leave out `%server`, as a room ID without one is complete. */
  roomOfJid: (jid: Jid) => RoomId | RoomAlias | undefined;
};

const MAX_MXID_BYTES = 255;

// No escape begins with two of them, so a short form is never taken for a whole one.
const SHORT_MARK = "==";
const SHORT_DIGITS = 32; // 128 bits: no two JIDs will meet

/**
 * Both maps are injective over every valid identifier. Throws if the prefix and the homeserver's name leave no
 * room for a short form (more than 213 bytes with the usual prefix).
 */
export function createAddresses(options: AddressesOptions): Addresses {
  const { homeserverDomain, component, userPrefix, digest } = options;
  const space = MAX_MXID_BYTES - byteLength(`@${userPrefix}:${homeserverDomain}`);
  if (!isServerName(homeserverDomain) || space < SHORT_MARK.length + SHORT_DIGITS)
    throw new Error(
      `cannot name ghosts ${userPrefix}… on ${homeserverDomain}: not a server name, or too long`,
    );

  function localpartFor(jid: Jid): string {
    // A server may be called `bot`; the bot keeps its name.
    const units = jid === "bot" ? [bytesOf("b", "="), "o", "t"] : ghostUnits(jid);
    const whole = units.join("");
    if (whole.length <= space) return userPrefix + whole;

    let readable = "";
    for (const unit of units) {
      if (readable.length + unit.length > space - SHORT_MARK.length - SHORT_DIGITS) break;
      readable += unit;
    }
    return userPrefix + readable + SHORT_MARK + digest(jid).slice(0, SHORT_DIGITS);
  }

  /** What follows the prefix in an identifier of ours, still escaped. */
  function escapedIn(id: string): string | undefined {
    const end = `:${homeserverDomain}`;
    if (!id.startsWith(userPrefix, 1) || !id.endsWith(end)) return undefined;
    const escaped = id.slice(1 + userPrefix.length, -end.length);
    return escaped.includes(":") ? undefined : escaped;
  }

  function readBack<J extends Jid>(id: string, parse: (text: string) => J | undefined): J | undefined {
    const text = unescapeGhost(escapedIn(id) ?? "");
    const jid = text === undefined ? undefined : parse(text);
    // Only what we would write ourselves counts: one JID must not answer to two MXIDs.
    return jid !== undefined && `${id[0]}${localpartFor(jid)}:${homeserverDomain}` === id ? jid : undefined;
  }

  const botUserId = `@${userPrefix}bot:${homeserverDomain}` as UserId;

  function toJid(identifier: string): BareJid {
    // A localpart has no colon, so the first one is the separator; those of ports and IPv6 come later.
    // 255 bytes become 765 at most, well within the 1023 of a JID localpart.
    const colon = identifier.indexOf(":");
    if (colon === -1) return bareJid(escapeNode(identifier), component);
    const local = `${escapeNode(identifier.slice(0, colon))}%${escapeNode(identifier.slice(colon + 1))}`;
    return bareJid(local, component);
  }

  function jidOfUser(userId: UserId): BareJid {
    const rest = userId.slice(1);
    // A historical user ID may begin like a room: `@#cafe:hs.test` is not `#cafe:hs.test`.
    if (!/^[#!]/.test(rest)) return toJid(rest);
    return `${bytesOf(rest.slice(0, 1), "\\")}${toJid(rest.slice(1))}` as BareJid;
  }

  /** The localpart with `%server` supplied where it may be left out. */
  function fullLocal(jid: Jid): string | undefined {
    const local = domainOf(jid) === component ? localOf(jid) : undefined;
    if (local === undefined || local.includes("%") || local.startsWith("!")) return local;
    return `${local}%${escapeNode(homeserverDomain)}`;
  }

  function identifierIn(local: string): string | undefined {
    const percent = local.indexOf("%");
    if (percent === -1) return unescapeNode(local);
    const [localpart, server] = [
      unescapeNode(local.slice(0, percent)),
      unescapeNode(local.slice(percent + 1)),
    ];
    return localpart === undefined || server === undefined ? undefined : `${localpart}:${server}`;
  }

  return {
    botUserId,
    ghostOf: (jid) => `@${localpartFor(jid)}:${homeserverDomain}` as UserId,
    jidOfGhost: (userId) => readBack(userId, parseBareJid),
    occupantOfGhost: (userId) => readBack(userId, parseFullJid),
    isGhost: (userId) => escapedIn(userId) !== undefined && userId !== botUserId,
    aliasOf: (room) => `#${localpartFor(room)}:${homeserverDomain}` as RoomAlias,
    jidOfAlias: (alias) => readBack(alias, parseBareJid),
    isShortened: (id) => escapedIn(id)?.includes(SHORT_MARK) ?? false,
    jidOfUser,
    userOfJid: (jid) => {
      const local = fullLocal(jid);
      if (local === undefined || /^[#!]/.test(local)) return undefined;
      const text = identifierIn(local);
      const userId = text === undefined ? undefined : parseUserId(`@${text}`);
      return userId !== undefined && localOf(jidOfUser(userId)) === local ? userId : undefined;
    },
    jidOfRoom: toJid,
    roomOfJid: (jid) => {
      const local = fullLocal(jid);
      const text = local === undefined ? undefined : identifierIn(local);
      const room = text === undefined ? undefined : (parseRoomAlias(text) ?? parseRoomId(text));
      return room !== undefined && localOf(toJid(room)) === local ? room : undefined;
    },
  };
}
