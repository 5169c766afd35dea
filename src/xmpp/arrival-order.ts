/**
 * Puts callbacks back into the order in which Prosody sent them. Each comes on a connection of its own, and
 * Prosody writes to them in any order, but it opens them in the right one (docs/servers.md, "Order").
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

interface Entry {
  /** Set once the request is here; until then nobody knows what the connection will bring. */
  arrived?: { at: number; release: (stillThere: boolean) => void };
}

export interface ArrivalOrder {
  watch(server: Server): void;
  /**
   * Calls `work` when every connection accepted before this one has delivered, closed or been passed over, as it is
   * when a later one has waited for it too long: with true, or with false where this one closed while it waited, so
   * that Prosody has told the sender of a failure.
   * Several calls that come due together are made one after the other, which promises alone would not ensure.
   */
  turn<T>(socket: Socket, work: (stillThere: boolean) => Promise<T>): Promise<T>;
  /** The connection brings something else: nobody has to wait for it, unless a callback came before that. */
  ignore(socket: Socket): void;
}

export interface ArrivalOrderDeps {
  /** Milliseconds from whenever: a clock that nobody sets. */
  now: () => number;
  /**
   * How long a callback waits for connections before its own. In a flood Prosody sends a request more than a second
   * after it has opened the connection, but within milliseconds of the requests that overtake it.
   */
  maxWaitMs?: number;
  /** Told of each turn: how long it waited for earlier connections, undefined where it did not have to. */
  onTurn?: (waitedMs: number | undefined, stillThere: boolean) => void;
  /** Told of each connection that was waited for too long. */
  onPassedOver?: () => void;
}

export function createArrivalOrder(deps: ArrivalOrderDeps): ArrivalOrder {
  const { now, maxWaitMs = 5000, onTurn, onPassedOver } = deps;
  /** In the order of acceptance. */
  const entries = new Map<Socket, Entry>();
  /** Those whose request is here, in the order in which it came. */
  const waiting = new Set<Entry>();
  /** Where callbacks come from; once known, connections from elsewhere hold nobody up. */
  const callers = new Set<string | undefined>();
  let timed = false;

  const mustWaitFor = (socket: Socket, pass: boolean): boolean => {
    const [first] = waiting;
    if (!first?.arrived) return true;
    if (callers.size > 0 && !callers.has(socket.remoteAddress)) return false;
    const left = first.arrived.at + maxWaitMs - now();
    if (left <= 0 && pass) return false;
    // After a time in which this process was busy, what has come in meanwhile is read first.
    if (!timed) setTimeout(() => setImmediate(passOver), left).unref();
    timed = true;
    return true;
  };

  /** @param pass whether connections that were waited for too long are passed over. */
  const drain = (pass = false): void => {
    for (const [socket, entry] of entries) {
      if (!entry.arrived && mustWaitFor(socket, pass)) return;
      if (!entry.arrived && callers.has(socket.remoteAddress)) onPassedOver?.();
      entries.delete(socket);
      waiting.delete(entry);
      entry.arrived?.release(true);
    }
  };

  const passOver = (): void => {
    timed = false;
    drain(true);
  };

  const drop = (socket: Socket): void => {
    const entry = entries.get(socket);
    if (!entry) return;
    entries.delete(socket);
    waiting.delete(entry);
    entry.arrived?.release(false);
    drain();
  };

  return {
    watch(server) {
      server.on("connection", (socket) => {
        entries.set(socket, {});
        socket.once("close", () => drop(socket));
      });
    },
    turn: (socket, work) =>
      new Promise((resolve) => {
        callers.add(socket.remoteAddress);
        const entry = entries.get(socket) ?? {};
        let hasToWait = false;
        // Requests that were sent without waiting for answers have their turn together.
        const { at = now(), release: before } = entry.arrived ?? {};
        entry.arrived = {
          at,
          release: (stillThere) => {
            before?.(stillThere);
            onTurn?.(hasToWait ? now() - at : undefined, stillThere);
            resolve(work(stillThere));
          },
        };
        entries.set(socket, entry);
        waiting.add(entry);
        drain();
        hasToWait = true;
      }),
    ignore(socket) {
      if (!entries.get(socket)?.arrived) drop(socket);
    },
  };
}
