/** Where a request comes from, as far as limits are concerned. */
import { isIPv6 } from "node:net";

/** The address; of IPv6 the network, as whoever has one address there has all 2^64 of them. */
export function sourceOfAddress(address: string | undefined): string {
  if (address === undefined) return "unknown";
  const [bare = ""] = address.split("%");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(bare)) return bare;
  const [head, tail] = bare.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const [first = [], last = []] = [head, tail];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  const groups = [...first, ...zeros, ...last].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}

/** Of an Express request; behind a trusted proxy, whom the proxy names. */
export const sourceOf = (req: { ip?: string | undefined }): string => sourceOfAddress(req.ip);
