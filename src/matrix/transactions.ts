/** Events and ephemeral data as the homeserver pushes them: Application Service API v1.15, "Pushing events". */
import { createHash } from "node:crypto";
import type { RequestHandler } from "express";
import { LRUCache } from "lru-cache";
import type { Log } from "../ops/log.ts";
import { type Ephemeral, parseEphemeral } from "./ephemeral.ts";
import { isObject, type MatrixEvent, parseEvent } from "./event.ts";
import { refuse } from "./http-api.ts";
import type { UserId } from "./ids.ts";

export interface TransactionsDeps {
  log: Log;
  /** Whether a user is the bridge's bot or one of its ghosts. */
  isOurs(userId: UserId): boolean;
  /** Resolves once every event that matters is stored; rejects if it cannot be. */
  accept(transaction: { id: string; digest: string; events: MatrixEvent[] }): Promise<void>;
  /** Told after the answer, and once for a transaction that is repeated; worth something only now. */
  onEphemeral(items: readonly Ephemeral[]): void;
  /** The homeserver talks over a connection that it has not used before: it may have been restarted. */
  onNewConnection(): void;
  /** Unix time in milliseconds. */
  now(): number;
}

/** Events that are older have waited for the bridge, and with them whatever comes along. */
const lateMs = 60_000;
/** A homeserver that works off what it has kept does not pause for longer between two transactions. */
const pauseMs = 5000;

const digestOf = (texts: readonly string[]): string =>
  createHash("sha256").update(texts.join("\n")).digest("base64url");

/** Remembers in memory only: after a restart of the bridge a repeat does no harm. */
function createRepeats(): { isRepeat(id: string, items: readonly Ephemeral[]): boolean } {
  const seen = new LRUCache<string, true>({ max: 1000 });
  return {
    isRepeat(id, items) {
      // Some homeservers count from 1 again, so the ID alone names no transaction.
      const key = digestOf([id, JSON.stringify(items)]);
      const known = seen.has(key);
      seen.set(key, true);
      return known;
    },
  };
}

/**
 * Tells what a homeserver has kept while the bridge was away from what happens now. Of ephemeral data nothing says how
 * old it is, so the newest event counts that came along or just before.
 */
function createBacklog(now: () => number): { includes(events: readonly MatrixEvent[]): boolean } {
  let [isLate, at] = [false, 0];
  return {
    includes(events) {
      const time = now();
      if (events.length > 0) {
        at = time;
        isLate = time - Math.max(...events.map(({ origin_server_ts: sentAt }) => sentAt)) > lateMs;
      }
      return isLate && Math.abs(time - at) < pauseMs;
    },
  };
}

/** Who typed or was there yesterday is no news; what has been read stays read. */
const isStillTrue = (item: Ephemeral): boolean =>
  item.kind === "receipt" || (item.kind === "typing" && item.userIds.length === 0);

export function transactions(deps: TransactionsDeps): RequestHandler {
  const { accept, isOurs, onEphemeral, onNewConnection, log, now } = deps;
  const connections = new WeakSet<object>();
  const repeats = createRepeats();
  const backlog = createBacklog(now);
  return async (req, res) => {
    const id = String(req.params.txnId);
    const body: unknown = req.body;
    if (!connections.has(req.socket)) {
      connections.add(req.socket);
      onNewConnection();
    }
    if (body === undefined) return refuse(res, 400, "M_NOT_JSON", "A transaction has a JSON body.");
    if (!isObject(body)) return refuse(res, 400, "M_BAD_JSON", "A transaction is a JSON object.");
    if (body.events !== undefined && !Array.isArray(body.events)) {
      return refuse(res, 400, "M_BAD_JSON", "`events` is an array.");
    }
    const given: unknown[] = body.events ?? [];
    // Refusing the whole would make the homeserver send the same again for ever, and nothing after it.
    const events = given.map(parseEvent).filter((event) => event !== undefined);
    const malformed = given.length - events.length;
    if (malformed > 0) log.warn("left out malformed events", { txn: id, events: malformed });
    await accept({ id, digest: digestOf(events.map(({ event_id }) => event_id)), events });
    res.status(200).json({});

    const isOld = backlog.includes(events);
    const items = parseEphemeral(body, isOurs).filter((item) => !isOld || isStillTrue(item));
    if (items.length === 0 || repeats.isRepeat(id, items)) return;
    try {
      onEphemeral(items);
    } catch (error) {
      log.error("ephemeral data was not handled", { txn: id, error });
    }
  };
}
