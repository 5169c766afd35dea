/** What happens in a hosted room on Matrix, as its guests are told of it: XEP-0045 1.35. */
import type { Crossing } from "../bridge/crossing.ts";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { roomChanged, subjectMessage } from "../mapping/hosted-stanzas.ts";
import { referencesOfEvent } from "../mapping/references.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import { fullJid } from "../xmpp/jid.ts";
import { copyOf, type Element, xml } from "../xmpp/stanza.ts";
import type { HostedRoom } from "./hosted-room.ts";
import type { GuestRooms } from "./hosted-rooms.ts";
import type { MemberEvents } from "./member-events.ts";
import type { Moving } from "./moving.ts";
import type { Occupancy } from "./occupancy.ts";
import type { Originals } from "./originals.ts";
import type { Said } from "./said.ts";

export interface RoomEventsDeps {
  addresses: Addresses;
  rooms: GuestRooms;
  occupancy: Occupancy;
  said: Said;
  originals: Originals;
  members: MemberEvents;
  moving: Moving;
  /** Events that a guest has been shown as history. */
  known: WeakMap<Guest, Set<EventId>>;
  log: Log;
}

/** §10.2.1: what of the configuration guests can see. */
const configuration = new Set([
  "m.room.name",
  "m.room.avatar",
  "m.room.canonical_alias",
  "m.room.guest_access",
]);
const changed = 104;
const [logged, notLogged] = [170, 171];

export function createRoomEvents(deps: RoomEventsDeps) {
  const { addresses, rooms, occupancy, said, originals, members, moving, known, log } = deps;

  const tellChange = (room: HostedRoom, cause: string, statuses: readonly number[]): Promise<void> =>
    room.broadcast((to, { address }) => roomChanged(address, to, statuses), cause);

  /** Whoever speaks is seen to be there, in rooms that are too large for all to be shown. */
  const showSpeaker = async (room: HostedRoom, sender: UserId, cause: string): Promise<void> => {
    if ((await room.shown()).has(sender)) return;
    const member = (await room.state()).members.get(sender);
    if (member?.membership === "join")
      await occupancy.announce(room.roomId, sender, { cause: `${cause} sender` });
  };

  const onTopic = async (room: HostedRoom, event: MatrixEvent): Promise<void> => {
    const nick = await room.nickOf(event.sender);
    const topic = readString(event.content, "topic") ?? "";
    const id: string | undefined = addresses.isGhost(event.sender)
      ? originals.of(event)?.message?.attrs.id
      : undefined;
    await room.broadcast(
      (to, { address }) => subjectMessage(fullJid(address, nick), to, topic, id ?? event.event_id),
      event.event_id,
    );
  };

  const onRanks = async (room: HostedRoom, event: MatrixEvent): Promise<void> => {
    for (const userId of [...(await room.shown()).keys()]) {
      await occupancy.announce(room.roomId, userId, { cause: event.event_id });
    }
  };

  const onEncryption = (room: HostedRoom, event: MatrixEvent): Promise<void> => {
    const body =
      "This room is encrypted from now on. The bridge cannot read what is said in it, so nothing more of it will come here.";
    return room.broadcast(
      (to, { address }) =>
        xml("message", { type: "groupchat", from: address, to, id: event.event_id }, xml("body", {}, body)),
      event.event_id,
    );
  };

  /** Whether a guest has been shown it already, as history. */
  const isKnown = (guest: Guest, { event_id: eventId }: MatrixEvent): boolean =>
    known.get(guest)?.has(eventId) ?? false;

  /** What a guest has said comes back as they have said it. */
  const reflect = async (room: HostedRoom, event: MatrixEvent, message: Element): Promise<void> => {
    const { event_id: stanzaId, sender } = event;
    const nick = await room.nickOf(sender);
    await room.broadcast((to, guest) => {
      const way = { from: fullJid(guest.address, nick), to, sender, stanzaId };
      return isKnown(guest, event) ? undefined : said.reflected(message, room, way);
    }, stanzaId);
  };

  const addressed = (to: string, stanza: Element): Element => {
    const copy = copyOf(stanza);
    copy.attrs.to = to;
    return copy;
  };

  const translate = async (room: HostedRoom, event: MatrixEvent): Promise<void> => {
    const { event_id: cause, type } = event;
    const { historyVisibility } = await room.state();
    // What is quoted was said before some of them came, which not everybody may see.
    const isSame = historyVisibility === "shared" || historyVisibility === "world_readable";
    const keyOf = ({ address, ghost }: Guest): string => (isSame ? address : `${address} ${ghost}`);
    const crossings = new Map<string, Crossing>();
    for (const guest of room.guests()) {
      const { address, ghost } = guest;
      if (!crossings.has(keyOf(guest)))
        crossings.set(keyOf(guest), await said.of(event, room, address, ghost));
    }
    await room.broadcast((to, guest) => {
      const crossing = crossings.get(keyOf(guest));
      if (crossing?.kind !== "stanzas" || isKnown(guest, event)) return undefined;
      return crossing.stanzas.map((stanza) => addressed(to, stanza));
    }, cause);
    for (const crossing of crossings.values()) {
      if (crossing.kind === "stanzas") await crossing.sent?.();
      else log.debug("left out of a hosted room", { cause, type, room: room.roomId, kind: crossing.kind });
    }
    const refused = [...crossings.values()].find(({ kind }) => kind === "refused");
    if (refused?.kind === "refused")
      throw new UndeliverableError("cancel", "feature-not-implemented", refused.sentence, refused);
  };

  const onMessage = async (room: HostedRoom, event: MatrixEvent): Promise<void> => {
    const { sender, type } = event;
    const isGuests = addresses.isGhost(sender);
    // What guests react to and take back, the others have heard already.
    const isHeard = type === "m.reaction" || originals.isHushed(referencesOfEvent(event).redacts);
    if (isGuests && isHeard) return;
    await showSpeaker(room, sender, event.event_id);
    const original = isGuests ? originals.of(event) : undefined;
    if (!original) await translate(room, event);
    else if (original.message) await reflect(room, event, original.message);
  };

  return async (event: MatrixEvent): Promise<void> => {
    const room = rooms.of(event.room_id);
    const { event_id: cause, type } = event;
    if (event.state_key === undefined) return onMessage(room, event);
    if (type === "m.room.member") return members(room, event);
    if (event.state_key !== "") return;
    switch (type) {
      case "m.room.topic":
        return onTopic(room, event);
      case "m.room.power_levels":
        return onRanks(room, event);
      case "m.room.tombstone":
        return moving.onTombstone(room, event);
      case "m.room.encryption":
        return onEncryption(room, event);
      case "m.room.history_visibility": {
        const visibility = readString(event.content, "history_visibility");
        const isLogged = visibility === "shared" || visibility === "world_readable";
        return tellChange(room, cause, [isLogged ? logged : notLogged]);
      }
      case "m.room.join_rules":
        await tellChange(room, cause, [changed]);
        // Those who are in a room that is not for everybody are members.
        return onRanks(room, event);
      default:
        if (configuration.has(type)) await tellChange(room, cause, [changed]);
    }
  };
}
