/** Who may use the bridge: the most specific entry of `permissions` that fits an address. */
import type { Config } from "./schema.ts";

export type Level = Config["permissions"][string];

/**
 * An address itself counts before its bare JID, that before its domain, and that before "*". Where nothing fits the
 * answer is "block": a list without "*" is the list of those who are let in.
 * @param address an MXID, a JID of any kind or a domain.
 */
export function levelOf(permissions: Config["permissions"], address: string): Level {
  const entries = Object.entries(permissions);
  for (const wanted of patternsFor(address)) {
    const fitting = entries.find(([pattern]) => canonical(pattern) === wanted);
    if (fitting) return fitting[1];
  }
  return "block";
}

function patternsFor(address: string): string[] {
  const whole = canonical(address);
  if (whole.startsWith("@")) return [whole, domainOfMxid(whole), "*"];
  const bare = bareOf(whole);
  return [whole, bare, bare.slice(bare.indexOf("@") + 1), "*"];
}

/** JIDs and domains compare without regard to case, resources and the localparts of MXIDs with it. */
function canonical(address: string): string {
  if (address.startsWith("@")) {
    const domain = domainOfMxid(address);
    return address.slice(0, address.length - domain.length) + domain.toLowerCase();
  }
  const bare = bareOf(address);
  return bare.toLowerCase() + address.slice(bare.length);
}

const domainOfMxid = (mxid: string): string => mxid.slice(mxid.indexOf(":") + 1);
const bareOf = (jid: string): string => jid.split("/", 1)[0] ?? jid;
