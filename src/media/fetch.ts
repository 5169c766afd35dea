/** Fetches a file from a link that a stranger has sent, without being led anywhere it should not go. */
import type { IncomingMessage } from "node:http";
import type { LookupFunction } from "node:net";
import { mediaTypeOf } from "../mapping/file-names.ts";
import type { Address, Guard } from "./guard.ts";
import { isPlain, lengthOf, requestStream } from "./request.ts";

export interface FetchDeps {
  guard: Guard;
  maxBytes: number;
}

export interface Fetched {
  type: string | undefined;
  size: number | undefined;
  /** Ends with a NotCopiedError where there are more bytes than there may be. */
  body: AsyncIterable<Buffer>;
}

/** The file stays where it is. `reason` is for the person who gets the link instead, where the link itself does not tell. */
export class NotCopiedError extends Error {
  override readonly name = "NotCopiedError";
  readonly reason: string | undefined;
  constructor(message: string, options: { reason?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.reason = options.reason;
  }
}

export type FetchFile = (url: string, signal: AbortSignal) => Promise<Fetched>;

const mostRedirects = 3;
const redirects: readonly unknown[] = [301, 302, 303, 307, 308];

export const tooLarge = (): NotCopiedError =>
  new NotCopiedError("the file is too large", { reason: "it is too large" });

/** The connection goes to the address that was checked, whatever the name stands for by then. */
const pinnedTo =
  ({ address, family }: Address): LookupFunction =>
  (_name, options, done) =>
    options.all ? done(null, [{ address, family }]) : done(null, address, family);

function nextUrl(from: URL, location: string | undefined): URL {
  const next = URL.parse(location ?? "", from.href);
  if (!next) throw new NotCopiedError("a redirect leads nowhere");
  if (from.protocol === "https:" && next.protocol !== "https:")
    throw new NotCopiedError("a redirect leads away from https");
  return next;
}

export function createFetch({ guard, maxBytes }: FetchDeps): FetchFile {
  const open = async (url: URL, signal: AbortSignal): Promise<IncomingMessage> => {
    const isWeb = url.protocol === "https:" || url.protocol === "http:";
    if (!isWeb || url.username !== "" || url.password !== "")
      throw new NotCopiedError("this is no link that may be followed");
    const address = await guard.addressOf(url.hostname);
    if (!address)
      throw new NotCopiedError("the address is not public", { reason: "its server is in a private network" });
    // No cookies, no credentials, no referrer: nothing but the wish.
    const headers = { accept: "*/*", "accept-encoding": "identity", "user-agent": "Causeway" };
    return requestStream(url, { headers, lookup: pinnedTo(address), signal });
  };

  const limited = async function* (answer: IncomingMessage): AsyncGenerator<Buffer> {
    let size = 0;
    for await (const chunk of answer) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      yield chunk;
    }
  };

  return async (link, signal) => {
    let url = URL.parse(link);
    if (!url) throw new NotCopiedError("this is no URL");
    let answer = await open(url, signal);
    for (let turn = 0; redirects.includes(answer.statusCode); turn += 1) {
      answer.destroy();
      if (turn === mostRedirects) throw new NotCopiedError("there are too many redirects");
      url = nextUrl(url, answer.headers.location);
      answer = await open(url, signal);
    }
    try {
      if (answer.statusCode !== 200) throw new NotCopiedError(`status ${answer.statusCode}`);
      if (!isPlain(answer)) throw new NotCopiedError("the answer is compressed");
      const size = lengthOf(answer);
      if (size !== undefined && size > maxBytes) throw tooLarge();
      return { type: mediaTypeOf(answer.headers["content-type"]), size, body: limited(answer) };
    } catch (error) {
      answer.destroy();
      throw error;
    }
  };
}
