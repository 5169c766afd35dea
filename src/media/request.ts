/** One HTTP request whose bodies are streamed, on a connection of its own that can be led to a chosen address. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface StreamingRequest {
  method?: "GET" | "POST";
  headers: Record<string, string>;
  body?: AsyncIterable<Uint8Array>;
  /** How long neither side may be silent. */
  silentMs?: number | undefined;
  /** In place of the system's. */
  lookup?: LookupFunction;
  /** Breaks the request off, its answer's body included. */
  signal: AbortSignal;
}

/** The server has said nothing for too long. */
export class SilenceError extends Error {
  override readonly name = "SilenceError";
}

/** The answer's body has to be read or destroyed. Rejects with what the request's own body throws, too. */
export function requestStream(url: URL, options: StreamingRequest): Promise<IncomingMessage> {
  const { method = "GET", headers, body, silentMs = 30_000, lookup, signal } = options;
  const start = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = start(url, { method, headers, agent: false, signal, ...(lookup && { lookup }) });
    sent.setTimeout(silentMs, () => sent.destroy(new SilenceError(`nothing came for ${silentMs} ms`)));
    // An error after the answer has begun is the body's, which its reader sees.
    sent.on("response", resolve).on("error", reject);
    // Without an error where the answer was 101, which nobody has asked for.
    sent.on("close", () => reject(new Error("the connection was closed without an answer")));
    if (body) pipeline(Readable.from(body), sent).catch(reject);
    else sent.end();
  });
}

/** The beginning of a body that is expected to be short; the rest is thrown away. */
export async function readShort(answer: IncomingMessage, limit = 16 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What `content-length` says, if it is a number. */
export function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = headers["content-length"];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

/** Nothing here takes compressed bodies apart: few bytes could stand for many. */
export const isPlain = ({ headers }: IncomingMessage): boolean =>
  (headers["content-encoding"] ?? "identity").trim().toLowerCase() === "identity";
