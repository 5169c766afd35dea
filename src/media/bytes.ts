/** Looks at the first bytes of a stream, and tells from them what a file really is. */
import { imageDimensionsFromData } from "image-dimensions";

export interface Peeked {
  /** The first bytes; all of them where there are fewer than asked for. */
  head: Buffer;
  /** All bytes, the first ones included. */
  all: AsyncIterable<Buffer>;
}

/** Reads `bytes` ahead, or a little more. */
export async function peek(body: AsyncIterable<Buffer>, bytes: number): Promise<Peeked> {
  const rest = body[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  let size = 0;
  while (size < bytes) {
    const { done, value } = await rest.next();
    if (done) break;
    chunks.push(value);
    size += value.length;
  }
  const all = async function* (): AsyncGenerator<Buffer> {
    yield* chunks;
    yield* { [Symbol.asyncIterator]: () => rest };
  };
  return { head: Buffer.concat(chunks), all: all() };
}

export interface Sniffed {
  type: string;
  width: number;
  height: number;
}

/** An image that every client of today can show, or undefined where the bytes are none. */
export function sniffImage(head: Buffer): Sniffed | undefined {
  try {
    const found = imageDimensionsFromData(head);
    // Browsers other than Safari do not show HEIC.
    if (!found || found.type === "heic") return undefined;
    return { type: `image/${found.type}`, width: found.width, height: found.height };
  } catch {
    return undefined;
  }
}

/** Opus in Ogg (RFC 7845 §5.1), which is what voice messages are on Matrix. */
export const isOpus = (head: Buffer): boolean =>
  head.toString("latin1", 0, 4) === "OggS" && head.subarray(0, 256).includes("OpusHead");
