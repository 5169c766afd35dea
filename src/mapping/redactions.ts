/** Redactions: m.room.redaction (Client-Server API v1.15 §11.9) <-> XEP-0424 Message Retraction 0.4.2. */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { type Head, idInRoom, type KnownMessage } from "./references.ts";

/** What clients show that know no retractions. */
const words = "/me removed an earlier message, but your client cannot do that.";

/** A stanza for each part; only the first has the ID that errors go by. */
export const retractions = (head: Head, parts: readonly KnownMessage[]): Element[] =>
  parts.flatMap((part, index) => {
    const id = idInRoom(head.type, part) ?? part.messageId;
    if (id === undefined) return [];
    return [
      xml(
        "message",
        {
          type: head.type ?? "chat",
          from: head.from,
          to: head.to,
          id: index === 0 ? head.id : `part-${index}-${head.id}`,
        },
        xml("retract", { xmlns: NS.retract, id }),
        xml("fallback", { xmlns: NS.fallback, for: NS.retract }),
        xml("body", {}, words),
        xml("store", { xmlns: NS.hints }),
      ),
    ];
  });
