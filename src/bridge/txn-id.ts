/** IDs that derive from a cause, so that doing something again does the same. */
import { createHash } from "node:crypto";

export const sha256 = (text: string) => createHash("sha256").update(text);

/** Synapse takes one transaction ID by two ghosts for one and the same, so the ghost is part of it. */
export const txnId = (cause: string, part: string): string => sha256(`${cause}\n${part}`).digest("base64url");
