/** Tells the sender of a message that it was given up, and why. */
import type { Addresses } from "../mapping/addresses.ts";
import type { Failure } from "../mapping/errors.ts";
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { Job, NewJob } from "../store/store.ts";
import { StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, bareOf, isFullJid, type Jid } from "../xmpp/jid.ts";
import { type Element, errorReply, parseStanza, serialize } from "../xmpp/stanza.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { UndeliverableError } from "./failure.ts";

/** A JID for people: nobody should have to read the key of an occupant. */
export const inWords = (jid: Jid): string => (isFullJid(jid) ? `this occupant of ${bareOf(jid)}` : jid);

/** A notice in the room, as a reply to the message that it is about. */
export function notDelivered(to: Jid, sentence: string, detail: string | undefined, about: EventId): Content {
  const remark = detail && !sentence.includes(detail) ? ` (“${detail}”)` : "";
  return {
    msgtype: "m.notice",
    body: `Your message was not delivered to ${inWords(to)}. ${sentence}${remark}`,
    "m.relates_to": { "m.in_reply_to": { event_id: about } },
  };
}

export interface TellDeps {
  addresses: Addresses;
  directRooms: DirectRooms;
  /** The room of an XMPP service that a Matrix room is linked with. */
  mucOf(roomId: RoomId): BareJid | undefined;
  isMuc(jid: BareJid): boolean;
}

/** What all notices of a room about encryption have as their cause, so that one of them is enough for a while. */
export const encryptionCause = (roomId: RoomId): string => `encrypted/${roomId}`;

/** What all notices of a room about such events have as their cause; undefined where each is told about. */
function rareCause({ type, room_id: roomId }: MatrixEvent, error: unknown): string | undefined {
  if (type === "m.room.encrypted") return encryptionCause(roomId);
  return error instanceof UndeliverableError && error.isRare ? `${type}/${roomId}` : undefined;
}

/** The jobs that tell about one that is given up; none where nobody waits for word of it. */
export function createFollowUps({ addresses, directRooms, mucOf, isMuc }: TellDeps) {
  /** Who could not be reached, and who says so. */
  const farSideOf = async (roomId: RoomId): Promise<{ jid: Jid; ghost: UserId } | undefined> => {
    const muc = mucOf(roomId);
    if (muc) return { jid: muc, ghost: addresses.botUserId };
    const room = await directRooms.ofRoom(roomId);
    return room && { jid: room.jid, ghost: addresses.ghostOf(room.jid) };
  };

  const ofEvent = async (event: MatrixEvent, told: string, failure: Failure, error: unknown) => {
    const { room_id: roomId, event_id: about, type } = event;
    const room = await farSideOf(roomId);
    if (!room || type === "m.room.member") return [];
    const detail = error instanceof StanzaRefusedError ? error.error.text : undefined;
    const content =
      type === "m.room.redaction"
        ? { msgtype: "m.notice", body: `This was removed here only. ${failure.sentence}` }
        : notDelivered(room.jid, failure.sentence, detail, about);
    const lane = `tell ${roomId}`;
    const work = { kind: "notice", roomId, ghost: room.ghost, content } as const;
    const rare = rareCause(event, error);
    return [
      rare === undefined
        ? { lane, cause: told, work }
        : { lane, cause: rare, work: { ...work, rare: true as const } },
    ];
  };

  const ofStanza = (
    stanza: Element,
    told: string,
    { type, condition, sentence: text }: Failure,
  ): NewJob[] => {
    if (stanza.attrs.type === "error" || !stanza.attrs.from) return [];
    // A room takes an error from an occupant for their leaving.
    if (isMuc(bareOf(stanza.attrs.from as Jid))) return [];
    const xml = serialize(errorReply(stanza, { type, condition, text }));
    const lane = `tell ${bareOf(stanza.attrs.from as Jid)}`;
    return [{ lane, cause: told, work: { kind: "bounce", xml } }];
  };

  return async ({ cause, work }: Job, failure: Failure, error: unknown): Promise<NewJob[]> => {
    const told = `${cause}/told`;
    if (work.kind === "event") return ofEvent(work.event, told, failure, error);
    return work.kind === "stanza" ? ofStanza(parseStanza(work.xml), told, failure) : [];
  };
}
