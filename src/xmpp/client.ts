/** Prosody as the bridge calls it: `POST /rest` of mod_rest, one stanza a request. */
import type { Http, HttpAnswer } from "../http/client.ts";
import { failureOfRest, statusOfProxy } from "../mapping/errors.ts";
import { type RestReason, readRestAnswer } from "./rest-answer.ts";
import { type Element, readError, type StanzaError, serialize } from "./stanza.ts";

/** mod_rest did not take the request itself, whatever its stanza says. */
export class RestError extends Error {
  override readonly name = "RestError";
  readonly status: number;
  readonly condition: string | undefined;
  /** A proxy in front of Prosody has answered in its place. */
  readonly isProxys: boolean;
  constructor(status: number, { condition, text }: RestReason, isProxys = false) {
    const why = text ?? condition;
    super(`mod_rest answered ${status}${why ? `: ${why}` : ""}`);
    this.status = status;
    this.condition = condition;
    this.isProxys = isProxys;
  }
}

/** The IQ was taken, and its addressee has not answered in time. */
export class IqTimeoutError extends Error {
  override readonly name = "IqTimeoutError";
  constructor() {
    super("the IQ was not answered in time");
  }
}

/** The IQ was taken, and what came is no answer to it: nothing at all, or no stanza. */
export class IqUnansweredError extends Error {
  override readonly name = "IqUnansweredError";
  constructor(what: string) {
    super(`mod_rest took an IQ and answered it with ${what}`);
  }
}

/** The stanza was taken and answered at once with an error. */
export class StanzaRefusedError extends Error {
  override readonly name = "StanzaRefusedError";
  readonly error: StanzaError;
  constructor(error: StanzaError) {
    super(`refused with ${error.type}/${error.condition}${error.text ? `: ${error.text}` : ""}`);
    this.error = error;
  }
}

export type RestAuth = { username: string; password: string } | { bearer: string };

export interface XmppClientDeps {
  http: Http;
  /** Left out for a mod_rest without authentication. */
  auth?: RestAuth | undefined;
  /** Told after each call: undefined where mod_rest took the request, else what was wrong. */
  onContact?: (problem: string | undefined) => void;
  /** Told of each stanza that mod_rest took. */
  onTaken?: (stanza: Element) => void;
}

export interface IqAnswer {
  result: Element;
  /** What came along ahead of the result, as the messages of an archive do (XEP-0313). */
  messages: Element[];
}

export interface XmppClient {
  /**
   * Hands a message or presence to Prosody.
   * @returns the stanza that Prosody answered at once, or undefined where it accepted without one.
   * @throws StanzaRefusedError, RestError, or NoAnswerError.
   */
  send(stanza: Element): Promise<Element | undefined>;
  /**
   * Hands an IQ of type get or set to Prosody and waits for its result.
   * @throws StanzaRefusedError, IqTimeoutError, IqUnansweredError, RestError, or NoAnswerError.
   */
  ask(iq: Element, timeoutSeconds: number): Promise<IqAnswer>;
}

const authorization = (auth: RestAuth): string =>
  "bearer" in auth
    ? `Bearer ${auth.bearer}`
    : `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;

const throwRefusal = (stanza: Element | undefined): void => {
  if (stanza?.attrs.type === "error") throw new StanzaRefusedError(readError(stanza));
};

/** The connection is to outlive the answer's own time limit. */
const graceMs = 5000;

export function createXmppClient({ http, auth, onContact, onTaken }: XmppClientDeps): XmppClient {
  const headers = {
    "content-type": "application/xmpp+xml",
    accept: "application/xmpp+xml",
    ...(auth && { authorization: authorization(auth) }),
  };
  // COMPAT(mod_rest of 2019-12-30): the one without credentials answers 500 to each message or presence that it has
  // handed over, and to nothing else with a reason that can be read.
  const isHandedOver = (stanza: Element, answer: HttpAnswer): boolean =>
    auth === undefined && answer.status === 500 && stanza.name !== "iq";

  const post = async (stanza: Element, timeoutSeconds?: number) => {
    let answer: HttpAnswer;
    try {
      answer = await http.request({
        method: "POST",
        path: "",
        headers: {
          ...headers,
          ...(timeoutSeconds !== undefined && { "prosody-rest-timeout": String(timeoutSeconds) }),
        },
        body: serialize(stanza),
        ...(timeoutSeconds !== undefined && { timeoutMs: timeoutSeconds * 1000 + graceMs }),
      });
    } catch (error) {
      onContact?.((error as Error).message);
      throw error;
    }
    const read = readRestAnswer(answer);
    if (read.kind !== "refused") {
      onContact?.(undefined);
      onTaken?.(stanza);
      return read;
    }
    const { status, reason, isProxys } = read;
    if (reason.condition === undefined && isHandedOver(stanza, answer)) {
      onContact?.(undefined);
      onTaken?.(stanza);
      return { kind: "accepted" } as const;
    }
    // Prosody reports like this that nobody answers an IQ, which says nothing against Prosody.
    const ofIq = stanza.name === "iq" && reason.condition !== undefined;
    const meant = isProxys ? statusOfProxy(status) : status;
    const down = meant >= 500 && !ofIq ? `answered with status ${status}` : undefined;
    onContact?.(failureOfRest(status).operator ?? down);
    if (ofIq && reason.condition === "remote-server-timeout") throw new IqTimeoutError();
    throw new RestError(status, reason, isProxys);
  };

  return {
    async send(stanza) {
      const answer = await post(stanza);
      const [reply] = answer.kind === "stanzas" ? answer.stanzas : [];
      throwRefusal(reply);
      return reply;
    },

    async ask(iq, timeoutSeconds) {
      const answer = await post(iq, timeoutSeconds);
      if (answer.kind !== "stanzas")
        throw new IqUnansweredError(answer.kind === "accepted" ? "nothing" : "no stanza");
      const result = answer.stanzas.at(-1);
      if (result?.name !== "iq") throw new IqUnansweredError("another stanza");
      throwRefusal(result);
      return { result, messages: answer.stanzas.slice(0, -1) };
    },
  };
}
