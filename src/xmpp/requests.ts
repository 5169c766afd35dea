/** IQs that the bridge sends, on behalf of any of its addresses: RFC 6120 §8.2.3, over `POST /rest`. */
import pLimit from "p-limit";
import { NoAnswerError } from "../http/client.ts";
import { type IqAnswer, IqTimeoutError, StanzaRefusedError, type XmppClient } from "./client.ts";
import { domainOf, type Jid } from "./jid.ts";
import { type Element, readError, xml } from "./stanza.ts";

export interface IqRequest {
  /** An address on the component. */
  from: Jid;
  /** Never on the component: mod_rest of 2019 answers results, and one to ourselves would go round for ever. */
  to: Jid;
  type?: "get" | "set";
  payload: Element;
  timeoutSeconds?: number;
}

export interface IqRequests {
  /**
   * @returns the result stanza.
   * @throws StanzaRefusedError, IqTimeoutError, IqUnansweredError, RestError, or NoAnswerError.
   */
  request(iq: IqRequest): Promise<Element>;
  /**
   * As `request`, with the messages that came along ahead of the result, as those of an archive do (XEP-0313): they
   * come by the HTTP call, so that is waited for.
   */
  requestAll(iq: IqRequest): Promise<IqAnswer>;
  /** An IQ of type result or error has come through the callback: too late for its HTTP call, or unasked for. */
  settle(answer: Element): void;
  /** IQs of which the HTTP call is not over yet. */
  outstanding(): number;
  /** Prosody was restarted, so nothing that was asked before will be answered. */
  abandon(): void;
  /** Nothing more is waited for. */
  close(): void;
}

export interface IqRequestsDeps {
  /** With connections of its own, since each IQ holds one until its answer comes. */
  xmpp: Pick<XmppClient, "ask">;
  component: string;
  /** Unique over all our addresses and over restarts: mod_rest tells answers apart by nothing else. */
  newId: () => string;
  /** How long an answer may come through the callback after the HTTP call has ended without one. */
  lateMs?: number;
}

/** Prosody keeps 256 for a component and drops the oldest for the next. */
export const maxOutstanding = 64;
const usualTimeoutSeconds = 30;

interface Waiting {
  from: Jid;
  /** What the callback has brought, while the HTTP call goes on or after it. */
  answer: Promise<IqAnswer>;
  resolve(answer: IqAnswer): void;
  reject(error: unknown): void;
  /** What the HTTP call has ended with. */
  error?: unknown;
}

export function createIqRequests({ xmpp, component, newId, lateMs = 5000 }: IqRequestsDeps): IqRequests {
  const limit = pLimit(maxOutstanding);
  const late = new Map<string, Waiting>();
  let closed = false;

  const expect = (id: string, from: Jid): Waiting => {
    const { promise: answer, resolve, reject } = Promise.withResolvers<IqAnswer>();
    answer.catch(() => undefined);
    const waiting = { from, answer, resolve, reject };
    late.set(id, waiting);
    return waiting;
  };

  const waitForLate = async (waiting: Waiting, error: unknown): Promise<IqAnswer> => {
    waiting.error = error;
    const timer = setTimeout(() => waiting.reject(error), lateMs);
    try {
      return await waiting.answer;
    } finally {
      clearTimeout(timer);
    }
  };

  const send = ({ from, to, type = "get", payload, timeoutSeconds }: IqRequest) => {
    if (domainOf(from) !== component || domainOf(to) === component) {
      throw new Error(`an IQ goes from an address of the bridge to one of others, not from ${from} to ${to}`);
    }
    const id = newId();
    const iq = xml("iq", { type, from, to, id }, payload);
    const waiting = expect(id, to);
    const call = limit(async () => {
      try {
        return await xmpp.ask(iq, timeoutSeconds ?? usualTimeoutSeconds);
      } catch (error) {
        const mayComeLate = error instanceof IqTimeoutError || (error instanceof NoAnswerError && error.sent);
        if (!mayComeLate || closed) throw error;
        return await waitForLate(waiting, error);
      } finally {
        late.delete(id);
      }
    });
    return { call, callback: waiting.answer };
  };

  const abandon = (): void => {
    for (const { reject, error } of late.values()) if (error !== undefined) reject(error);
  };

  return {
    requestAll: async (iq) => send(iq).call,
    async request(iq) {
      const { call, callback } = send(iq);
      // COMPAT(mod_rest): what another server answers for an occupant comes to the callback at once, and the call hangs.
      return (await Promise.race([call, callback])).result;
    },
    outstanding: () => limit.activeCount + limit.pendingCount,

    settle(answer) {
      const { id, from, type } = answer.attrs;
      const waiting = late.get(id);
      if (!waiting || waiting.from !== from) return;
      if (type === "error") waiting.reject(new StanzaRefusedError(readError(answer)));
      else waiting.resolve({ result: answer, messages: [] });
    },

    abandon,
    close() {
      closed = true;
      abandon();
    },
  };
}
