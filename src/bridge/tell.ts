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

/**
 * A notice in the room, as a reply to the message that it is about.
 * @param to in words.
 */
export function notDelivered(
  to: string,
  sentence: string,
  detail: string | undefined,
  about: EventId,
): Content {
  const remark = detail && !sentence.includes(detail) ? ` (“${detail}”)` : "";
  return {
    msgtype: "m.notice",
    body: `Your message was not delivered to ${to}. ${sentence}${remark}`,
    "m.relates_to": { "m.in_reply_to": { event_id: about } },
  };
}

export interface TellDeps {
  addresses: Addresses;
  directRooms: DirectRooms;
  /** The room of an XMPP service that a Matrix room is linked with. */
  mucOf(roomId: RoomId): BareJid | undefined;
  /** Who speaks for the XMPP users that have entered a Matrix room; undefined where none have. */
  hostOf(roomId: RoomId): Promise<UserId | undefined>;
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
export function createFollowUps({ addresses, directRooms, mucOf, hostOf, isMuc }: TellDeps) {
  /** Who could not be reached, in words, and who says so; undefined where that is not to be said. */
  const farSideOf = async (event: MatrixEvent): Promise<{ to: string; ghost: UserId } | undefined> => {
    const { room_id: roomId, sender, type, state_key: stateKey } = event;
    const isOurs = sender === addresses.botUserId || addresses.isGhost(sender);
    if (isOurs || type === "m.room.member") return undefined;
    const muc = mucOf(roomId);
    if (muc) return { to: muc, ghost: addresses.botUserId };
    const host = await hostOf(roomId);
    if (host) return stateKey === undefined ? { to: "those who are here from XMPP", ghost: host } : undefined;
    const room = await directRooms.ofRoom(roomId);
    return room && { to: inWords(room.jid), ghost: addresses.ghostOf(room.jid) };
  };

  const ofEvent = async (event: MatrixEvent, told: string, failure: Failure, error: unknown) => {
    const { room_id: roomId, event_id: about, type } = event;
    const room = await farSideOf(event);
    if (!room) return [];
    const detail = error instanceof StanzaRefusedError ? error.error.text : undefined;
    const content =
      type === "m.room.redaction"
        ? { msgtype: "m.notice", body: `This was removed here only. ${failure.sentence}` }
        : notDelivered(room.to, failure.sentence, detail, about);
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
