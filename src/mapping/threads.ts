/** Threads: m.thread (Client-Server API v1.15 §11.10.1.4) <-> `<thread/>` (RFC 6121 §5.2.5, XEP-0201 1.0). */
import type { Content } from "../matrix/event.ts";
import type { EventId } from "../matrix/ids.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { idInRoom, type KnownMessage } from "./references.ts";

/** The thread goes by the ID of the message that it begins with, as XMPP calls it where it knows it. */
export function inThread(stanza: Element, rootId: EventId, root: KnownMessage | undefined): Element {
  stanza.append(xml("thread", {}, idInRoom(stanza.attrs.type, root) ?? root?.messageId ?? rootId));
  return stanza;
}

/** What a message belongs to and answers, as `m.relates_to`; undefined for one that stands for itself. */
export function relationTo({
  thread,
  repliesTo,
}: {
  thread?: EventId;
  repliesTo?: EventId;
}): Content | undefined {
  if (thread) {
    return {
      rel_type: "m.thread",
      event_id: thread,
      // "Fallback for unthreaded clients"
      is_falling_back: repliesTo === undefined,
      "m.in_reply_to": { event_id: repliesTo ?? thread },
    };
  }
  return repliesTo && { "m.in_reply_to": { event_id: repliesTo } };
}
