/** Links to media for people without an account on the homeserver: signed, and good until they expire. */
import { createHmac, hkdfSync } from "node:crypto";
import { sameSecret } from "../http/credentials.ts";

export interface MediaLinksDeps {
  /** Without a slash at the end. */
  publicUrl: string;
  key: Buffer;
  lastMs: number;
  /** Unix time in milliseconds. */
  now: () => number;
}

export type ReadLink =
  | { kind: "good"; mxc: string; expiresAt: number }
  | { kind: "expired" }
  /** It is not one of ours, or something in it was changed. */
  | { kind: "wrong" };

export interface MediaLinks {
  /** @param name as `fileNameOf` gives it. */
  linkOf(file: { mxc: string; name: string }): string;
  /** @param name decoded. */
  read(token: string, name: string): ReadLink;
}

export const mediaPath = "/media";
/** What is answered to a link that is none; `causeway check` knows the bridge by it. */
export const noSuchFile = "There is no such file here.";

/** A link that is made again soon after is the same, so that clients recognise it. */
const roundMs = 60 * 60 * 1000;

/** No one of the servers that share a secret with the bridge can make the key from what it knows. */
export const mediaKeyOf = (secrets: readonly string[]): Buffer =>
  Buffer.from(hkdfSync("sha256", secrets.join("\n"), "", "causeway media links", 32));

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export function createMediaLinks({ publicUrl, key, lastMs, now }: MediaLinksDeps): MediaLinks {
  // What is signed is the very text of the link, so no other text passes for it.
  const sign = (payload: string, name: string): string =>
    createHmac("sha256", key).update(`${payload}\n${name}`).digest("base64url");

  return {
    linkOf({ mxc, name }) {
      const expiresAt = Math.ceil((now() + lastMs) / roundMs) * roundMs;
      const payload = Buffer.from(`${expiresAt / 1000} ${mxc}`).toString("base64url");
      return `${publicUrl}${mediaPath}/${payload}.${sign(payload, name)}/${encode(name)}`;
    },

    read(token, name) {
      const [payload = "", mac = "", ...more] = token.split(".");
      if (more.length > 0 || !sameSecret(mac, sign(payload, name))) return { kind: "wrong" };
      const [seconds = "", mxc = ""] = Buffer.from(payload, "base64url").toString("utf8").split(" ");
      const expiresAt = Number(seconds) * 1000;
      return expiresAt > now() ? { kind: "good", mxc, expiresAt } : { kind: "expired" };
    },
  };
}
