/** The addresses of XMPP as distinct types (RFC 7622; escaping of XEP-0106 is left as it stands). */

declare const brand: unique symbol;

export type BareJid = string & { readonly [brand]: "BareJid" };
export type FullJid = string & { readonly [brand]: "FullJid" };
export type Jid = BareJid | FullJid;

export type JidParts = { local?: string; domain: string; resource?: string };

const MAX_BYTES = 1023;

// RFC 7622 §3.3.1: refused in a localpart whatever PRECIS would say of them.
const LOCAL_REFUSED = /[\s"&'/:<>@\p{Cc}]/u;
const DOMAIN = /^(?:\[[0-9a-f:.]+\]|(?!\.)(?!.*\.\.)[^\s"&'/:<>@[\]\\\p{Cc}]*[^\s"&'/:<>@[\]\\\p{Cc}.])$/u;
const RESOURCE_REFUSED = /\p{Cc}/u;

const encoder = new TextEncoder();

/**
 * Splits an untrusted address, or `undefined` if it is none. Each part has 1 to 1023 bytes. Local and domain
 * part come back in lower case; no other preparation is done, since what Prosody hands over is prepared.
 */
export function parseJid(text: string): JidParts | undefined {
  if (text.length > 3 * MAX_BYTES + 2 || !text.isWellFormed()) return undefined;
  const slash = text.indexOf("/");
  const bare = slash === -1 ? text : text.slice(0, slash);
  const resource = slash === -1 ? undefined : text.slice(slash + 1);
  const at = bare.indexOf("@");
  const local = at === -1 ? undefined : bare.slice(0, at).toLowerCase();
  // RFC 7622 §3.2: a final dot is no part of the domain.
  const domain = bare
    .slice(at + 1)
    .toLowerCase()
    .replace(/\.$/, "");

  if (!fits(domain) || !DOMAIN.test(domain)) return undefined;
  if (local !== undefined && (!fits(local) || LOCAL_REFUSED.test(local))) return undefined;
  if (resource !== undefined && (!fits(resource) || RESOURCE_REFUSED.test(resource))) return undefined;
  return {
    ...(local === undefined ? {} : { local }),
    domain,
    ...(resource === undefined ? {} : { resource }),
  };
}

/** The bare address in its normal form; `undefined` if malformed or if there is a resource. */
export function parseBareJid(text: string): BareJid | undefined {
  const parts = parseJid(text);
  return parts && parts.resource === undefined ? bareJid(parts.local, parts.domain) : undefined;
}

/** The full address in its normal form; `undefined` if malformed or if there is no resource. */
export function parseFullJid(text: string): FullJid | undefined {
  const parts = parseJid(text);
  if (parts?.resource === undefined) return undefined;
  return fullJid(bareJid(parts.local, parts.domain), parts.resource);
}

/** Joins parts that are valid already. */
export function bareJid(local: string | undefined, domain: string): BareJid {
  return (local === undefined ? domain : `${local}@${domain}`) as BareJid;
}

/** Joins parts that are valid already. */
export function fullJid(bare: BareJid, resource: string): FullJid {
  return `${bare}/${resource}` as FullJid;
}

export function isFullJid(jid: Jid): jid is FullJid {
  return jid.includes("/");
}

export function bareOf(jid: Jid): BareJid {
  return split(jid).bare as BareJid;
}

export function localOf(jid: Jid): string | undefined {
  const { bare } = split(jid);
  const at = bare.indexOf("@");
  return at === -1 ? undefined : bare.slice(0, at);
}

export function domainOf(jid: Jid): string {
  const { bare } = split(jid);
  return bare.slice(bare.indexOf("@") + 1);
}

export function resourceOf(jid: FullJid): string;
export function resourceOf(jid: Jid): string | undefined;
export function resourceOf(jid: Jid): string | undefined {
  return split(jid).resource;
}

function split(jid: Jid): { bare: string; resource: string | undefined } {
  // Only the first slash separates: a resource may hold further ones, and `@` as well.
  const slash = jid.indexOf("/");
  return slash === -1
    ? { bare: jid, resource: undefined }
    : { bare: jid.slice(0, slash), resource: jid.slice(slash + 1) };
}

function fits(part: string): boolean {
  return part !== "" && encoder.encode(part).length <= MAX_BYTES;
}
