/** HTTP/1.1 at the least cost, so that the benchmark's own ends leave the machine to what is measured. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Call {
  method: string;
  /** Path and query, as sent. */
  target: string;
  body: string;
}

export type Answer = (status: number, body?: string) => void;

interface Message {
  head: string;
  body: string;
}

/** Messages with a Content-Length or none, which is what everybody here sends. */
function onMessage(socket: Socket, take: (message: Message) => void): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const end = held.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = held.toString("latin1", 0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (held.length < end + 4 + length) return;
      const body = held.toString("utf8", end + 4, end + 4 + length);
      held = held.subarray(end + 4 + length);
      take({ head, body });
    }
  });
}

const lengthOf = (body: string): string => `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** Listens on loopback; a connection is closed after an answer where the request asks for that. */
export async function startLeanServer(
  port: number,
  take: (call: Call, answer: Answer) => void,
): Promise<{ stop(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    onMessage(socket, ({ head, body }) => {
      const [method = "", target = ""] = head.slice(0, head.indexOf("\r\n")).split(" ");
      const isLast = /\r\nconnection: *close/i.test(head);
      take({ method, target, body }, (status, content = "") => {
        const answered = `HTTP/1.1 ${status} Said\r\nContent-Type: application/json\r\n${lengthOf(content)}`;
        if (isLast) socket.end(answered);
        else socket.write(answered);
      });
    });
  });
  server.listen({ port, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return {
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Answered {
  status: number;
  body: string;
}

export interface LeanClient {
  /** One after the other. @throws Error where the connection breaks before the answer. */
  request(method: string, target: string, body?: string): Promise<Answered>;
  close(): void;
}

/** One kept-alive connection to loopback, opened when it is first needed and again when it was closed. */
export function createLeanClient(port: number, headers: Record<string, string> = {}): LeanClient {
  const fields = Object.entries({ host: `127.0.0.1:${port}`, ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  let socket: Socket | undefined;
  let asked:
    | { resolve(answer: { status: number; body: string }): void; reject(error: Error): void }
    | undefined;

  const open = (): Socket => {
    const opened = connect({ port, host: "127.0.0.1", noDelay: true });
    onMessage(opened, ({ head, body }) => asked?.resolve({ status: Number(head.slice(9, 12)), body }));
    let cause = "the connection was closed";
    opened.on("error", (error) => {
      cause = error.message;
    });
    opened.on("close", () => {
      if (socket === opened) socket = undefined;
      asked?.reject(new Error(cause));
    });
    return opened;
  };

  let last: Promise<unknown> = Promise.resolve();
  const ask = (method: string, target: string, body: string): Promise<Answered> =>
    new Promise((resolve, reject) => {
      asked = { resolve, reject };
      socket ??= open();
      socket.write(`${method} ${target} HTTP/1.1\r\n${fields}${lengthOf(body)}`);
    });

  return {
    request(method, target, body = "") {
      const answered = last.then(() => ask(method, target, body));
      last = answered.catch(() => {});
      return answered;
    },
    close: () => socket?.destroy(),
  };
}
