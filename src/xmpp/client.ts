/** Prosody as the bridge calls it: `POST /rest` of mod_rest, one stanza a request. */
import type { Http, HttpAnswer } from "../http/client.ts";
import { failureOfRest } from "../mapping/errors.ts";
import {
  type Element,
  parseStanza,
  readError,
  type StanzaError,
  StanzaSyntaxError,
  serialize,
} from "./stanza.ts";

/** mod_rest did not take the request itself, whatever its stanza says. */
export class RestError extends Error {
  override readonly name = "RestError";
  readonly status: number;
  constructor(status: number, body: string) {
    super(`mod_rest answered ${status}${body ? `: ${body.slice(0, 200)}` : ""}`);
    this.status = status;
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
}

export interface XmppClient {
  /**
   * Hands one stanza to Prosody.
   * @returns the stanza that Prosody answered at once, or undefined where it accepted without one.
   * @throws StanzaRefusedError, RestError, or NoAnswerError.
   */
  send(stanza: Element): Promise<Element | undefined>;
}

const authorization = (auth: RestAuth): string =>
  "bearer" in auth
    ? `Bearer ${auth.bearer}`
    : `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;

const readReply = (answer: HttpAnswer): Element | undefined => {
  if (answer.status !== 200 || answer.body.trim() === "") return undefined;
  try {
    return parseStanza(answer.body);
  } catch (error) {
    if (error instanceof StanzaSyntaxError) return undefined;
    throw error;
  }
};

export function createXmppClient({ http, auth, onContact }: XmppClientDeps): XmppClient {
  const headers = {
    "content-type": "application/xmpp+xml",
    accept: "application/xmpp+xml",
    ...(auth && { authorization: authorization(auth) }),
  };
  return {
    async send(stanza) {
      let answer: HttpAnswer;
      try {
        answer = await http.request({ method: "POST", path: "", headers, body: serialize(stanza) });
      } catch (error) {
        onContact?.((error as Error).message);
        throw error;
      }
      const down = answer.status >= 500 ? `answered with status ${answer.status}` : undefined;
      const taken = answer.status === 200 || answer.status === 202;
      onContact?.(taken ? undefined : (failureOfRest(answer.status).operator ?? down));
      if (!taken) throw new RestError(answer.status, answer.body);
      const reply = readReply(answer);
      if (reply?.attrs.type === "error") throw new StanzaRefusedError(readError(reply));
      return reply;
    },
  };
}
