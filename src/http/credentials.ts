/** Compares what a caller presents with what is expected, in a time that tells nothing. */
import { createHash, timingSafeEqual } from "node:crypto";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

export const sameSecret = (presented: string, expected: string): boolean =>
  timingSafeEqual(digest(presented), digest(expected));

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1). */
export const readBearer = (header: string | undefined): string | undefined =>
  /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];

/** `user:password` of an `Authorization: Basic` header (RFC 7617 §2). */
export function readBasic(header: string | undefined): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? "")?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8");
}
