import assert from "node:assert/strict";
import { SocketAddress } from "node:net";
import test from "node:test";
import fc from "fast-check";
import { sourceOfAddress } from "../../src/http/source.ts";

const cases: [address: string | undefined, source: string][] = [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::1", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["2001:0DB8::1", "2001:db8:0:0::/64"],
  ["1::2:3:4:5:6:7", "1:0:2:3::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["not an address", "not an address"],
  [undefined, "unknown"],
];
test("IPv4 addresses stand for themselves, IPv6 addresses for their network", () => {
  for (const [address, source] of cases) assert.equal(sourceOfAddress(address), source);
});

test("all addresses of a network have one source, however they are written, and other networks others", () => {
  const network = fc.tuple(...Array.from({ length: 4 }, () => fc.nat(0xffff)));
  const write = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(":");
  fc.assert(
    fc.property(network, network, network, (here, there, host) => {
      const long = write([...here, ...host]);
      const short = new SocketAddress({ address: long, family: "ipv6" }).address;
      assert.equal(sourceOfAddress(short), `${write(here)}::/64`);
      assert.equal(sourceOfAddress(long), sourceOfAddress(short));
      assert.equal(
        sourceOfAddress(write([...there, ...host])) === sourceOfAddress(long),
        write(here) === write(there),
      );
    }),
  );
});
