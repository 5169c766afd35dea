/** One request of a homeserver to the push gateway: what each device gets, and what the homeserver is answered. */
import { failureOf } from "../bridge/failure.ts";
import { createLocks } from "../bridge/locks.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { StanzaErrorShape } from "../mapping/errors.ts";
import { bodyOf, type Notification, noteStanza } from "../mapping/notifications.ts";
import type { Device, PushAnswer, PushRequest } from "../matrix/push-gateway.ts";
import type { Log } from "../ops/log.ts";
import type { PushDeliveries, PushKey } from "../store/store.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { StanzaError } from "../xmpp/stanza.ts";
import type { Keys } from "./keys.ts";
import type { Unread } from "./unread.ts";

export interface DeliveryDeps {
  keys: Keys;
  deliveries: PushDeliveries;
  unread: Unread;
  xmpp: XmppClient;
  bridgeJid: BareJid;
  /** The same for the same two, and for no others. */
  stanzaId(eventId: string, digest: string): string;
  limits: { key: RateLimit; address: RateLimit; counts: RateLimit; unknown: RateLimit };
  log: Log;
  now: () => number;
}

export interface Delivery {
  notify(request: PushRequest, source: string): Promise<PushAnswer>;
  /** A message of the bridge itself came back as an error. */
  refused(stanzaId: string, from: BareJid, error: StanzaError): Promise<void>;
}

type Served =
  | { kind: "served" | "rejected" }
  | { kind: "limited"; ms: number }
  /** `down` where it is no use to go on with other devices. */
  | { kind: "later"; problem: string; down: boolean };

const served: Served = { kind: "served" };
const rejection: Served = { kind: "rejected" };

/** There is no such address, and there will be none. */
const lasting: ReadonlySet<StanzaErrorShape["condition"]> = new Set([
  "item-not-found",
  "gone",
  "jid-malformed",
]);

/**
 * Other refusals can have passing reasons: "service-unavailable" is what a server says of an account that does not
 * exist, and of one that is offline or blocks the bridge (RFC 6121 §8.5, XEP-0191). A week of nothing else is enough.
 */
const patienceMs = 7 * 24 * 60 * 60 * 1000;

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { keys, deliveries, unread, xmpp, bridgeJid, limits, log, now } = deps;
  const locks = createLocks();

  const end = async (pushKey: PushKey, reason: string): Promise<void> => {
    await keys.end(pushKey, reason);
    log.warn("notifications to an address have ended", { jid: pushKey.jid, owner: pushKey.owner, reason });
  };

  /** @returns whether the key has ended with this. */
  const noteRefusal = async (id: string, pushKey: PushKey, error: StanzaError): Promise<boolean> => {
    const { jid, digest } = pushKey;
    log.warn("a notification was refused", { jid, id, ...error });
    const { condition, sentence, retry } = failureOf(new StanzaRefusedError(error));
    if (lasting.has(condition)) {
      await end(pushKey, sentence);
      return true;
    }
    if (retry) return false;
    await deliveries.note(id, digest, "refused");
    const since = await deliveries.refusedSince(digest);
    if (since === undefined || now() - since < patienceMs) return false;
    await end(pushKey, `Everything was refused for a week. ${sentence}`);
    return true;
  };

  const send = async (id: string, pushKey: PushKey, body: string): Promise<Served> => {
    const { jid, digest } = pushKey;
    try {
      await xmpp.send(noteStanza(body, { from: bridgeJid, to: jid, id }));
      log.info("delivered a notification to XMPP", { jid, id });
    } catch (error) {
      if (error instanceof StanzaRefusedError) {
        const ended = await noteRefusal(id, pushKey, error.error);
        if (ended) return rejection;
        return { kind: "later", problem: "The XMPP side does not take this now.", down: false };
      }
      const { retry } = failureOf(error);
      if (retry) {
        log.warn("a notification has to wait", { jid, id, error });
        return { kind: "later", problem: "The XMPP side cannot be reached now.", down: true };
      }
      // The homeserver would repeat it for a day and hold back all that follows.
      log.error("a notification was given up", { jid, id, error });
    }
    await deliveries.note(id, digest, "taken");
    return served;
  };

  const overLimit = async ({ digest, jid }: PushKey): Promise<Served | undefined> => {
    const wait = (await limits.key.take(digest)) ?? (await limits.address.take(jid));
    return wait === undefined ? undefined : { kind: "limited", ms: wait };
  };

  /** Worth something only now, so neither waited for nor part of the answer. */
  const noteCount = async (pushKey: PushKey, count: number): Promise<void> => {
    try {
      if ((await limits.counts.take(pushKey.digest)) === undefined) await unread.note(pushKey, count);
    } catch (error) {
      log.warn("a number of unread messages was not noted", { jid: pushKey.jid, error });
    }
  };

  const serve = async (device: Device, notification: Notification, source: string): Promise<Served> => {
    const pushKey = await keys.find(device.pushKey);
    if (!pushKey) {
      const wait = await limits.unknown.take(source);
      return wait === undefined ? rejection : { kind: "limited", ms: wait };
    }
    if (!keys.works(pushKey)) return rejection;
    const { eventId, unread: count } = notification;
    if (count !== undefined) void noteCount(pushKey, count);
    if (eventId === undefined) return served;
    const id = deps.stanzaId(eventId, pushKey.digest);
    return locks.run(id, async () => {
      if (await deliveries.isDone(id)) return served;
      return (await overLimit(pushKey)) ?? send(id, pushKey, bodyOf(notification, device));
    });
  };

  return {
    async notify({ notification, devices }, source) {
      const rejected: string[] = [];
      let limited: PushAnswer | undefined;
      let later: PushAnswer | undefined;
      for (const device of new Map(devices.map((one) => [one.pushKey, one])).values()) {
        const outcome = await serve(device, notification, source);
        if (outcome.kind === "rejected") {
          rejected.push(device.pushKey);
          log.debug("rejected a push key that does not work", { from: source });
        }
        if (outcome.kind === "limited") limited = { kind: "limited", retryAfterMs: outcome.ms };
        if (outcome.kind === "later") {
          later = { kind: "later", problem: outcome.problem };
          if (outcome.down) break;
        }
      }
      return later ?? limited ?? { kind: "taken", rejected };
    },

    async refused(id, from, error) {
      const digest = await deliveries.keyOf(id);
      const pushKey = digest === undefined ? undefined : await keys.ofDigest(digest);
      // Only the address itself, or its server in its name, can say that it is not there.
      if (!pushKey || pushKey.jid !== from || pushKey.ended !== undefined) {
        return log.debug("an error came for something that the bridge itself had sent", {
          from,
          id,
          ...error,
        });
      }
      await noteRefusal(id, pushKey, error);
    },
  };
}
