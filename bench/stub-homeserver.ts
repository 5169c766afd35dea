/** A homeserver that does nothing but answer, at once or after a given time, so that the bridge and Prosody are all that is measured. */
import { createLeanClient, startLeanServer } from "./lean-http.ts";
import { conversationOf, julietOf, roomOf } from "./people.ts";

export interface StubHomeserver {
  /** Sends one transaction and resolves once the bridge has taken it. */
  transaction(messages: readonly { conversation: number; text: string }[]): Promise<void>;
  /** From now on each transaction goes to the next of these processes of the bridge, as a balancer sends them. */
  share(ports: readonly number[]): void;
  /** The room is there, made by that ghost. */
  know(ghost: string, conversation: number): void;
  /** Milliseconds until a message is answered, by conversation; from now on. */
  slow(delayOf: (conversation: number) => number): void;
  /** What answers have really taken on average since `slow` was called. */
  meanDelay(): number;
  stop(): void;
}

export interface StubDeps {
  port: number;
  bridgePort: number;
  hsToken: string;
  domain: string;
  /** Told of the body of each message that the bridge sends. */
  onText: (text: string) => void;
}

export async function startStubHomeserver(deps: StubDeps): Promise<StubHomeserver> {
  const { port, bridgePort, hsToken, domain, onText } = deps;
  const headers = { authorization: `Bearer ${hsToken}`, "content-type": "application/json" };
  // Synapse holds one connection to an application service and sends one transaction at a time.
  let transactions = [createLeanClient(bridgePort, headers)];
  const pings = createLeanClient(bridgePort, headers);
  const rooms = new Map<string, string[]>();
  let [events, sent] = [0, 0];
  let delayOf: (conversation: number) => number = () => 0;
  let [delays, delayed] = [0, 0];
  const nextEvent = (): string => `$stub-${++events}`;

  const know = (ghost: string, conversation: number): void => {
    const known = rooms.get(ghost) ?? [];
    known.push(roomOf(conversation, domain));
    rooms.set(ghost, known);
  };

  const callBridge = async (
    client: typeof pings,
    method: string,
    target: string,
    body: string,
  ): Promise<void> => {
    const answer = await client.request(method, target, body);
    if (answer.status !== 200) throw new Error(`${method} ${target}: ${answer.status} ${answer.body}`);
  };

  const answerTo = async (path: string, query: string, body: string): Promise<unknown> => {
    const ghost = new URLSearchParams(query).get("user_id") ?? "";
    if (path.endsWith("/createRoom")) {
      const conversation = conversationOf(JSON.parse(body).invite[0]);
      know(ghost, conversation);
      return { room_id: roomOf(conversation, domain) };
    }
    if (path.endsWith("/joined_rooms")) return { joined_rooms: rooms.get(ghost) ?? [] };
    if (path.endsWith("/ping")) {
      await callBridge(pings, "POST", "/_matrix/app/v1/ping", body);
      return { duration_ms: 1 };
    }
    if (path.endsWith("/upload")) return { content_uri: `mxc://${domain}/picture` };
    if (path.endsWith("/messages") || path.endsWith("/members")) return { chunk: [] };
    // What is left answers with nothing of interest: register, profile, display name, join, invite.
    return {};
  };

  const server = await startLeanServer(port, ({ method, target, body }, answer) => {
    const [path = "", query = ""] = target.split("?");
    const room = method === "PUT" ? /\/rooms\/([^/]+)\/send\/m\.room\.message\//.exec(path)?.[1] : undefined;
    if (room === undefined) {
      answerTo(path, query, body).then(
        (content) => answer(200, JSON.stringify(content)),
        (error: Error) => answer(500, JSON.stringify({ error: error.message })),
      );
      return;
    }
    const { body: text } = JSON.parse(body);
    const done = (): void => {
      onText(String(text));
      answer(200, `{"event_id":"${nextEvent()}"}`);
    };
    // The room's name is percent-encoded, the ! as %21.
    const delay = delayOf(conversationOf(decodeURIComponent(room)));
    if (delay === 0) return done();
    const begun = performance.now();
    setTimeout(() => {
      delays += performance.now() - begun;
      delayed += 1;
      done();
    }, delay);
  });

  return {
    know,
    share(ports) {
      for (const client of transactions) client.close();
      transactions = ports.map((one) => createLeanClient(one, headers));
    },
    transaction: (messages) => {
      sent += 1;
      return callBridge(
        transactions[sent % transactions.length] ?? pings,
        "PUT",
        `/_matrix/app/v1/transactions/${Date.now()}-${sent}`,
        JSON.stringify({
          events: messages.map(({ conversation, text }) => ({
            type: "m.room.message",
            room_id: roomOf(conversation, domain),
            sender: `@${julietOf(conversation)}:${domain}`,
            event_id: nextEvent(),
            origin_server_ts: Date.now(),
            content: { msgtype: "m.text", body: text },
          })),
        }),
      );
    },
    slow(given) {
      [delayOf, delays, delayed] = [given, 0, 0];
    },
    meanDelay: () => delays / delayed,
    stop() {
      for (const client of transactions) client.close();
      pings.close();
      server.stop();
    },
  };
}
