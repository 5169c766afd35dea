/** A homeserver that does nothing but answer at once, so that the benchmark measures the bridge and Prosody alone. */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";

export interface StubEvent {
  room_id: string;
  sender: string;
  text: string;
}

export interface StubHomeserver {
  /** The room that the bridge has made with this Matrix user in it. */
  roomOf(userId: string): string;
  /** Sends one transaction and resolves once the bridge has taken it. */
  transaction(events: readonly StubEvent[]): Promise<void>;
  stop(): Promise<void>;
}

export interface StubDeps {
  port: number;
  bridgeUrl: string;
  hsToken: string;
  domain: string;
  /** Told of the body of each message that the bridge sends. */
  onMessage: (body: string) => void;
}

export async function startStubHomeserver(deps: StubDeps): Promise<StubHomeserver> {
  const { port, bridgeUrl, hsToken, domain, onMessage } = deps;
  // Synapse holds one connection to an application service and sends one transaction at a time.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const rooms = new Map<string, string>();
  let events = 0;
  let transactions = 0;
  const nextEvent = (): string => `$stub-${++events}`;

  const callBridge = async (method: string, path: string, body: unknown): Promise<void> => {
    const headers = { authorization: `Bearer ${hsToken}`, "content-type": "application/json" };
    const sent = request(`${bridgeUrl}${path}`, { method, agent, headers });
    sent.end(JSON.stringify(body));
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const answer = await text(response);
    if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`);
  };

  const answer = async (method: string, path: string, body: string): Promise<unknown> => {
    if (method === "PUT" && path.includes("/send/m.room.message/")) {
      onMessage(String(JSON.parse(body).body));
      return { event_id: nextEvent() };
    }
    if (path.endsWith("/createRoom")) {
      const room_id = `!room-${rooms.size}:${domain}`;
      rooms.set(JSON.parse(body).invite[0], room_id);
      return { room_id };
    }
    if (path.endsWith("/ping")) {
      await callBridge("POST", "/_matrix/app/v1/ping", JSON.parse(body));
      return { duration_ms: 1 };
    }
    if (path.endsWith("/messages") || path.endsWith("/members")) return { chunk: [] };
    // What is left answers with nothing of interest: register, profile, display name, join, invite.
    return {};
  };

  const server = createServer((incoming, response) => {
    void (async () => {
      const { pathname } = new URL(incoming.url ?? "/", "http://stub.example");
      const body = JSON.stringify(await answer(incoming.method ?? "", pathname, await text(incoming)));
      response.writeHead(200, { "content-type": "application/json" }).end(body);
    })().catch((error: Error) => response.writeHead(500).end(error.message));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");

  return {
    roomOf(userId) {
      const room = rooms.get(userId);
      if (room === undefined) throw new Error(`the bridge has made no room for ${userId}`);
      return room;
    },
    transaction: (sent) =>
      callBridge("PUT", `/_matrix/app/v1/transactions/${++transactions}`, {
        events: sent.map(({ text: body, ...rest }) => ({
          ...rest,
          type: "m.room.message",
          event_id: nextEvent(),
          origin_server_ts: Date.now(),
          content: { msgtype: "m.text", body },
        })),
      }),
    async stop() {
      agent.destroy();
      server.close();
      server.closeAllConnections();
    },
  };
}
