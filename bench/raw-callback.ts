/** The cheapest callback there can be: what Prosody alone is able to hand over. */
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { parseStanza } from "../src/xmpp/stanza.ts";

export async function startRawCallback(
  port: number,
  onMessage: (body: string) => void,
): Promise<{ stop(): void }> {
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      response.writeHead(incoming.method === "POST" ? 202 : 200).end();
      if (incoming.method === "POST") onMessage(parseStanza(body).getChildText("body") ?? "");
    });
  });
  server.listen({ port, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return { stop: () => void server.close().closeAllConnections() };
}
