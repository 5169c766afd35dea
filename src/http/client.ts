/** Calls to either server: kept-alive connections, bounded concurrency, retries for seconds; lanes do the rest. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import pRetry from "p-retry";
import { ExchangeError, exchange } from "./exchange.ts";

/** No usable answer came. `sent` tells whether the server may have acted on the request all the same. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
  readonly code: string;
  readonly sent: boolean;
  constructor(code: string, sent: boolean, cause: unknown) {
    super(`no answer (${code})`, { cause });
    this.code = code;
    this.sent = sent;
  }
}

export interface HttpRequest {
  method: "DELETE" | "GET" | "POST" | "PUT";
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
  /** Repeating the request changes nothing, so it may be repeated without knowing what became of it. */
  repeatable?: boolean;
  /** In place of the usual limit. */
  timeoutMs?: number;
  /** The answer is wanted as bytes, and broken off where there are more. */
  maxBytes?: number;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  /** Empty where bytes were asked for and came. */
  body: string;
  bytes?: Buffer;
}

export interface HttpDeps {
  baseUrl: string;
  headers: Record<string, string>;
  /** Requests in flight at once; more wait their turn. */
  maxInFlight: number;
  timeoutMs: number;
  /** The server reads nothing on a connection that it resets while idle, so one repeat there is safe. */
  repeatAfterReset?: boolean;
  /** Told after each request, the repeated ones included; without a status where no usable answer came. */
  onAnswer?: (answer: { method: string; path: string; status: number | undefined; seconds: number }) => void;
}

export interface Http {
  /** @throws NoAnswerError; any status is an answer. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** Breaks off what is in flight; its callers get a NoAnswerError. */
  close(): void;
}

const notSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);
const passing = new Set([429, 502, 503, 504]);
const patience = { retries: 3, minTimeout: 200, factor: 2, randomize: true, maxTimeout: 2000 };

/** In milliseconds; timers overflow at 24 days and would then fire at once. */
const longestWait = 60 * 60 * 1000;

/** Seconds or a date in `Retry-After`, or Matrix's older `retry_after_ms`, as milliseconds from now, at most an hour. */
export function retryAfterOf(answer: HttpAnswer, now: number): number | undefined {
  const header = answer.headers["retry-after"];
  if (header !== undefined) {
    const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
    if (!Number.isNaN(ms)) return Math.min(longestWait, Math.max(0, ms));
  }
  const inBody = /"retry_after_ms"\s*:\s*(\d+)/.exec(answer.body)?.[1];
  return inBody === undefined ? undefined : Math.min(longestWait, Number(inBody));
}

/** Carries a refusal that may pass through p-retry, and is unwrapped behind it. */
class PassingAnswer extends Error {
  readonly answer: HttpAnswer;
  constructor(answer: HttpAnswer) {
    super(`status ${answer.status}`);
    this.answer = answer;
  }
}

export function createHttp(deps: HttpDeps): Http {
  const options = { keepAlive: true, maxSockets: deps.maxInFlight, scheduling: "fifo" as const };
  const base = deps.baseUrl.replace(/\/+$/, "");
  const agent = base.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
  const inFlight = new Set<(code: string) => void>();
  let isClosed = false;

  const once = async (request: HttpRequest, mayRepeat: boolean, isRepeat = false): Promise<HttpAnswer> => {
    const { method, path, query, body, maxBytes } = request;
    const url = new URL(base + path);
    for (const [key, value] of Object.entries(query ?? {})) url.searchParams.append(key, value);
    const begun = performance.now();
    let breakOff: ((code: string) => void) | undefined;
    const tell = (status: number | undefined): void =>
      deps.onAnswer?.({ method, path, status, seconds: (performance.now() - begun) / 1000 });
    try {
      const { status, headers, bytes } = await exchange({
        url,
        method,
        headers: { ...deps.headers, ...request.headers },
        body,
        agent,
        timeoutMs: request.timeoutMs ?? deps.timeoutMs,
        maxBytes,
        onBegin(given) {
          breakOff = given;
          inFlight.add(given);
          if (isClosed) given("ERR_CANCELED");
        },
      });
      tell(status);
      const isWanted = maxBytes !== undefined && status >= 200 && status < 300;
      return { status, headers, ...(isWanted ? { body: "", bytes } : { body: bytes.toString() }) };
    } catch (error) {
      tell(undefined);
      if (!(error instanceof ExchangeError)) throw error;
      if (mayRepeat && error.wasStale) return once(request, false, true);
      // A server that is being stopped may have read what it reset.
      throw new NoAnswerError(error.code, isRepeat || !notSent.has(error.code), error);
    } finally {
      if (breakOff) inFlight.delete(breakOff);
    }
  };

  return {
    async request(request) {
      const attempt = async (): Promise<HttpAnswer> => {
        const answer = await once(request, deps.repeatAfterReset ?? false);
        if (passing.has(answer.status)) throw new PassingAnswer(answer);
        return answer;
      };
      try {
        return await pRetry(attempt, {
          ...patience,
          shouldRetry: ({ error }) => {
            if (isClosed) return false;
            if (error instanceof NoAnswerError) return request.repeatable === true || !error.sent;
            if (!(error instanceof PassingAnswer)) return false;
            // A gateway's 5xx says nothing about whether the server behind it has acted.
            return error.answer.status === 429 || request.repeatable === true;
          },
          onFailedAttempt: async ({ error, retriesLeft }) => {
            if (!(error instanceof PassingAnswer) || retriesLeft === 0) return;
            const wait = retryAfterOf(error.answer, Date.now()) ?? 0;
            // Longer waits are the lane's, which holds nothing open meanwhile.
            if (wait > patience.maxTimeout * 2) throw error;
            await new Promise((resolve) => setTimeout(resolve, wait));
          },
        });
      } catch (error) {
        if (error instanceof PassingAnswer) return error.answer;
        throw error;
      }
    },
    close() {
      isClosed = true;
      for (const breakOff of inFlight) breakOff("ERR_CANCELED");
      agent.destroy();
    },
  };
}
