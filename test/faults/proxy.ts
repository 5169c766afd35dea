/** A TCP connection's bad days: a proxy on loopback that carries what it is given slowly, in crumbs, in part or not at all. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Weather {
  /** New connections are refused. */
  refuse?: boolean;
  /** Milliseconds that each piece takes. */
  latencyMs?: number;
  /** Pieces of so many bytes, a millisecond apart. */
  crumbs?: number;
  /** After so many bytes of an answer the connection is reset. */
  breakAnswerAfter?: number;
  /** What is carried meanwhile is gone, and the connection never carries anything again. */
  swallow?: boolean;
}

export interface Link {
  port: number;
  url: string;
  /** From now on, for connections that are open too. */
  weather(next: Weather): void;
  /** Resets every connection that is open. */
  cut(): void;
  close(): void;
}

/** @param target the port on loopback; asked for at each connection. */
export async function startProxy(target: () => number, port = 0): Promise<Link> {
  let now: Weather = {};
  const open = new Set<Socket>();
  /** Connections over which nothing comes any more. */
  const dead = new WeakSet<Socket>();

  const carry = (from: Socket, to: Socket, isAnswer: boolean): void => {
    let last = Promise.resolve();
    let answered = 0;
    /** How much of the chunk the answer's allowance still covers. */
    const allowed = (chunk: Buffer): Buffer => {
      const { breakAnswerAfter } = now;
      if (!isAnswer || breakAnswerAfter === undefined) return chunk;
      return chunk.subarray(0, Math.max(0, breakAnswerAfter - answered));
    };
    const write = async (part: Buffer): Promise<void> => {
      const size = now.crumbs ?? part.length;
      for (let at = 0; at < part.length; at += size) {
        if (to.writable) to.write(part.subarray(at, at + size));
        if (now.crumbs) await delay(1);
      }
    };
    const pass = async (chunk: Buffer): Promise<void> => {
      if (now.swallow) dead.add(from).add(to);
      if (dead.has(from)) return;
      if (now.latencyMs) await delay(now.latencyMs);
      const part = allowed(chunk);
      answered += part.length;
      await write(part);
      if (part === chunk) return;
      for (const socket of [from, to]) socket.resetAndDestroy();
    };
    from.on("data", (chunk: Buffer) => {
      last = last.then(() => pass(chunk));
    });
    from.on("end", () => {
      last = last.then(() => {
        if (!dead.has(from)) to.end();
      });
    });
    from.on("close", () => {
      open.delete(from);
      last = last.then(() => {
        if (!dead.has(from)) to.destroy();
      });
    });
    from.on("error", () => undefined);
  };

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (now.refuse) return void socket.on("error", () => undefined).resetAndDestroy();
    const far = connect({ port: target(), host: "127.0.0.1", allowHalfOpen: true });
    for (const one of [socket, far]) open.add(one.setNoDelay(true));
    carry(socket, far, false);
    carry(far, socket, true);
  });
  server.listen({ port, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  const { port: used } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: used,
    url: `http://127.0.0.1:${used}`,
    weather: (next) => {
      now = next;
    },
    cut,
    close() {
      server.close();
      cut();
    },
  };
}
