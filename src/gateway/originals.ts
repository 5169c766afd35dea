/** What guests have said, as they said it, until the homeserver hands it back and all guests hear it so. */
import { LRUCache } from "lru-cache";
import { causeKey } from "../matrix/client.ts";
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId } from "../matrix/ids.ts";
import type { Element } from "../xmpp/stanza.ts";

export interface Originals {
  /**
   * @param txnId under which the event is sent that stands for it.
   * @param message undefined where another event stands for it already.
   */
  keep(txnId: string, message: Element | undefined): void;
  /** What a state event says of its transaction, as all others do. */
  mark(txnId: string): Content;
  /** Undefined for events of others, and of earlier runs. */
  of(event: MatrixEvent): { message: Element | undefined } | undefined;
  /** The guests know of the event, or of what it takes away, by other means. */
  hush(eventId: EventId): void;
  /** What was to become of it has not. */
  unhush(eventId: EventId): void;
  isHushed(eventId: EventId | undefined): boolean;
}

const most = 5000;

export function createOriginals(): Originals {
  const kept = new LRUCache<string, { message: Element | undefined }>({ max: most });
  const hushed = new LRUCache<EventId, true>({ max: most });
  return {
    keep: (txnId, message) => void kept.set(txnId, { message }),
    mark: (txnId) => ({ [causeKey]: txnId }),
    of: ({ content }) => kept.get(String(content[causeKey])),
    hush: (eventId) => void hushed.set(eventId, true),
    unhush: (eventId) => void hushed.delete(eventId),
    isHushed: (eventId) => eventId !== undefined && hushed.has(eventId),
  };
}
