/** The listening side: an Express application on a port, stopped without cutting an answer short. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Express } from "express";

export interface Listener {
  server: Server;
  /** The port in use, also when 0 was asked for. */
  port: number;
  /** Takes no new connection, gives running requests a few seconds to be answered, then resolves. */
  stop(): Promise<void>;
}

// A burst of stanzas is as many connections at once; a refused one bounces its stanza.
const backlog = 4096;
const graceMs = 3000;

/** @throws Error with code EADDRINUSE or EACCES where the port cannot be had. */
export function listen(
  app: Express,
  { host, port }: { host: string; port: number },
  prepare?: (server: Server) => void,
): Promise<Listener> {
  const server = createServer({ keepAliveTimeout: 65_000 }, app);
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
