/**
 * A stand-in for Prosody with mod_rest (13.0.7, module of 2026-07) as a bridge meets it, and XMPP users whom a test
 * or a demonstration leads by the hand.
 */
import { randomUUID } from "node:crypto";
import { shapeOfStatus } from "../../src/mapping/errors.ts";
import { bareOf, domainOf, type Jid } from "../../src/xmpp/jid.ts";
import { type Element, errorReply, parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";
import { type CallbackAnswer, type OpenCallback, openCallback } from "./fake-callback.ts";
import { type Answer, type SeenRequest, startFakeServer } from "./fake-server.ts";

export interface ProsodyOptions {
  domain?: string;
  component?: string;
  secret?: string;
  callbackSecret?: string;
}

export type FakeProsody = Awaited<ReturnType<typeof startFakeProsody>>;

const sizeLimit = 192 * 1024;

const xmppAnswer = (stanza: Element): Answer => ({
  status: 200,
  headers: { "content-type": "application/xmpp+xml" },
  body: serialize(stanza),
});

/** What Prosody makes of the callback's answer: the stanza that goes back to the sender, if any. */
function replyOf(stanza: Element, answer: CallbackAnswer): Element | undefined {
  const { type, from, to, id } = stanza.attrs;
  const asks = stanza.name === "iq" && (type === "get" || type === "set");
  if (type === "error" || (stanza.name === "iq" && !asks)) return undefined;
  const emptyResult = xml("iq", { type: "result", from: to, to: from, id });
  if (answer.status === 202 || answer.status === 204) return asks ? emptyResult : undefined;
  if (answer.contentType === "application/xmpp+xml" && answer.body !== "") {
    const reply = parseStanza(answer.body);
    Object.assign(reply.attrs, { from: to, to: from, ...(asks && { id }) });
    return reply;
  }
  if (answer.status < 300) return asks ? emptyResult : xml("message", { type, from: to, to: from });
  return errorReply(stanza, { ...shapeOfStatus(answer.status), text: String(answer.status) });
}

export async function startFakeProsody(options: ProsodyOptions = {}) {
  const { domain = "xmpp.test", component = "bridge.xmpp.test" } = options;
  const { secret = "component secret", callbackSecret = "callback0123456789" } = options;
  const credentials = `Basic ${Buffer.from(`${component}:${secret}`).toString("base64")}`;
  const inboxes = new Map<string, Element[]>();
  let bridgeUrl: string | undefined;

  const callbackUrl = (): string => {
    // Nothing listens on the discard port, so this is a bridge that is down.
    const url = new URL("/xmpp/callback", bridgeUrl ?? "http://127.0.0.1:9");
    Object.assign(url, { username: "prosody", password: callbackSecret });
    return url.href;
  };
  const open = (): OpenCallback => openCallback(callbackUrl());

  /** Hands a stanza to the component; resolves with the stanza that goes back to its sender, if any. */
  const deliver = async (stanza: Element, callback = open()): Promise<Element | undefined> => {
    try {
      return replyOf(stanza, await callback.send(serialize(stanza)));
    } catch {
      if (stanza.attrs.type === "error") return undefined;
      return errorReply(stanza, { type: "wait", condition: "recipient-unavailable" });
    }
  };
  const receive = (stanza: Element): boolean => {
    const inbox = inboxes.get(bareOf(stanza.attrs.to as Jid));
    inbox?.push(stanza);
    return inbox !== undefined;
  };

  const route = async (stanza: Element): Promise<Answer> => {
    const { to = component, type } = stanza.attrs;
    if (domainOf(to as Jid) === component) {
      if (stanza.name !== "iq") {
        void deliver(stanza);
        return { status: 202 };
      }
      const reply = await deliver(stanza);
      return reply ? xmppAnswer(reply) : { status: 202 };
    }
    // Other servers are assumed to take everything.
    if (domainOf(to as Jid) !== domain || receive(stanza)) return { status: 202 };
    const quiet = type === "error" || stanza.name === "presence";
    if (quiet) return { status: 202 };
    return xmppAnswer(errorReply(stanza, { type: "cancel", condition: "service-unavailable" }));
  };

  const handle = async ({ method, path, headers, body }: SeenRequest): Promise<Answer> => {
    if (path !== "/rest" || method !== "POST") return { status: 404 };
    if (headers.authorization === undefined) return { status: 401, headers: { "www-authenticate": "Basic" } };
    if (headers.authorization !== credentials) return { status: 403 };
    if (headers["content-type"]?.split(";")[0] !== "application/xmpp+xml") return { status: 415 };
    if (Buffer.byteLength(body) > sizeLimit) return { status: 413 };
    let stanza: Element;
    try {
      stanza = parseStanza(body);
    } catch {
      return { status: 400 };
    }
    stanza.attrs.from ??= component;
    if (domainOf(stanza.attrs.from as Jid) !== component) return { status: 403 };
    if (stanza.attrs.xmlns !== undefined) return { status: 422 };
    return route(stanza);
  };
  const server = await startFakeServer(handle);

  const user = (local: string) => {
    const jid = `${local}@${domain}`;
    const fullJid = `${jid}/balcony`;
    const inbox = inboxes.get(jid) ?? [];
    inboxes.set(jid, inbox);
    const from = (stanza: Element): Element => {
      stanza.attrs.from ??= /^(un)?subscribed?$/.test(stanza.attrs.type) ? jid : fullJid;
      return stanza;
    };
    const chat = (to: string, body: string, id: string = randomUUID()): Element =>
      xml("message", { type: "chat", to, id, "xml:lang": "en" }, xml("body", {}, body));
    const bounce = (reply: Element | undefined): void => void (reply && receive(reply));
    return {
      jid,
      fullJid,
      /** Every stanza that came, oldest first, errors for what was sent included. */
      inbox,
      /** The messages with a body among them that are no errors. */
      messages: (): Element[] =>
        inbox.filter((stanza) => stanza.attrs.type !== "error" && stanza.getChild("body") !== undefined),
      bodies: (): string[] =>
        inbox.flatMap((stanza) => (stanza.attrs.type === "error" ? [] : (stanza.getChildText("body") ?? []))),
      errors: (): Element[] => inbox.filter(({ attrs }) => attrs.type === "error"),
      chat,
      /** Resolves once the bridge has taken it, or the error for it is in the inbox. */
      send: async (stanza: Element): Promise<void> => bounce(await deliver(from(stanza))),
      sendText: async (to: string, body: string, id?: string): Promise<void> =>
        bounce(await deliver(from(chat(to, body, id)))),
      /** @returns the result or error. */
      async request(to: string, payload: Element, type: "get" | "set" = "get"): Promise<Element> {
        const reply = await deliver(from(xml("iq", { type, to, id: randomUUID() }, payload)));
        if (!reply) throw new Error("an IQ got no answer");
        return reply;
      },
      /**
       * Opens a connection for each stanza in their order and writes the requests in another.
       * @param order indices into `stanzas`.
       */
      async sendInDisorder(stanzas: readonly Element[], order: readonly number[]): Promise<void> {
        const opened = stanzas.map((stanza) => ({ stanza: from(stanza), callback: open() }));
        const sent = order.flatMap((index) => opened[index] ?? []);
        for (const reply of await Promise.all(sent.map((one) => deliver(one.stanza, one.callback)))) {
          bounce(reply);
        }
      },
    };
  };

  /** mod_rest asks when it is loaded what the callback takes. */
  const announce = async (): Promise<void> => {
    await open()
      .send("", {}, "OPTIONS")
      .catch(() => undefined);
  };

  return {
    ...server,
    restUrl: `${server.url}/rest`,
    domain,
    component,
    secret,
    callbackSecret,
    user,
    /** A connection to the callback, for requests that Prosody itself would not make. */
    open,
    deliver,
    /** Says where the bridge is: what `rest_callback_url` is set to. */
    connect(url: string | undefined): void {
      bridgeUrl = url;
    },
    announce,
    async start(): Promise<void> {
      await server.start();
      await announce();
    },
  };
}
