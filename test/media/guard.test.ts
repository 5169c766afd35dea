import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { type Address, createGuard } from "../../src/media/guard.ts";

const v4 = (address: string): Address => ({ address, family: 4 });
const v6 = (address: string): Address => ({ address, family: 6 });
const guardOf = (names: Record<string, Address[]> = {}, allowedNetworks: string[] = []) =>
  createGuard({ allowedNetworks, resolve: async (name) => names[name] ?? [] });

suite("addresses that links may lead to", () => {
  const refused = [
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[100::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fdff::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
  ];
  test("none of those that are not public", async () => {
    for (const host of refused) assert.equal(await guardOf().addressOf(host), undefined, host);
  });

  test("public ones", async () => {
    for (const host of [
      "1.1.1.1",
      "100.63.0.1",
      "100.128.0.1",
      "172.15.0.1",
      "172.32.0.1",
      "223.255.255.255",
    ])
      assert.deepEqual(await guardOf().addressOf(host), v4(host));
    assert.deepEqual(await guardOf().addressOf("[2606:4700::1111]"), v6("2606:4700::1111"));
  });

  test("no number in whatever spelling of loopback that URLs know", async () => {
    for (const spelled of [
      "127.1",
      "0x7f000001",
      "2130706433",
      "017700000001",
      "127.0.0.1.",
      "[0:0::1]",
      "①②⑦.0.0.1",
    ]) {
      const { hostname } = new URL(`http://${spelled}/`);
      assert.equal(await guardOf().addressOf(hostname), undefined, spelled);
    }
  });

  test("a name counts by its addresses, and the first public one is taken", async () => {
    const guard = guardOf({
      "inside.example": [v4("10.0.0.1"), v6("::1")],
      "both.example": [v4("10.0.0.1"), v6("2606:4700::1111"), v4("1.1.1.1")],
    });
    assert.equal(await guard.addressOf("inside.example"), undefined);
    assert.deepEqual(await guard.addressOf("both.example"), v6("2606:4700::1111"));
    assert.equal(await guard.addressOf("nowhere.example"), undefined);
  });

  test("what the operator allows, and no more", async () => {
    const guard = guardOf({}, ["192.168.1.10", "10.1.0.0/16", "fd00::/8"]);
    for (const host of ["192.168.1.10", "10.1.2.3", "[fd12::1]"])
      assert.ok(await guard.addressOf(host), host);
    for (const host of ["192.168.1.11", "10.2.0.1", "127.0.0.1", "[::1]"])
      assert.equal(await guard.addressOf(host), undefined, host);
  });

  test("no private address passes in a mapped form", async () => {
    const part = fc.nat(255);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("10", "127"), part, part, part, async (a, b, c, d) => {
        const { hostname } = new URL(`http://[::ffff:${a}.${b}.${c}.${d}]/`);
        assert.equal(await guardOf().addressOf(hostname), undefined);
      }),
    );
  });
});
