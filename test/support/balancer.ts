/**
 * A load balancer in little, as operators are told to put one before several processes: the homeserver's requests in
 * turn, Prosody's callbacks to the first process that is up, since the order in which they come is the order of
 * their connections.
 */
import { once } from "node:events";
import { Agent, createServer as createHttpServer, type IncomingMessage, request } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { buffer } from "node:stream/consumers";

export interface Backend {
  port: number;
  /** Answers 200 while the process can be given something. */
  healthUrl: string;
}

export interface Balancer {
  url: string;
  /** How many processes can be given something. */
  up(): number;
  /** How many requests or connections found nobody to take them. */
  refused(): number;
  close(): void;
}

const healthEveryMs = 250;
const answerLimitMs = 60_000;

interface Checked {
  port: number;
  isUp: boolean;
  agent: Agent;
}

/** Looks at each backend again and again. */
async function watch(backends: readonly Backend[]) {
  const checked = backends.map(({ port }) => ({ port, isUp: false, agent: new Agent({ keepAlive: true }) }));
  const look = async (): Promise<void> => {
    await Promise.all(
      backends.map(async ({ healthUrl }, n) => {
        const isUp = await fetch(healthUrl, { signal: AbortSignal.timeout(2000) }).then(
          ({ ok }) => ok,
          () => false,
        );
        Object.assign(checked[n] ?? {}, { isUp });
      }),
    );
  };
  let looking: NodeJS.Timeout | undefined;
  let isOver = false;
  const again = (): void => {
    if (!isOver) looking = setTimeout(() => void look().then(again), healthEveryMs).unref();
  };
  await look();
  again();
  return {
    /** Those that are up. */
    from: (first: number): Checked[] =>
      [...checked.slice(first), ...checked.slice(0, first)].filter(({ isUp }) => isUp),
    stop(): void {
      isOver = true;
      clearTimeout(looking);
      for (const { agent } of checked) agent.destroy();
    },
  };
}

/** Only then nothing of it has been sent. */
const isRefused = (error: unknown): boolean => (error as { code?: string }).code === "ECONNREFUSED";

async function listening(server: Server, port: number): Promise<string> {
  server.listen({ port, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** HTTP, each request to the next backend. */
export async function startTurns(backends: readonly Backend[], port = 0): Promise<Balancer> {
  const health = await watch(backends);
  let [turn, refused] = [0, 0];

  const forward = async (
    { port, agent }: Checked,
    { method, url, headers }: IncomingMessage,
    body: Buffer,
  ): Promise<{ answer: IncomingMessage; content: Buffer }> => {
    const sent = request({ host: "127.0.0.1", port, method, path: url, headers, agent });
    sent.setTimeout(answerLimitMs, () => sent.destroy(new Error("no answer in time")));
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    return { answer, content: await buffer(answer) };
  };
  const pass = async (incoming: IncomingMessage, body: Buffer) => {
    turn = (turn + 1) % backends.length;
    for (const backend of health.from(turn)) {
      try {
        return await forward(backend, incoming, body);
      } catch (error) {
        if (!isRefused(error)) return 502;
      }
    }
    refused += 1;
    return 503;
  };

  const server = createHttpServer(async (incoming, outgoing) => {
    const passed = await buffer(incoming).then(
      (body) => pass(incoming, body),
      () => 400,
    );
    if (typeof passed === "number") return void outgoing.writeHead(passed).end();
    outgoing.writeHead(passed.answer.statusCode ?? 502, passed.answer.headers).end(passed.content);
  });
  const url = await listening(server, port);
  return {
    url,
    up: () => health.from(0).length,
    refused: () => refused,
    close() {
      health.stop();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** TCP, each connection to the first backend that is up; begun in the order in which they came. */
export async function startFirst(backends: readonly Backend[], port = 0): Promise<Balancer> {
  const health = await watch(backends);
  const open = new Set<Socket>();
  let refused = 0;

  const join = (near: Socket, far: Socket): void => {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on("error", () => other.resetAndDestroy());
      one.once("close", () => open.delete(one));
      one.pipe(other);
    }
  };
  /** Resolves once it is connected, or nobody is left to connect it to. */
  const reach = async (near: Socket): Promise<void> => {
    for (const { port } of health.from(0)) {
      const far = connect({ port, host: "127.0.0.1", noDelay: true });
      try {
        await once(far, "connect");
        return near.destroyed ? void far.destroy() : join(near, far);
      } catch (error) {
        if (!isRefused(error)) break;
      }
    }
    refused += 1;
    near.resetAndDestroy();
  };
  /** One after the other, so that none overtakes one that was refused first. */
  let last = Promise.resolve();

  const server = createTcpServer({ noDelay: true }, (near) => {
    near.on("error", () => undefined);
    last = last.then(() => reach(near));
  });
  const url = await listening(server, port);
  return {
    url,
    up: () => health.from(0).length,
    refused: () => refused,
    close() {
      health.stop();
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
