/** Which addresses a link of a stranger may lead to: those of the public Internet, and what the operator allows. */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

export interface Address {
  address: string;
  family: 4 | 6;
}

export interface GuardDeps {
  /** IP addresses, and networks such as 10.0.0.0/8, that may be reached although they are not public. */
  allowedNetworks: readonly string[];
  /** All addresses of a name. */
  resolve?: (name: string) => Promise<Address[]>;
}

export interface Guard {
  /** @returns one permitted address of the host, or undefined where it has none; rejects where it has no address at all. */
  addressOf(host: string): Promise<Address | undefined>;
}

/** IANA IPv4 Special-Purpose Address Registry, multicast and class E. */
const special4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
/** Of IPv6 only what is assigned to be global (RFC 4291 §2.4); mapped IPv4 and NAT64 are outside of it. */
const global6 = ["2000::/3"];
/** IANA IPv6 Special-Purpose Address Registry, as far as it is inside; 6to4 and Teredo hold an IPv4 address. */
const special6 = ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"];

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const type = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, type);
    else list.addSubnet(address, Number(bits), type);
  }
  return list;
}

const special = listOf([...special4, ...special6]);
const global = listOf(global6);

const isPublic = ({ address, family }: Address): boolean =>
  family === 4
    ? !special.check(address, "ipv4")
    : global.check(address, "ipv6") && !special.check(address, "ipv6");

const resolveAll = async (name: string): Promise<Address[]> =>
  (await lookup(name, { all: true })).map(({ address, family }) => ({
    address,
    family: family === 6 ? 6 : 4,
  }));

export function createGuard({ allowedNetworks, resolve = resolveAll }: GuardDeps): Guard {
  const allowed = listOf(allowedNetworks);
  const mayReach = (address: Address): boolean =>
    isPublic(address) || allowed.check(address.address, address.family === 4 ? "ipv4" : "ipv6");

  return {
    async addressOf(host) {
      const bare = host.replace(/^\[(.*)\]$/, "$1");
      const version = isIP(bare);
      const addresses =
        version === 0 ? await resolve(bare) : [{ address: bare, family: version === 6 ? 6 : 4 } as const];
      return addresses.find(mayReach);
    },
  };
}
