/** Who may see the status page: whoever knows `admin.token`, shown once in a form or as a bearer with each request. */
import { createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { readBearer, sameSecret } from "../../http/credentials.ts";

/** A browser that has shown the token, or a program that shows it. */
export interface Session {
  /** What a form has to bring along, so that no other site can have a browser send it; a bearer needs none. */
  formKey: string | undefined;
}

export interface Access {
  /** @returns undefined where the request shows nothing, or nothing valid. */
  sessionOf(req: IncomingMessage): Session | undefined;
  isToken(presented: string): boolean;
  mayPost(session: Session, formKey: string | null): boolean;
  /** The cookie of a new session, or one that ends the session, as in `Set-Cookie` (RFC 6265 §4.1). */
  cookie(): string;
  endingCookie(): string;
}

export interface AccessDeps {
  token: string;
  /** Unix time in milliseconds. */
  now: () => number;
}

const name = "causeway_status";
const lastsMs = 7 * 24 * 60 * 60 * 1000;
const attributes = "Path=/; HttpOnly; SameSite=Strict";

const readCookie = (header: string | undefined): string | undefined =>
  header
    ?.split(";")
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);

/** Sessions are signed with the token and stored nowhere: they outlive a restart and end with a new token. */
export function createAccess({ token, now }: AccessDeps): Access {
  const sign = (text: string): string => createHmac("sha256", token).update(text).digest("base64url");
  const isValid = (session: string): boolean => {
    const [expires = "", signature = "", ...more] = session.split(".");
    const isOurs = sameSecret(signature, sign(`session ${expires}`));
    return isOurs && more.length === 0 && Number(expires) > now();
  };

  return {
    sessionOf({ headers }) {
      const bearer = readBearer(headers.authorization);
      if (bearer !== undefined && sameSecret(bearer, token)) return { formKey: undefined };
      const session = readCookie(headers.cookie);
      return session !== undefined && isValid(session) ? { formKey: sign(`form ${session}`) } : undefined;
    },
    isToken: (presented) => sameSecret(presented, token),
    mayPost: ({ formKey }, presented) => formKey === undefined || sameSecret(presented ?? "", formKey),
    cookie() {
      const expires = String(now() + lastsMs);
      return `${name}=${expires}.${sign(`session ${expires}`)}; Max-Age=${lastsMs / 1000}; ${attributes}`;
    },
    endingCookie: () => `${name}=; Max-Age=0; ${attributes}`,
  };
}
