/** The rooms and people that the words of a command mean, on either network and however they are written. */
import type { RoomStates } from "../bridge/room-state.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import {
  domainOf as homeserverOf,
  parseRoomAlias,
  parseRoomId,
  parseUserId,
  type RoomAlias,
  type RoomId,
  type UserId,
} from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Linked } from "../rooms/link-checks.ts";
import type { Guests, RoomLink } from "../store/room-records.ts";
import { type BareJid, bareOf, domainOf, type Jid, localOf, parseJid } from "../xmpp/jid.ts";
import { type Caller, CommandRefusal } from "./command.ts";

/** A room as it was named, and its link where it has one. */
export interface RoomTarget {
  roomId?: RoomId;
  alias?: RoomAlias;
  /** Servers that are in the Matrix room. */
  servers: readonly string[];
  muc?: BareJid;
  link: RoomLink | undefined;
}

export type PersonTarget = { network: "matrix"; userId: UserId } | { network: "xmpp"; jid: BareJid };

export interface TargetsDeps {
  addresses: Addresses;
  component: BareJid;
  linked: Linked;
  matrix: Pick<MatrixClient, "resolveAlias">;
  /** The XMPP user behind a ghost; undefined where it stands for nobody. */
  jidOfGhost(userId: UserId): Promise<BareJid | undefined>;
  roomStates: Pick<RoomStates, "of">;
  guests: Pick<Guests, "ofRoom">;
}

export interface Targets {
  /** What the text names. @throws CommandRefusal where it is no address of a room. */
  room(text: string): Promise<RoomTarget>;
  /** The same, or the room where the command is given. @throws CommandRefusal where neither is one. */
  roomOr(caller: Caller, text: string | undefined): Promise<RoomTarget>;
  /** As `roomOr`, of rooms that are linked. */
  linkOr(caller: Caller, text: string | undefined): Promise<RoomLink>;
  person(text: string): Promise<PersonTarget>;
  /** Whether the caller is in the room, or anybody may be. */
  maySee(caller: Caller, roomId: RoomId): Promise<boolean>;
}

/** Clients write addresses as links too. */
export const withoutLink = (text: string): string => {
  const [, linked] = /^https:\/\/matrix\.to\/#\/([^?]+)/.exec(text) ?? [];
  if (linked === undefined) return text.replace(/^xmpp:([^?]+).*$/, "$1");
  return URL.canParse(text)
    ? decodeURI(linked).replaceAll("%40", "@").replaceAll("%3A", ":").replaceAll("%23", "#")
    : text;
};

/** Whether a word can be the address of a Matrix room, for fields that others follow. */
export const looksLikeMatrixRoom = (word: string): boolean =>
  /^(?:[#!]|https:\/\/matrix\.to\/#\/(?:[#!]|%23))/.test(word);
const noRoom =
  "That is no address of a room. On XMPP one looks like garden@conference.xmpp.example, on Matrix like " +
  "#garden:matrix.example.";
const noPerson =
  "That is no address of a person. On XMPP one looks like bob@xmpp.example, on Matrix like @alice:matrix.example.";

export function createTargets(deps: TargetsDeps): Targets {
  const { addresses, component, linked, matrix, roomStates } = deps;

  const ofMatrix = async (name: RoomAlias | RoomId): Promise<RoomTarget> => {
    if (name.startsWith("!")) {
      const roomId = name as RoomId;
      return { roomId, servers: [], link: linked.ofRoom(roomId) };
    }
    const alias = name as RoomAlias;
    const muc = addresses.jidOfAlias(alias);
    if (muc) return { muc, servers: [], link: linked.ofMuc(muc) };
    const found = await matrix.resolveAlias(alias).catch((error) => {
      if (!(error instanceof MatrixError && error.status >= 500)) throw error;
      throw new CommandRefusal(`${homeserverOf(alias)} does not answer, so I cannot find ${alias}.`);
    });
    if (!found) throw new CommandRefusal(`There is no room ${alias}.`);
    return { ...found, alias, link: linked.ofRoom(found.roomId) };
  };

  const room: Targets["room"] = async (given) => {
    const text = withoutLink(given);
    const ofItself = parseRoomAlias(text) ?? parseRoomId(text);
    if (ofItself && !text.includes("@")) return ofMatrix(ofItself);
    const parts = parseJid(text);
    if (!parts || /\s/.test(text) || text.startsWith("@")) throw new CommandRefusal(noRoom);
    const jid = bareOf(text.toLowerCase() as Jid);
    if (localOf(jid) === undefined) throw new CommandRefusal(noRoom);
    if (domainOf(jid) !== component) return { muc: jid, servers: [], link: linked.ofMuc(jid) };
    const name = addresses.roomOfJid(bareOf(text as Jid));
    if (!name) throw new CommandRefusal(`${jid} is no room.`);
    return ofMatrix(name);
  };

  const roomOr: Targets["roomOr"] = async ({ place }, text) => {
    if (text !== undefined) return room(text);
    const link = (place?.muc && linked.ofMuc(place.muc)) ?? (place?.roomId && linked.ofRoom(place.roomId));
    if (!place) throw new CommandRefusal("Say which room: write its address after the command.");
    return { ...place, servers: [], link };
  };

  return {
    room,
    roomOr,

    async linkOr(caller, text) {
      const { link, muc, alias, roomId } = await roomOr(caller, text);
      if (link) return link;
      const name = text === undefined ? "This room" : (muc ?? alias ?? roomId);
      throw new CommandRefusal(`${name} is not linked with any room of the other network.`);
    },

    async person(given) {
      const text = withoutLink(given);
      const userId = parseUserId(text);
      if (userId) {
        if (!addresses.isGhost(userId)) return { network: "matrix", userId };
        const jid = await deps.jidOfGhost(userId);
        if (!jid) throw new CommandRefusal(`${userId} stands for nobody.`);
        return { network: "xmpp", jid };
      }
      const parts = parseJid(text);
      if (!parts?.local || /\s/.test(text) || text.startsWith("@")) throw new CommandRefusal(noPerson);
      const jid = bareOf(`${parts.local}@${parts.domain}` as Jid);
      if (parts.domain !== component) return { network: "xmpp", jid };
      const ofJid = addresses.userOfJid(jid);
      if (!ofJid) throw new CommandRefusal(`${jid} is nobody’s address.`);
      return { network: "matrix", userId: ofJid };
    },

    async maySee(caller, roomId) {
      const link = linked.ofRoom(roomId);
      if (caller.level === "admin" || caller.place?.roomId === roomId) return true;
      if (link && caller.place?.muc === link.muc) return true;
      const guests = await deps.guests.ofRoom(roomId);
      if (caller.network === "xmpp" && guests.some(({ jid }) => bareOf(jid) === bareOf(caller.jid)))
        return true;
      try {
        const state = await roomStates.of(guests[0]?.ghost ?? addresses.botUserId, roomId);
        if (state.joinRule === "public") return true;
        return caller.network === "matrix" && state.members.get(caller.userId)?.membership === "join";
      } catch (error) {
        if (error instanceof MatrixError && error.status < 500) return false;
        throw error;
      }
    },
  };
}
