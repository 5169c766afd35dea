/** An XMPP client that reads no XML but the text of messages, since a real one costs more than the bridge. */
import { once } from "node:events";
import { connect } from "node:net";

export interface LeanXmpp {
  /** A message of type chat, as plain as there are. Neither address nor text may need escaping. */
  say(to: string, text: string): void;
  close(): void;
}

export interface LeanXmppOptions {
  port: number;
  domain: string;
  username: string;
  password: string;
  onText: (text: string) => void;
  /** Something came back as an error, or the connection broke. */
  onProblem: (problem: string) => void;
}

const [before, after] = ["<body>", "</body>"];
const refusal = /<message[^>]* type='error'/;

/** Logs in with SASL PLAIN over plain TCP (RFC 6120) and resolves once its presence is sent. */
export async function connectLeanXmpp(options: LeanXmppOptions): Promise<LeanXmpp> {
  const { port, domain, username, password, onText, onProblem } = options;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }).setEncoding("utf8");
  let held = "";
  let closing = false;
  let awaited: { mark: string; met(): void } | undefined;

  const readTexts = (): void => {
    if (refusal.test(held)) onProblem(held);
    let at = 0;
    for (;;) {
      const begin = held.indexOf(before, at);
      const end = begin === -1 ? -1 : held.indexOf(after, begin);
      if (end === -1) {
        held = held.slice(begin === -1 ? Math.max(at, held.length - before.length) : begin);
        return;
      }
      onText(held.slice(begin + before.length, end));
      at = end + after.length;
    }
  };
  socket.on("data", (chunk: string) => {
    held += chunk;
    if (!awaited) return readTexts();
    if (!held.includes(awaited.mark)) return;
    held = "";
    awaited.met();
    awaited = undefined;
  });
  socket.on("error", () => {});
  socket.on("close", () => closing || onProblem(`the connection of ${username} was closed: ${held}`));
  const exchange = (sent: string, mark: string): Promise<void> =>
    new Promise((met) => {
      awaited = { mark, met };
      socket.write(sent);
    });

  await once(socket, "connect");
  const stream = `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
  const credentials = Buffer.from(`\0${username}\0${password}`).toString("base64");
  await exchange(stream, "</stream:features>");
  await exchange(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${credentials}</auth>`,
    "<success",
  );
  await exchange(stream, "</stream:features>");
  await exchange(
    "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>",
    "</iq>",
  );
  socket.write("<presence/>");

  return {
    say(to, text) {
      socket.write(`<message type='chat' to='${to}' id='${text}'><body>${text}</body></message>`);
    },
    close() {
      closing = true;
      socket.end("</stream:stream>");
    },
  };
}
