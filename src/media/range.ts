/** Ranges of a body that itself comes only as a whole (RFC 9110 §14). */
import type { IncomingHttpHeaders } from "node:http";

export interface Range {
  /** First and last byte, both included. */
  start: number;
  end: number;
}

/** @returns the one range that is asked for, undefined for the whole, or "none" where there are no such bytes. */
export function rangeOf(
  { range, "if-range": ifRange }: IncomingHttpHeaders,
  length: number,
): Range | "none" | undefined {
  // Nothing here has a validator, so none can match (RFC 9110 §13.1.5).
  if (ifRange !== undefined) return undefined;
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range?.trim() ?? "") ?? [];
  // Several ranges, and what is no range, may be answered with the whole (§14.2).
  if (first === "" && last === "") return undefined;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  const start = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === "" || last === "" ? length - 1 : Math.min(length - 1, Number(last));
  return start <= end ? { start, end } : "none";
}

/** The bytes of a range; what comes before is thrown away, and nothing is read of what comes after. */
export async function* slice(
  body: AsyncIterable<Buffer>,
  { start, end }: Range,
): AsyncGenerator<Buffer, void, undefined> {
  let at = 0;
  for await (const chunk of body) {
    const first = Math.max(start - at, 0);
    if (first < chunk.length) yield chunk.subarray(first, end - at + 1);
    at += chunk.length;
    if (at > end) return;
  }
}

/** @throws Error where there are more bytes than there may be. */
export async function* upTo(
  body: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`there are more than ${maxBytes} bytes`);
    yield chunk;
  }
}
