/** Answers requests that never get to the application: malformed, oversized and slow ones. Their errors have a body as well. */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

type IsBodiless = (path: string) => boolean;

/** What Node calls it; anything else is a malformed request. */
const statuses: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

const lingerMs = 1000;

/** Both APIs of Matrix that are served here have this form of error. */
const bodyOf = (status: number): string =>
  JSON.stringify({
    errcode: status === 413 || status === 431 ? "M_TOO_LARGE" : "M_UNKNOWN",
    error: `${STATUS_CODES[status]}.`,
  });

const contentType = "application/json; charset=utf-8";

function rawAnswer(status: number, body: string): string {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    ...(body ? [`Content-Type: ${contentType}`] : []),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/** The path of a request that Node could not take apart. */
const pathIn = (packet: unknown): string =>
  Buffer.isBuffer(packet) ? (/^[A-Z]+ (\S+)/.exec(packet.toString("latin1", 0, 1024))?.[1] ?? "") : "";

function sendLast(socket: Duplex, status: number, isBodiless: boolean): void {
  // Node lets go of a socket that asked for CONNECT, and an error that nobody hears would end the process.
  socket.on("error", () => undefined);
  socket.end(rawAnswer(status, isBodiless ? "" : bodyOf(status)));
  // Closed at once, while bytes are still coming in, the connection would be reset and the answer lost.
  socket.resume();
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

export function answerBrokenRequests(server: Server, isBodiless: IsBodiless): void {
  const running = new WeakMap<Duplex, ServerResponse>();
  const answered = new WeakSet<Duplex>();
  server.on("request", (req, res) => running.set(req.socket, res));
  server.on("clientError", (error: Error & { code?: string; rawPacket?: unknown }, socket) => {
    if (answered.has(socket)) return;
    const res = running.get(socket);
    const unfinished = res?.writableFinished === false ? res : undefined;
    if (!socket.writable || unfinished?.headersSent) return void socket.destroy();
    answered.add(socket);
    sendLast(
      socket,
      statuses[error.code ?? ""] ?? 400,
      isBodiless(unfinished?.req.url ?? pathIn(error.rawPacket)),
    );
  });
  // Without a listener the connection would just be closed.
  server.on("connect", (_req, socket) => sendLast(socket, 405, false));
}

/**
 * Whether the request was refused because it names no host, which HTTP/1.1 demands, or no path (RFC 9112 §3.2). What
 * names its path by a whole URL gets it without one.
 */
export function refusesTarget(req: IncomingMessage, res: ServerResponse, isBodiless: IsBodiless): boolean {
  const url = req.url?.startsWith("/") ? undefined : URL.parse(req.url ?? "");
  if (url) req.url = url.pathname + url.search;
  if (url !== null && (req.httpVersion !== "1.1" || req.headers.host !== undefined)) return false;
  const body = isBodiless(req.url ?? "") ? "" : bodyOf(400);
  res.writeHead(400, {
    ...(body && { "content-type": contentType }),
    "content-length": Buffer.byteLength(body),
  });
  res.end(body);
  return true;
}
