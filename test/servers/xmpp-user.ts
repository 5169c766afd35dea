/** An XMPP user with a real client library on the other side of the bridge, for tests and nothing else. */
import { client } from "@xmpp/client";
import type { Element } from "@xmpp/xml";
import xml from "@xmpp/xml";
import { createInbox } from "./inbox.ts";

export interface XmppUser {
  /** The full JID. */
  jid: string;
  send: (stanza: Element) => Promise<void>;
  /** Sends an iq get or set and resolves with the result stanza; rejects on an error stanza. */
  request: (iq: Element, timeoutMs?: number) => Promise<Element>;
  /** All stanzas received so far, oldest first. */
  messages: Element[];
  waitFor: (matches: (stanza: Element) => boolean, timeoutMs?: number) => Promise<Element>;
  stop: () => Promise<void>;
}

interface XmppAccount {
  host: string;
  port: number;
  domain: string;
  username: string;
  password: string;
  resource?: string;
  /** Connects again by itself when the connection breaks. Default: false, so a failed test leaves nothing running. */
  reconnect?: boolean;
  /** Without initial presence, messages to the bare JID go to the archive only. Default: true. */
  available?: boolean;
  /** Answers IQs of type get with a `<query/>` of this namespace. */
  onQuery?: { namespace: string; answer: () => Promise<Element> };
  /** Called with each stanza as it comes. */
  onStanza?: (stanza: Element) => void;
}

/** Logs in over plain TCP and resolves once the session is there and its initial presence is sent. */
export async function connectXmpp(account: XmppAccount): Promise<XmppUser> {
  const { host, port, domain, username, password, resource = "test", available = true } = account;
  const { onStanza, onQuery } = account;
  const xmpp = client({
    service: `xmpp://${host}:${port}`,
    domain,
    resource,
    // The library's SCRAM keeps a core busy for a second per login; by itself it takes PLAIN only over TLS.
    credentials: (authenticate) => authenticate({ username, password }, "PLAIN"),
  });
  if (!account.reconnect) xmpp.reconnect.stop();
  const inbox = createInbox<Element>(`${username}@${domain}`, String);
  // A connection error also rejects start(); without a listener it would end the process instead.
  xmpp.on("error", () => {});
  xmpp.on("stanza", (stanza: Element) => inbox.add(stanza));
  if (onStanza) xmpp.on("stanza", onStanza);
  if (onQuery) xmpp.iqCallee.get(onQuery.namespace, "query", onQuery.answer);
  // After each connection, not only the first.
  xmpp.on("online", () => {
    if (available) void xmpp.send(xml("presence"));
  });
  const address = await xmpp.start();
  return {
    jid: String(address),
    send: (stanza) => xmpp.send(stanza),
    request: (iq, timeoutMs = 30_000) => xmpp.iqCaller.request(iq, timeoutMs),
    messages: inbox.items,
    waitFor: inbox.waitFor,
    stop: async () => {
      await xmpp.stop();
    },
  };
}
