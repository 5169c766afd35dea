/** Tells the sender of a message that it was given up, and why. */
import type { Addresses } from "../mapping/addresses.ts";
import type { Failure } from "../mapping/errors.ts";
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId, RoomId } from "../matrix/ids.ts";
import type { Job, NewJob } from "../store/store.ts";
import { StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import { errorReply, parseStanza, serialize } from "../xmpp/stanza.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { UndeliverableError } from "./failure.ts";

/** A notice in the room, as a reply to the message that it is about. */
export function notDelivered(
  jid: BareJid,
  sentence: string,
  detail: string | undefined,
  about: EventId,
): Content {
  const remark = detail && !sentence.includes(detail) ? ` (“${detail}”)` : "";
  return {
    msgtype: "m.notice",
    body: `Your message was not delivered to ${jid}. ${sentence}${remark}`,
    "m.relates_to": { "m.in_reply_to": { event_id: about } },
  };
}

export interface TellDeps {
  addresses: Addresses;
  directRooms: DirectRooms;
}

/** What all notices of a room about encryption have as their cause, so that one of them is enough for a while. */
export const encryptionCause = (roomId: RoomId): string => `encrypted/${roomId}`;

/** What all notices of a room about such events have as their cause; undefined where each is told about. */
function rareCause({ type, room_id: roomId }: MatrixEvent, error: unknown): string | undefined {
  if (type === "m.room.encrypted") return encryptionCause(roomId);
  return error instanceof UndeliverableError && error.isRare ? `${type}/${roomId}` : undefined;
}

/** The jobs that tell about one that is given up; none where nobody waits for word of it. */
export function createFollowUps({ addresses, directRooms }: TellDeps) {
  return async (job: Job, failure: Failure, error: unknown): Promise<NewJob[]> => {
    const cause = `${job.cause}/told`;
    if (job.work.kind === "event") {
      const { event } = job.work;
      const room = await directRooms.ofRoom(event.room_id);
      if (!room || event.type === "m.room.member") return [];
      const detail = error instanceof StanzaRefusedError ? error.error.text : undefined;
      const content = notDelivered(room.jid, failure.sentence, detail, event.event_id);
      const ghost = addresses.ghostOf(room.jid);
      const roomId = event.room_id;
      const lane = `tell ${roomId}`;
      const work = { kind: "notice", roomId, ghost, content } as const;
      const rare = rareCause(event, error);
      return [
        rare === undefined ? { lane, cause, work } : { lane, cause: rare, work: { ...work, rare: true } },
      ];
    }
    if (job.work.kind === "stanza") {
      const stanza = parseStanza(job.work.xml);
      if (stanza.attrs.type === "error" || !stanza.attrs.from) return [];
      const { type, condition, sentence: text } = failure;
      const xml = serialize(errorReply(stanza, { type, condition, text }));
      return [{ lane: `tell ${bareOf(stanza.attrs.from as Jid)}`, cause, work: { kind: "bounce", xml } }];
    }
    return [];
  };
}
