/** What newcomers are shown of what was said before they came: XEP-0045 1.35 §7.2.13, with XEP-0203. */
import { type HistoryWish, readHistoryWish, withStamp } from "../mapping/hosted-stanzas.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { type Element, serialize } from "../xmpp/stanza.ts";
import type { HostedRoom } from "./hosted-room.ts";

export interface HistoryDeps {
  matrix: Pick<MatrixClient, "history">;
  /** At most. */
  messages: number;
  now: () => number;
}

export interface History {
  /** Without `to`, oldest first. */
  stanzas: Element[];
  /** What need not be told once more when the homeserver hands it over. */
  known: Set<EventId>;
  /** Who has spoken, the last one first. */
  speakers: UserId[];
}

export type ReadHistory = ReturnType<typeof createHistory>;

const types = ["m.room.message", "m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start"];

export function createHistory({ matrix, messages, now }: HistoryDeps) {
  const fits = ({ since }: HistoryWish, { origin_server_ts: sentAt }: MatrixEvent): boolean =>
    since === undefined || sentAt >= since;

  /** @param join as it came, with what its sender wishes. */
  return async (room: HostedRoom, reader: UserId, address: BareJid, join: Element): Promise<History> => {
    const wish = readHistoryWish(join, now());
    const limit = Math.min(messages, wish.maxStanzas ?? messages);
    const none: History = { stanzas: [], known: new Set(), speakers: [] };
    if (limit === 0 || wish.maxChars === 0) return none;
    const { events } = await matrix.history(reader, room.roomId, { dir: "b", limit, filter: { types } });
    const newestFirst: Element[][] = [];
    let [stanzas, characters] = [0, 0];
    for (const event of events) {
      const said = fits(wish, event) ? await room.archived(event, address, reader) : [];
      const stamped = said.map((stanza) => withStamp(stanza, address, event.origin_server_ts));
      stanzas += stamped.length;
      characters += stamped.reduce((sum, stanza) => sum + serialize(stanza).length, 0);
      if (stanzas > limit || characters > (wish.maxChars ?? Number.POSITIVE_INFINITY)) break;
      newestFirst.push(stamped);
    }
    return {
      stanzas: newestFirst.reverse().flat(),
      known: new Set(events.map(({ event_id }) => event_id)),
      speakers: [...new Set(events.map(({ sender }) => sender))],
    };
  };
}
