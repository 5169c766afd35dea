/** XMPP users by the thousand, as an external component (XEP-0114 1.6): one connection for all of them, which reads nothing. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

export interface Crowd {
  /** Sends a stanza from any address on the component. */
  send: (stanza: string) => void;
  stop: () => void;
}

/** Resolves once Prosody has taken the component. */
export async function connectCrowd({
  domain,
  secret,
  port,
}: {
  domain: string;
  secret: string;
  port: number;
}): Promise<Crowd> {
  const socket = connect(port, "127.0.0.1");
  let seen = "";
  const until = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(seen);
      if (found) return found[1] ?? "";
      const [chunk] = (await once(socket, "data")) as [Buffer];
      seen += chunk.toString();
    }
  };
  await once(socket, "connect");
  const namespaces = "xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'";
  socket.write(`<stream:stream ${namespaces} to='${domain}'>`);
  const id = await until(/<stream:stream[^>]* id=['"]([^'"]+)/);
  socket.write(
    `<handshake>${createHash("sha1")
      .update(id + secret)
      .digest("hex")}</handshake>`,
  );
  await until(/(<handshake)/);
  // A crowd's clients would see all that happens; here nobody looks.
  socket.on("data", () => {});
  socket.on("error", () => {});
  return { send: (stanza) => void socket.write(stanza), stop: () => void socket.destroy() };
}
