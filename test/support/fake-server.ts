/** What both stand-ins share: an HTTP server on one port that can be told to fail, and goes down and up again. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

export interface SeenRequest {
  method: string;
  /** Decoded no further than the URL itself, and without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
  /** The body as it came. */
  bytes: Buffer;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/**
 * Instead of the usual answer: another one, a connection that breaks before anything is done, or after it is done.
 * Without a status the request is handled as ever, only answered late.
 */
export type Fault = (Partial<Answer> & { delayMs?: number }) | "reset" | "process-then-reset" | undefined;

export interface FakeServer {
  url: string;
  /** Every request that came, faulty ones included, oldest first. */
  requests: SeenRequest[];
  /** Decides over each request from now on; the newest such function counts alone. */
  respond(decide: (request: SeenRequest) => Fault): void;
  /** On the same port as before. */
  start(): Promise<void>;
  /** Breaks every connection off. */
  stop(): Promise<void>;
}

export async function startFakeServer(
  handle: (request: SeenRequest) => Promise<Answer>,
): Promise<FakeServer> {
  let decide: (request: SeenRequest) => Fault = () => undefined;
  const requests: SeenRequest[] = [];
  let server: Server | undefined;

  const answerTo = async (request: SeenRequest): Promise<Answer | undefined> => {
    const fault = decide(request);
    if (fault === "reset") return undefined;
    if (fault === "process-then-reset") {
      await handle(request);
      return undefined;
    }
    const answer = fault?.status === undefined ? await handle(request) : undefined;
    // A late answer keeps nobody's process alive.
    if (fault?.delayMs !== undefined) await delay(fault.delayMs, undefined, { ref: false });
    return { status: 500, ...answer, ...fault };
  };

  const start = async (port: number): Promise<Server> => {
    const created = createServer((incoming, response) => {
      void (async () => {
        const url = new URL(incoming.url ?? "/", "http://fake.example");
        const bytes = await buffer(incoming);
        const request = {
          method: incoming.method ?? "",
          path: url.pathname,
          query: url.searchParams,
          headers: incoming.headers,
          body: bytes.toString("utf8"),
          bytes,
        };
        requests.push(request);
        const answer = await answerTo(request);
        if (!answer) return void incoming.socket.resetAndDestroy();
        response.writeHead(answer.status, answer.headers).end(answer.body);
      })().catch((error: Error) => {
        // A fault of the stand-in itself must not pass for one of the bridge.
        if (!incoming.socket.destroyed) response.writeHead(599).end(String(error.stack));
      });
    });
    created.listen(port, "127.0.0.1");
    await once(created, "listening");
    return created;
  };

  server = await start(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    respond: (next) => {
      decide = next;
    },
    start: async () => {
      server ??= await start(port);
    },
    stop: async () => {
      const stopped = server;
      server = undefined;
      if (!stopped) return;
      const closed = once(stopped, "close");
      stopped.close();
      stopped.closeAllConnections();
      await closed;
    },
  };
}
