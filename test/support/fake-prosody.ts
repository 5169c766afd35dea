/**
 * A stand-in for Prosody with mod_rest (13.0.7, module of 2026-07) as a bridge meets it, and XMPP users whom a test
 * or a demonstration leads by the hand.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { shapeOfStatus } from "../../src/mapping/errors.ts";
import { bareOf, domainOf, type Jid } from "../../src/xmpp/jid.ts";
import { type Element, errorReply, parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";
import { type CallbackAnswer, type OpenCallback, openCallback } from "./fake-callback.ts";
import { createFakeMuc, type FakeMuc, type FakeMucOptions } from "./fake-muc.ts";
import { type Answer, type SeenRequest, startFakeServer } from "./fake-server.ts";
import { handedOver2019, page, streamError } from "./recorded-answers.ts";

export interface ProsodyOptions {
  domain?: string;
  component?: string;
  secret?: string;
  callbackSecret?: string;
  /** Of 2019-12-30: without credentials, 500 for what it hands over, 400 for most of what it refuses. */
  oldModule?: boolean;
}

export type FakeProsody = Awaited<ReturnType<typeof startFakeProsody>>;

const sizeLimit = 192 * 1024;

const xmppAnswer = (stanza: Element): Answer => ({
  status: 200,
  headers: { "content-type": "application/xmpp+xml" },
  body: serialize(stanza),
});

/** What Prosody makes of the callback's answer: the stanza that goes back to the sender, if any. */
function replyOf(stanza: Element, answer: CallbackAnswer, oldModule: boolean): Element | undefined {
  const { type, from, to, id } = stanza.attrs;
  // The old module takes answers to IQs for questions.
  const asks = stanza.name === "iq" && (oldModule || type === "get" || type === "set");
  if (!oldModule && (type === "error" || (stanza.name === "iq" && !asks))) return undefined;
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
  const { secret = "component secret", callbackSecret = "callback0123456789", oldModule = false } = options;
  const credentials = `Basic ${Buffer.from(`${component}:${secret}`).toString("base64")}`;
  const mucDomain = `conference.${domain}`;
  const inboxes = new Map<string, Element[]>();
  const iqAnswers = new Map<string, (iq: Element) => Element | undefined>();
  const mucs = new Map<string, FakeMuc>();
  let bridgeUrl: string | undefined;

  const callbackUrl = (): string => {
    // Nothing listens on the discard port, so this is a bridge that is down.
    const path = oldModule ? "/xmpp/callback" : "/xmpp/callback?from={from}";
    const url = new URL(path, bridgeUrl ?? "http://127.0.0.1:9");
    Object.assign(url, { username: "prosody", password: callbackSecret });
    return url.href;
  };
  const open = (): OpenCallback => openCallback(callbackUrl());

  /** Hands a stanza to the component; resolves with the stanza that goes back to its sender, if any. */
  const deliver = async (stanza: Element, callback = open()): Promise<Element | undefined> => {
    try {
      const reply = replyOf(stanza, await callback.send(serialize(stanza)), oldModule);
      const goesRound = oldModule && reply?.name === "iq" && domainOf(reply.attrs.to as Jid) === component;
      // Matched with what was asked and yet handed over; what comes of that goes the same way, and so on.
      if (reply && goesRound) void deliver(reply);
      return reply;
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

  const failed = (condition: string, text: string): Answer => ({
    status: 500,
    body: streamError(condition, text),
  });

  /** Users' clients answer with what the test has told them to; without that nobody answers in time. */
  const ask = async (iq: Element, timeoutSeconds: number): Promise<Answer> => {
    const answer = iqAnswers.get(bareOf(iq.attrs.to as Jid));
    if (!answer) return xmppAnswer(errorReply(iq, { type: "cancel", condition: "service-unavailable" }));
    const reply = answer(iq);
    if (reply) return xmppAnswer(reply);
    await delay(timeoutSeconds * 1000, undefined, { ref: false });
    return failed("remote-server-timeout", "IQ stanza timed out");
  };

  const inMuc = (stanza: Element, room: string): Answer | undefined => {
    if (domainOf(room as Jid) !== mucDomain) return undefined;
    const muc = mucs.get(room);
    const noRoom = { type: "cancel", condition: "item-not-found" };
    const reply = muc ? muc.take(stanza) : errorReply(stanza, noRoom);
    return reply ? xmppAnswer(reply) : { status: 202 };
  };

  const route = async (stanza: Element, timeoutSeconds: number): Promise<Answer> => {
    const { to = component, type } = stanza.attrs;
    if (domainOf(to as Jid) === component) {
      if (stanza.name !== "iq") {
        void deliver(stanza);
        return { status: 202 };
      }
      const reply = await deliver(stanza);
      return reply ? xmppAnswer(reply) : { status: 202 };
    }
    const ofMuc = inMuc(stanza, bareOf(to as Jid));
    if (ofMuc) return ofMuc;
    if (stanza.name === "iq" && domainOf(to as Jid) === domain) return ask(stanza, timeoutSeconds);
    // Other servers are assumed to take everything.
    if (domainOf(to as Jid) !== domain || receive(stanza)) return { status: 202 };
    const quiet = type === "error" || stanza.name === "presence";
    if (quiet) return { status: 202 };
    return xmppAnswer(errorReply(stanza, { type: "cancel", condition: "service-unavailable" }));
  };

  const handleOld = async ({ headers, body }: SeenRequest): Promise<Answer> => {
    const refuse = (status: number, title: string, why: string): Answer => ({
      status,
      headers: { "content-type": "text/html; charset=utf-8" },
      body: page(`${status} ${title}`, "That&apos;s all I know.", why),
    });
    if (headers["content-type"] !== "application/xmpp+xml") {
      return refuse(415, "Unsupported Media Type", "&apos;application/xmpp+xml&apos; expected");
    }
    let stanza: Element;
    try {
      stanza = parseStanza(body);
    } catch {
      return refuse(400, "Bad Request", "unclosed token (line 1, col 1))");
    }
    if (stanza.attrs.to === undefined) return refuse(400, "Bad Request", "Invalid destination JID");
    if (domainOf(stanza.attrs.from as Jid) !== component) {
      return refuse(403, "Forbidden", "Source JID must belong to current host");
    }
    const answer = await route(stanza, 120);
    const handedOver = answer.status === 202 && stanza.name !== "iq";
    return handedOver ? { status: 500, body: handedOver2019 } : answer;
  };

  const handle = async (request: SeenRequest): Promise<Answer> => {
    const { method, path, headers, body } = request;
    if (path !== "/rest" || method !== "POST") return { status: 404 };
    if (oldModule) return handleOld(request);
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
    return route(stanza, Number(headers["prosody-rest-timeout"] ?? 120));
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
      /** What the client answers to IQs from now on; for undefined it lets the time limit pass. */
      answerIqs: (answer: (iq: Element) => Element | undefined): void => void iqAnswers.set(jid, answer),
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
    if (oldModule) return;
    await open()
      .send("", {}, "OPTIONS")
      .catch(() => undefined);
  };

  /** A room of the service beside it. The stanzas for one occupant come in order, those for the bridge on connections of their own. */
  const openMuc = (local: string, mucOptions: FakeMucOptions = {}): FakeMuc => {
    const hand = async (stanza: Element): Promise<void> => {
      if ((await deliver(stanza))?.attrs.type === "error") mucOptions.onBounce?.(stanza);
    };
    const muc = createFakeMuc(`${local}@${mucDomain}`, mucOptions, (stanza) => {
      if (domainOf(stanza.attrs.to as Jid) === component) void hand(stanza);
      else receive(stanza);
    });
    mucs.set(muc.jid, muc);
    return muc;
  };

  return {
    ...server,
    muc: openMuc,
    restUrl: `${server.url}/rest`,
    domain,
    component,
    secret,
    callbackSecret,
    oldModule,
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
