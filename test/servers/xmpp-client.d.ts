/** The part of @xmpp/client 0.14 that the tests use; its published types do not compile without skipLibCheck. */
declare module "@xmpp/client" {
  import type { Element } from "@xmpp/xml";

  interface XmppClient {
    iqCallee: {
      get: (
        namespace: string,
        name: string,
        answer: (query: { stanza: Element }) => Promise<Element>,
      ) => void;
    };
    iqCaller: { request: (iq: Element, timeoutMs?: number) => Promise<Element> };
    reconnect: { stop: () => void };
    on(event: "error", listener: (error: Error) => void): this;
    on(event: "online", listener: () => void): this;
    on(event: "stanza", listener: (stanza: Element) => void): this;
    send: (stanza: Element) => Promise<void>;
    /** Resolves with the full JID. */
    start: () => Promise<{ toString: () => string }>;
    stop: () => Promise<unknown>;
  }

  export function client(options: {
    /** Such as "xmpp://127.0.0.1:5222" for plain TCP. */
    service: string;
    domain: string;
    resource: string;
    credentials: (
      authenticate: (credentials: { username: string; password: string }, mechanism: string) => Promise<void>,
    ) => Promise<void>;
  }): XmppClient;
}
