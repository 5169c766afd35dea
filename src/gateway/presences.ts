/** Presence that is sent to hosted rooms: who comes, goes, is called otherwise, or is busy (XEP-0045 1.35 §7). */
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { Locks } from "../bridge/locks.ts";
import { isCondition, kicksFromMuc } from "../mapping/errors.ts";
import { refusedPresence } from "../mapping/hosted-stanzas.ts";
import { occupantPresence } from "../mapping/muc-presence.ts";
import type { Guest } from "../store/room-records.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { bareOf, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readError, readText, xml } from "../xmpp/stanza.ts";
import type { Departure } from "./departure.ts";
import type { IsFlood } from "./floods.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { Membership } from "./membership.ts";
import type { Occupancy } from "./occupancy.ts";
import { checkNick, EntryRefusal, refusalOf } from "./refusal.ts";

export interface PresencesDeps {
  rooms: GuestRooms;
  locks: Locks;
  occupancy: Occupancy;
  membership: Membership;
  departure: Departure;
  /** A guest is away, and may come back. */
  onUnreachable(guest: Guest): void;
  enter(stanza: Element, attempt: Attempt): Promise<void>;
  isFlood: IsFlood;
  xmpp: Pick<XmppClient, "send">;
  now: () => number;
}

const status = { own: 110, kicked: 307, technical: 333 };

/** COMPAT(Prosody 13): it says so for all its users when it is stopped, and does not wait for what comes of it. */
const isServerStopping = (presence: Element): boolean =>
  /^Disconnected: (?:Received SIG|.*shut(?:ting )?down)/i.test(readText(presence, "status") ?? "");

/** §7.2.1: who is in the room no more and does not know it is put out, so that they can enter again. */
const strangerPresence = ({ attrs: { from, to } }: Element, nick: string): Element =>
  occupantPresence(from, {
    room: bareOf(to),
    nick,
    isUnavailable: true,
    affiliation: "none",
    role: "none",
    reason: "You are not in this room; enter it first.",
    statuses: new Set([status.own, status.kicked, status.technical]),
  });

export interface Presences {
  handle(stanza: Element, attempt: Attempt): Promise<void>;
  /**
   * An error has come back for something that the room has sent to a guest.
   * @returns whether it says that they are gone, and they are out.
   */
  onError(stanza: Element): Promise<boolean>;
}

export function createPresences(deps: PresencesDeps): Presences {
  const { rooms, locks, occupancy, membership, departure, xmpp } = deps;

  const rename = async (guest: Guest, nick: string, cause: string): Promise<void> => {
    const { roomId, ghost } = guest;
    const roster = await rooms.roster(roomId);
    if (roster.isTaken(nick, ghost)) {
      const words = "Somebody in the room has this nick, or one that looks like it.";
      throw new EntryRefusal("cancel", "conflict", words);
    }
    await membership.call(ghost, roomId, nick);
    await occupancy.rename(roomId, ghost, nick, cause);
    for (const session of rooms.sessionsOf(roomId, ghost)) await rooms.add({ ...session, nick });
  };

  /** A guest's client says something of itself, or its nick. */
  const onUpdate = async (stanza: Element, nick: string, attempt: Attempt): Promise<void> => {
    const { from, to } = stanza.attrs;
    await locks.run((rooms.guestAt(bareOf(to), from) as Guest).roomId, async () => {
      const guest = rooms.guestAt(bareOf(to), from);
      if (!guest) return;
      const isTooMuch = await deps.isFlood(guest, attempt);
      occupancy.note(guest.roomId, guest.ghost, stanza);
      if (nick !== guest.nick) {
        if (isTooMuch) throw new EntryRefusal("wait", "resource-constraint", "Too fast; wait a little.");
        await rename(guest, nick, attempt.cause);
      } else if (!isTooMuch) await occupancy.tell(guest.roomId, guest.ghost, attempt.cause);
    });
  };

  const onAvailable = async (stanza: Element, attempt: Attempt): Promise<void> => {
    const { from, to } = stanza.attrs;
    const nick = resourceOf(to) ?? "";
    if (readChild(stanza, NS.muc, "x")) return deps.enter(stanza, attempt);
    try {
      checkNick(nick);
      if (!rooms.guestAt(bareOf(to), from)) {
        await xmpp.send(strangerPresence(stanza, nick));
        return;
      }
      await onUpdate(stanza, nick, attempt);
    } catch (error) {
      const refusal = refusalOf(error, deps.now() - (attempt.acceptedAt ?? deps.now()));
      if (!refusal) throw error;
      await xmpp.send(refusedPresence(stanza, refusal.error));
    }
  };

  const onError: Presences["onError"] = async (stanza) => {
    const guest = rooms.guestAt(bareOf(stanza.attrs.to), stanza.attrs.from);
    const { condition } = readError(stanza);
    // §9.1.2 of what servers say when nobody is there any more.
    const isGone = guest !== undefined && isCondition(condition) && kicksFromMuc(condition);
    if (isGone) await departure.onGone(guest, `Not reachable any more (${condition})`);
    return isGone;
  };

  return {
    onError,
    async handle(stanza, attempt) {
      const { from, to, type } = stanza.attrs;
      switch (type) {
        case undefined:
          return onAvailable(stanza, attempt);
        case "unavailable": {
          const guest = rooms.guestAt(bareOf(to), from);
          if (guest && isServerStopping(stanza)) deps.onUnreachable(guest);
          else if (guest) await departure.onUnavailable(guest, stanza);
          return;
        }
        case "error":
          await onError(stanza);
          return;
        case "subscribe":
          // Nobody has a room in the roster.
          await xmpp.send(xml("presence", { from: bareOf(to), to: bareOf(from), type: "unsubscribed" }));
          return;
        default:
          return;
      }
    },
  };
}
