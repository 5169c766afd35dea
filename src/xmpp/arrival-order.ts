/**
 * Puts callbacks back into the order in which Prosody sent them. Each comes on a connection of its own, and
 * Prosody writes to them in any order, but it opens them in the right one (docs/servers.md, "Order").
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

interface Entry {
  acceptedAt: number;
  /** Set once the request is here; until then nobody knows what the connection will bring. */
  release?: (stillThere: boolean) => void;
}

export interface ArrivalOrder {
  watch(server: Server): void;
  /**
   * Calls `work` when every connection accepted before this one has delivered, closed or been passed over: with
   * true, or with false where this one closed while it waited, so that Prosody has told the sender of a failure.
   * Several calls that come due together are made one after the other, which promises alone would not ensure.
   */
  turn<T>(socket: Socket, work: (stillThere: boolean) => Promise<T>): Promise<T>;
  /** The connection brings something else: nobody has to wait for it. */
  ignore(socket: Socket): void;
}

export interface ArrivalOrderDeps {
  now: () => number;
  /** In a flood Prosody may send a request more than a second after it has opened the connection. */
  maxWaitMs?: number;
}

export function createArrivalOrder({ now, maxWaitMs = 30_000 }: ArrivalOrderDeps): ArrivalOrder {
  /** In the order of acceptance. */
  const entries = new Map<Socket, Entry>();
  /** Where callbacks come from; once known, connections from elsewhere hold nobody up. */
  const callers = new Set<string | undefined>();
  let timer: NodeJS.Timeout | undefined;

  const drain = (): void => {
    clearTimeout(timer);
    for (const [socket, { acceptedAt, release }] of entries) {
      if (!release) {
        const foreign = callers.size > 0 && !callers.has(socket.remoteAddress);
        const left = acceptedAt + maxWaitMs - now();
        if (!foreign && left > 0) {
          timer = setTimeout(drain, left).unref();
          return;
        }
      }
      entries.delete(socket);
      release?.(true);
    }
  };

  const ignore = (socket: Socket): void => {
    const entry = entries.get(socket);
    if (!entry) return;
    entries.delete(socket);
    entry.release?.(false);
    drain();
  };

  return {
    watch(server) {
      server.on("connection", (socket) => {
        entries.set(socket, { acceptedAt: now() });
        socket.once("close", () => ignore(socket));
      });
    },
    turn: (socket, work) =>
      new Promise((resolve) => {
        const release = (stillThere: boolean): void => resolve(work(stillThere));
        callers.add(socket.remoteAddress);
        const acceptedAt = entries.get(socket)?.acceptedAt ?? now();
        entries.set(socket, { acceptedAt, release });
        drain();
      }),
    ignore,
  };
}
