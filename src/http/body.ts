/** Reads the body of a request, up to a limit that counts from the first byte on. */
import type { IncomingMessage } from "node:http";

/** The body cannot be had; `status` is the answer that says why. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly status: 400 | 413 | 415 | 503;
  constructor(status: BodyError["status"], message: string) {
    super(message);
    this.status = status;
  }
}

const firstBytes = 4096;

/** How many bytes may be held for bodies that are under way, all together. */
export interface Room {
  left: number;
}

/**
 * Compressed bodies are not taken: nobody sends any here, and few bytes could stand for many.
 * @throws BodyError as soon as it is clear that the body cannot be had; what follows of it is thrown away.
 */
export function readBody(req: IncomingMessage, limit: number, room: Room = { left: limit }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Bodies that come in single bytes would cost a hundred times their size if each piece were kept.
    let held = Buffer.alloc(0);
    let size = 0;
    const finish = (error?: BodyError): void => {
      room.left += held.length;
      req.off("data", take).off("end", finish).off("close", breakOff);
      if (error) {
        req.resume();
        reject(error);
      } else resolve(held.subarray(0, size));
    };
    const tooLarge = (): void => finish(new BodyError(413, `The body exceeds ${limit} bytes.`));
    const breakOff = (): void => finish(new BodyError(400, "The body was broken off."));
    const take = (chunk: Buffer): void => {
      if (size + chunk.length > limit) {
        tooLarge();
        return;
      }
      if (size + chunk.length > held.length) {
        const wanted = Math.max(firstBytes, 2 * held.length, size + chunk.length);
        const larger = Buffer.allocUnsafe(Math.min(limit, wanted));
        const growth = larger.length - held.length;
        if (growth > room.left) {
          finish(new BodyError(503, "Too many bodies are under way; send it again."));
          return;
        }
        room.left -= growth;
        held.copy(larger, 0, 0, size);
        held = larger;
      }
      chunk.copy(held, size);
      size += chunk.length;
    };

    const encoding = req.headers["content-encoding"]?.trim().toLowerCase() || "identity";
    if (encoding !== "identity") return finish(new BodyError(415, "Only bodies without encoding are taken."));
    if (Number(req.headers["content-length"] ?? 0) > limit) return tooLarge();
    if (req.destroyed && !req.complete) return breakOff();
    // An "error" comes before "close" and says no more than that.
    req
      .on("data", take)
      .on("end", finish)
      .on("close", breakOff)
      .on("error", () => undefined);
  });
}
