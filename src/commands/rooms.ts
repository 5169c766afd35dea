/** The commands about rooms: entering and leaving them, and who and what is in them. */

import type { RoomState, RoomStates } from "../bridge/room-state.ts";
import { isServiceAllowed, mayOpen } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { domainOf as homeserverOf, type RoomId, type UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Rooms } from "../rooms/rooms.ts";
import type { Guest, Guests, Occupants, RoomLink } from "../store/room-records.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { xml } from "../xmpp/stanza.ts";
import { type Caller, type Command, CommandRefusal, type Reply } from "./command.ts";
import { listOf } from "./lists.ts";
import type { RoomTarget, Targets } from "./targets.ts";

export interface RoomCommandsDeps {
  addresses: Addresses;
  component: BareJid;
  rules: Pick<Config["rooms"], "access" | "homeservers">;
  targets: Targets;
  rooms: Pick<Rooms, "open" | "links" | "puppets" | "invite">;
  occupants: Pick<Occupants, "ofMuc" | "ofNick">;
  guests: Pick<Guests, "all" | "ofRoom">;
  roomStates: Pick<RoomStates, "of">;
  /** The guest goes, as if their client had said so. */
  leaveAs(guest: Guest): Promise<void>;
  matrix: Pick<MatrixClient, "invite" | "kick" | "members">;
  xmpp: Pick<XmppClient, "send">;
}

const linkTo = (room: string): string => `https://matrix.to/#/${room}`;
const isForbidden = (error: unknown): boolean => error instanceof MatrixError && error.status === 403;
const onlyInside = new CommandRefusal(
  "I can look into that room only for those who are in it, and while I am in it too.",
);

export function createRoomCommands(deps: RoomCommandsDeps): Command[] {
  const { addresses, component, rules, targets, rooms, matrix, xmpp, roomStates } = deps;
  const bot = addresses.botUserId;

  const invite = async (roomId: RoomId, userId: UserId): Promise<boolean> => {
    const membership = (await matrix.members(bot, roomId)).get(userId);
    if (membership === "join") return false;
    if (membership !== "invite") await matrix.invite(bot, roomId, userId);
    return true;
  };

  const joinFromMatrix = async (userId: UserId, target: RoomTarget, password?: string): Promise<Reply> => {
    const muc = target.muc ?? target.link?.muc;
    if (!muc) throw new CommandRefusal("That is a Matrix room: join it with your client.");
    const roomId = await rooms.open(muc, userId, { password });
    const isNew = await invite(roomId, userId);
    const what = isNew
      ? `I have invited you to ${muc}: accept, and you are in.`
      : `You are in ${muc} already.`;
    return { text: `${what}\n${linkTo(roomId)}` };
  };

  /** @returns where an XMPP user enters the room. */
  const addressFor = ({ level }: Caller, { roomId, alias, muc, link }: RoomTarget): BareJid => {
    const ofXmpp = link?.muc ?? muc;
    if (ofXmpp) return ofXmpp;
    const name = alias ?? roomId;
    if (!name) throw new CommandRefusal("That is no room.");
    if (!mayOpen(rules, level, "gateway"))
      throw new CommandRefusal("You may not enter Matrix rooms through this bridge.");
    const server = homeserverOf(name);
    if (server !== undefined && !isServiceAllowed(rules.homeservers, server))
      throw new CommandRefusal(`Rooms of ${server} cannot be entered through this bridge.`);
    return addresses.jidOfRoom(name);
  };

  const join: Command = {
    name: "join",
    summary: "brings you into a room of the other network",
    fields: [
      { name: "room", label: "Address of the room", required: true },
      { name: "password", label: "Its password, where it takes one", secret: true },
    ],
    examples: ["join garden@conference.xmpp.example", "join #garden:matrix.example"],
    permits: (caller) =>
      caller.network === "matrix"
        ? mayOpen(rules, caller.level, "portal")
        : caller.occupant === undefined && mayOpen(rules, caller.level, "gateway"),
    async run(caller, { room = "", password }) {
      const target = await targets.room(room);
      if (caller.network === "matrix") return joinFromMatrix(caller.userId, target, password);
      const address = addressFor(caller, target);
      const conference = xml("x", { xmlns: NS.conference, jid: address });
      await xmpp.send(xml("message", { from: component, to: caller.jid }, conference));
      return {
        text: `Its address for you is ${address}\nI have sent you an invitation to it: xmpp:${address}?join`,
      };
    },
  };

  /** The bot takes somebody out who has asked for it. */
  const leaveOnMatrix = async (userId: UserId, link: RoomLink): Promise<Reply> => {
    const joined = (await matrix.members(bot, link.roomId)).has(userId);
    if (!joined) return { text: `You are not in ${link.muc}.` };
    try {
      await matrix.kick(bot, link.roomId, userId, "You asked for it.");
    } catch (error) {
      if (!isForbidden(error)) throw error;
      throw new CommandRefusal(`I cannot take you out; leave it with your client: ${linkTo(link.roomId)}`);
    }
    return { text: `You have left ${link.muc}.` };
  };

  const leaveOnXmpp = async (jid: BareJid, { roomId }: RoomTarget): Promise<Reply> => {
    const own = (await deps.guests.all()).filter(
      (guest) => bareOf(guest.jid) === jid && guest.roomId === roomId,
    );
    if (own.length === 0) throw new CommandRefusal("You are not in that room through this bridge.");
    for (const guest of own) await deps.leaveAs(guest);
    return { text: `You have left ${own[0]?.address}.` };
  };

  const leave: Command = {
    name: "leave",
    summary: "takes you out of a room that the bridge has brought you into",
    fields: [{ name: "room", label: "Address of the room" }],
    examples: ["leave", "leave garden@conference.xmpp.example"],
    permits: (caller) => caller.network === "matrix" || caller.occupant === undefined,
    async run(caller, { room }) {
      if (caller.network === "matrix")
        return leaveOnMatrix(caller.userId, await targets.linkOr(caller, room));
      return leaveOnXmpp(bareOf(caller.jid), await targets.roomOr(caller, room));
    },
  };

  const inviteToMatrix = async (roomId: RoomId, userId: UserId): Promise<void> => {
    try {
      await invite(roomId, userId);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      throw new CommandRefusal("I may not invite people to that room; somebody who is in it has to.");
    }
  };

  /** As whom the caller is in the Matrix room. */
  const userOf = async (caller: Caller): Promise<UserId> => {
    if (caller.network === "matrix") return caller.userId;
    const { jid, occupant, place } = caller;
    const known = occupant && place?.muc && (await deps.occupants.ofNick(place.muc, occupant.nick));
    return known ? known.ghost : addresses.ghostOf(jid);
  };

  const mayInvite = async (caller: Caller, roomId: RoomId): Promise<void> => {
    if (!(await targets.maySee(caller, roomId))) throw onlyInside;
    if (caller.level === "admin") return;
    const state = await roomStates.of(bot, roomId);
    if (!state.may(await userOf(caller), "invite"))
      throw new CommandRefusal("You may not invite people to this room.");
  };

  const inviting: Command = {
    name: "invite",
    summary: "invites somebody of either network to this room, or to another",
    fields: [
      { name: "who", label: "Address of the person", required: true },
      { name: "room", label: "Address of the room" },
    ],
    examples: ["invite bob@xmpp.example", "invite @alice:matrix.example garden@conference.xmpp.example"],
    async run(caller, { who = "", room }) {
      const [person, target] = [await targets.person(who), await targets.roomOr(caller, room)];
      const roomId = target.link?.roomId ?? target.roomId;
      if (!roomId) throw new CommandRefusal("That room is not linked; join it first.");
      await mayInvite(caller, roomId);
      if (person.network === "matrix") {
        await inviteToMatrix(roomId, person.userId);
        return { text: `${person.userId} is invited.` };
      }
      const by = caller.network === "matrix" ? caller.userId : undefined;
      if (target.link) await rooms.invite(target.link, by, person.jid);
      else {
        // A room of Matrix has one door for XMPP users: its address on the bridge, once their ghost is let in.
        await inviteToMatrix(roomId, addresses.ghostOf(person.jid));
        const address = addresses.jidOfRoom(target.alias ?? roomId);
        const from = caller.network === "matrix" ? addresses.jidOfUser(caller.userId) : component;
        await xmpp.send(
          xml("message", { from, to: person.jid }, xml("x", { xmlns: NS.conference, jid: address })),
        );
      }
      return { text: `${person.jid} is invited.` };
    },
  };

  const stateOr = async (roomId: RoomId): Promise<RoomState | undefined> => {
    try {
      return await roomStates.of(bot, roomId);
    } catch (error) {
      if (error instanceof MatrixError && error.status < 500) return undefined;
      throw error;
    }
  };

  const listed = async (caller: Caller): Promise<string[]> => {
    const lines: string[] = [];
    for (const { roomId, muc } of rooms.links.all()) {
      const state = await stateOr(roomId);
      const isIn = caller.network === "matrix" && state?.members.get(caller.userId)?.membership === "join";
      if (!isIn && state?.joinRule !== "public") continue;
      const address = caller.network === "matrix" ? (state?.canonicalAlias ?? roomId) : muc;
      const other = caller.network === "matrix" ? muc : (state?.canonicalAlias ?? roomId);
      lines.push(`${other} – here ${address}${isIn ? ", you are in" : ""}`);
    }
    if (caller.network === "matrix") return lines;
    const own = (await deps.guests.all()).filter(({ jid }) => bareOf(jid) === bareOf(caller.jid));
    const addressesOfOwn = new Set(own.map(({ address }) => address));
    return [...[...addressesOfOwn].map((address) => `${address}, you are in`), ...lines];
  };

  const list: Command = {
    name: "list",
    summary: "lists the bridged rooms that you are in, or can enter",
    fields: [],
    examples: ["list"],
    async run(caller) {
      const lines = await listed(caller);
      const more = "To enter another: join ROOM. To find one: search WORDS";
      if (lines.length === 0) return { text: `There is no bridged room that you could see.\n${more}` };
      return { text: [listOf("Bridged rooms:", lines), more].join("\n") };
    },
  };

  const occupantsOf = async ({ muc }: RoomLink): Promise<string[]> => {
    const present = (await deps.occupants.ofMuc(muc)).filter(({ isIn }) => isIn);
    return present
      .sort((a, b) => a.nick.localeCompare(b.nick))
      .map(({ nick, affiliation }) => (affiliation === "none" ? nick : `${nick} (${affiliation})`));
  };

  const membersOf = (state: RoomState, link: RoomLink | undefined): string[] =>
    [...state.members]
      .filter(
        ([userId, { membership }]) => membership === "join" && userId !== bot && !addresses.isGhost(userId),
      )
      .map(([userId, { displayName }]) => {
        const nick = link && rooms.puppets.nickOf(link.muc, userId);
        return `${nick ?? displayName ?? userId} (${userId})`;
      })
      .sort((a, b) => a.localeCompare(b));

  const members: Command = {
    name: "members",
    summary: "lists who of the other network is in this room, or in another",
    fields: [{ name: "room", label: "Address of the room" }],
    examples: ["members", "members garden@conference.xmpp.example"],
    async run(caller, { room }) {
      const { link, roomId = link?.roomId } = await targets.roomOr(caller, room);
      if (!roomId) throw new CommandRefusal("That room is not bridged.");
      if (!(await targets.maySee(caller, roomId))) throw onlyInside;
      if (caller.network === "matrix" && link)
        return { text: listOf(`In ${link.muc}:`, await occupantsOf(link)) };
      const guests = await deps.guests.ofRoom(roomId);
      if (caller.network === "matrix") {
        const names = new Map(guests.map(({ ghost, nick }) => [ghost, nick]));
        return { text: listOf("From XMPP:", [...names.values()].sort()) };
      }
      const state = await roomStates.of(guests[0]?.ghost ?? bot, roomId);
      return { text: listOf("From Matrix:", membersOf(state, link)) };
    },
  };

  return [join, leave, inviting, list, members];
}
