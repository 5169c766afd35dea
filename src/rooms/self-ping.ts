/** Whether somebody of ours is still in a room that has said nothing about it: XEP-0410 1.1. */
import type { UserId } from "../matrix/ids.ts";
import { IqTimeoutError, IqUnansweredError, RestError, StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, type FullJid, fullJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { xml } from "../xmpp/stanza.ts";

export interface SelfPingDeps {
  requests: Pick<IqRequests, "request">;
  jidOf(userId: UserId): FullJid;
}

export type Whereabouts = "in" | "out" | "unknown";

/** §3: what only the own client answers, or a room that has passed the ping on. */
const inside = new Set(["service-unavailable", "feature-not-implemented"]);
/** Says something about the way there, not about the room. */
const unclear = new Set([
  "remote-server-not-found",
  "remote-server-timeout",
  "resource-constraint",
  "recipient-unavailable",
]);

function whereaboutsOf(error: unknown): Whereabouts {
  if (error instanceof StanzaRefusedError) {
    const { condition } = error.error;
    if (inside.has(condition)) return "in";
    return unclear.has(condition) ? "unknown" : "out";
  }
  const isUnanswered = [IqTimeoutError, IqUnansweredError, RestError].some((kind) => error instanceof kind);
  if (isUnanswered) return "unknown";
  throw error;
}

export const createSelfPing =
  ({ requests, jidOf }: SelfPingDeps) =>
  async (muc: BareJid, userId: UserId, nick: string): Promise<Whereabouts> => {
    const payload = xml("ping", { xmlns: NS.ping });
    try {
      await requests.request({ from: jidOf(userId), to: fullJid(muc, nick), payload, timeoutSeconds: 20 });
      return "in";
    } catch (error) {
      return whereaboutsOf(error);
    }
  };
