/** The listening side: an application on a port, stopped without cutting an answer short. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { answerBrokenRequests, refusesTarget } from "./broken-request.ts";
import { sourceOfAddress } from "./source.ts";

export interface Listener {
  server: Server;
  /** The port in use, also when 0 was asked for. */
  port: number;
  /** Takes no new connection, gives running requests a few seconds to be answered, then resolves. */
  stop(): Promise<void>;
}

export interface ListenOptions {
  host: string;
  port: number;
  prepare?: (server: Server) => void;
  /** Whether whoever calls this path would take the body of an error for something else. */
  isBodiless?: (path: string) => boolean;
  limits?: Partial<typeof defaultLimits>;
  /** How many connections one address, or IPv6 network, may have open. */
  connectionsOfSource?: number;
}

// A burst of stanzas is as many connections at once; a refused one bounces its stanza.
const backlog = 4096;
const graceMs = 3000;
/** How long whoever still sends a body that nobody reads may go on, so as to see the answer. */
const lingerMs = 1000;

const defaultLimits = {
  maxHeaderSize: 16 * 1024,
  // In a flood Prosody writes to a connection seconds after it has opened it (docs/servers.md, "Order").
  headersTimeout: 30_000,
  // A homeserver with 5 Mbit/s needs as long for 64 MB.
  requestTimeout: 120_000,
  connectionsCheckingInterval: 2000,
  keepAliveTimeout: 65_000,
  // Refused here instead, as Node would do it without a body.
  requireHostHeader: false,
};

function limitConnections(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on("connection", (socket) => {
    const source = sourceOfAddress(socket.remoteAddress);
    const count = (open.get(source) ?? 0) + 1;
    open.set(source, count);
    socket.once("close", () => {
      const left = (open.get(source) ?? 1) - 1;
      if (left > 0) open.set(source, left);
      else open.delete(source);
    });
    if (count > most) socket.destroy();
  });
}

/** @throws Error with code EADDRINUSE or EACCES where the port cannot be had. */
export function listen(application: RequestListener, options: ListenOptions): Promise<Listener> {
  const { host, port, prepare, isBodiless = () => false, limits, connectionsOfSource = backlog } = options;
  const take: RequestListener = (req, res) => {
    res.once("finish", () => {
      if (!req.complete) setTimeout(() => req.complete || req.socket.destroy(), lingerMs).unref();
      // Answered during a stop, the connection is kept by Node for more to come, and holds the stop up.
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
    if (!refusesTarget(req, res, isBodiless)) application(req, res);
  };
  const server = createServer({ ...defaultLimits, ...limits }, take);
  // RFC 9110 §10.1.1: an expectation that nobody knows may be ignored; Node would refuse it without a body.
  server.on("checkExpectation", take);
  answerBrokenRequests(server, isBodiless);
  limitConnections(server, connectionsOfSource);
  prepare?.(server);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog }, () => {
      server.off("error", reject);
      resolve({
        server,
        port: (server.address() as AddressInfo).port,
        stop: () =>
          new Promise((stopped) => {
            const limit = setTimeout(() => server.closeAllConnections(), graceMs);
            server.close(() => {
              clearTimeout(limit);
              stopped();
            });
            server.closeIdleConnections();
          }),
      });
    });
  });
}
