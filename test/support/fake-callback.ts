/** How Prosody's mod_rest calls a component: each stanza a request on a connection of its own (mod_rest of 2026-07). */
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { parseStanza } from "../../src/xmpp/stanza.ts";

export interface CallbackAnswer {
  status: number;
  contentType: string | undefined;
  body: string;
}

export interface OpenCallback {
  /** Writes the request. @throws where the connection breaks before an answer. */
  send(body: string, headers?: Record<string, string>, method?: string): Promise<CallbackAnswer>;
  socket: Socket;
}

/** As mod_rest fills it into the URL. */
function senderOf(body: string): string | undefined {
  try {
    const { from } = parseStanza(body).attrs;
    return from && encodeURIComponent(from);
  } catch {
    return undefined;
  }
}

/**
 * Connects and writes nothing yet: Prosody opens its connections in the order of the stanzas and writes to them in
 * any order.
 * @param url with user and password, as in `rest_callback_url`.
 */
export function openCallback(url: string): OpenCallback {
  const { hostname, port, pathname, search, username, password } = new URL(url);
  const socket = connect(Number(port), hostname);
  // Whoever sends learns of it; a connection that nobody uses may break in silence.
  socket.on("error", () => undefined);
  return {
    socket,
    async send(body, headers = {}, method = "POST") {
      const sent = request({
        createConnection: () => socket,
        method,
        host: hostname,
        port,
        path: pathname + search.replace("{from}", (unfilled) => senderOf(body) ?? unfilled),
        auth: `${username}:${password}`,
        headers: {
          connection: "close",
          "user-agent": "Prosody XMPP Server",
          accept: "application/xmpp+xml, application/json, application/x-www-form-urlencoded, text/plain",
          ...(method === "POST" && { "content-type": "application/xmpp+xml" }),
          "content-length": Buffer.byteLength(body),
          ...headers,
        },
      });
      sent.end(body);
      const [response] = await once(sent, "response");
      return {
        status: response.statusCode,
        contentType: response.headers["content-type"],
        body: await text(response),
      };
    },
  };
}
