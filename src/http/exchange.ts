/** One request and its whole answer, over Node's own client: whatever stands between costs more than the bridge itself. */
import { type Agent, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

export interface Outgoing {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body?: string | undefined;
  agent: Agent;
  /** How long the connection may be silent. */
  timeoutMs: number;
  /** The answer is broken off where there are more. */
  maxBytes?: number | undefined;
  /** Given what breaks the request off, with the code of the error. */
  onBegin(breakOff: (code: string) => void): void;
}

export interface Incoming {
  status: number;
  headers: Record<string, string>;
  bytes: Buffer;
}

/** Why there is no answer, in the words of Node or of this file. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  readonly code: string;
  /** The server may have closed the connection before it could read anything of the request. */
  readonly wasStale: boolean;
  constructor(code: string, wasStale: boolean, cause?: unknown) {
    super(code, { cause });
    this.code = code;
    this.wasStale = wasStale;
  }
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code ?? "UNKNOWN");

/** @throws ExchangeError; any status is an answer. */
export function exchange({ url, body, maxBytes, onBegin, ...options }: Outgoing): Promise<Incoming> {
  return new Promise((resolve, reject) => {
    const { timeoutMs: timeout, method, agent } = options;
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const headers = { ...options.headers, ...length };
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const request = send(url, { method, headers, agent, timeout });
    const fail = (error: unknown, wasStale = false): void =>
      reject(new ExchangeError(codeOf(error), wasStale, error));
    // Not with an error: the connection may have been handed on already, and nobody would catch it there.
    const breakOff = (code: string): void => {
      reject(new ExchangeError(code, false));
      request.destroy();
    };
    request.once("timeout", () => breakOff("ECONNABORTED"));
    request.on("error", (error) => fail(error, request.reusedSocket && codeOf(error) === "ECONNRESET"));
    let isAnswered = false;
    request.once("response", (response) => {
      isAnswered = true;
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > (maxBytes ?? Number.POSITIVE_INFINITY)) breakOff("ERR_TOO_LARGE");
        else chunks.push(chunk);
      });
      response.on("error", (error) => fail(error));
      response.once("end", () => {
        const { statusCode: status = 0 } = response;
        const given = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve({ status, headers: Object.fromEntries(given), bytes: Buffer.concat(chunks) });
      });
    });
    // Without an error or an answer where the answer was 101, which nobody has asked for.
    request.once("close", () => isAnswered || breakOff("ECONNRESET"));
    onBegin(breakOff);
    request.end(body);
  });
}
