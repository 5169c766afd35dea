/** What somebody who enters a hosted room is told, in the order of XEP-0045 1.35 §7.2: who is there, who they are, what was said. */
import { failureOf } from "../bridge/failure.ts";
import type { RoomState } from "../bridge/room-state.ts";
import { subjectMessage, withStamp } from "../mapping/hosted-stanzas.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import { fullJid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { ReadHistory } from "./history.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Occupancy } from "./occupancy.ts";

export interface WelcomeDeps {
  rooms: GuestRooms;
  occupancy: Occupancy;
  history: ReadHistory;
  /** Events that a guest has been shown as history. */
  known: WeakMap<Guest, Set<EventId>>;
  /** Rooms with more members show only those who speak. */
  lazyAbove: number;
  log: Log;
}

export type Welcome = ReturnType<typeof createWelcome>;

/** §7.2.3 (JIDs are seen), §7.2.12 (what is said is kept), §7.2.9 (the nick is another one). */
const status = { seen: 100, logged: 170, otherNick: 210 };

export function createWelcome({ rooms, occupancy, history, known, lazyAbove, log }: WelcomeDeps) {
  /** Whom the first guest is shown; later ones are shown the same, and who has come since. */
  const choose = async (roomId: RoomId, state: RoomState, speakers: readonly UserId[]): Promise<UserId[]> => {
    const isHere = (userId: UserId): boolean => state.members.get(userId)?.membership === "join";
    const joined = [...state.members.keys()].filter(isHere);
    if (joined.length <= lazyAbove) return joined;
    const leading: UserId[] = [];
    for (const userId of joined) {
      if ((await rooms.of(roomId).rankOf(userId)).role === "moderator") leading.push(userId);
    }
    return [...new Set([...leading, ...speakers.filter(isHere)])].slice(0, lazyAbove);
  };

  const showFirst = async (
    { roomId, ghost }: Guest,
    state: RoomState,
    speakers: readonly UserId[],
  ): Promise<void> => {
    const [room, roster] = [rooms.of(roomId), await rooms.roster(roomId)];
    for (const userId of await choose(roomId, state, speakers)) {
      if (userId === ghost) continue;
      await roster.show(userId, { nick: await room.nickOf(userId), rank: await room.rankOf(userId) });
    }
  };

  /** §7.2.15: who has set the subject, and when; from the room itself where nobody has. */
  const subjectNow = async ({ roomId, address, jid }: Guest, state: RoomState): Promise<Element> => {
    const set = state.setBy("m.room.topic");
    if (!set) return subjectMessage(address, jid, "");
    const from = fullJid(address, await rooms.of(roomId).nickOf(set.userId));
    return withStamp(subjectMessage(from, jid, state.topic ?? ""), address, set.at);
  };

  /** A client that comes in by another address of the room has left the room that it knows by the first. */
  const leaveOther = async (guest: Guest, before: Guest | undefined): Promise<void> => {
    const { roomId, ghost, address } = guest;
    if (!before || before.address === address) return;
    const reason = `You are in this room as ${address} now.`;
    const of = await occupancy.portrait(roomId, ghost, before.nick);
    await rooms.sendTo(before, occupancy.draw(of, before, { isUnavailable: true, reason }));
  };

  /** @param options.wanted the nick that they asked for. */
  return async (options: {
    guest: Guest;
    stanza: Element;
    wanted: string;
    state: RoomState;
  }): Promise<void> => {
    const { guest, stanza, wanted, state } = options;
    const { roomId, address, jid, nick, ghost } = guest;
    const [room, roster] = [rooms.of(roomId), await rooms.roster(roomId)];
    const past = await history(room, ghost, address, stanza);
    const isFirst = room.guests().length === 0;
    if (isFirst) await showFirst(guest, state, past.speakers);
    occupancy.note(roomId, ghost, stanza);

    const others = [...roster.shown.keys()].filter((userId) => userId !== ghost);
    const draw = async (userId: UserId) => occupancy.draw(await occupancy.portrait(roomId, userId), guest);
    await Promise.all(others.map(async (userId) => rooms.sendTo(guest, await draw(userId))));

    const isLogged = state.historyVisibility === "shared" || state.historyVisibility === "world_readable";
    const statuses = [
      status.seen,
      ...(isLogged ? [status.logged] : []),
      ...(nick === wanted ? [] : [status.otherNick]),
    ];
    const own = occupancy.draw(await occupancy.portrait(roomId, ghost), guest, { statuses });
    if (stanza.attrs.id) own.attrs.id = stanza.attrs.id;
    await rooms.sendTo(guest, own);
    for (const said of past.stanzas) {
      said.attrs.to = jid;
      try {
        await rooms.sendTo(guest, said);
      } catch (error) {
        // Nobody is kept out by something that was said once, as by what is too large for Prosody.
        if (failureOf(error).retry) throw error;
        log.warn("left out of a room's history", { room: roomId, id: said.attrs.id, error });
      }
    }
    const before = rooms.sessionsOf(roomId, ghost).find((session) => session.jid === jid);
    // Ahead of the subject, since that is where a client sees that it is in, and begins to ask.
    await rooms.add(guest);
    known.set(guest, past.known);
    await rooms.sendTo(guest, await subjectNow(guest, state));
    await leaveOther(guest, before);
    await occupancy.announce(roomId, ghost, { except: jid });
  };
}
