import assert from "node:assert/strict";
import test from "node:test";
import type { Request } from "express";
import { createStrangers } from "../../src/http/strangers.ts";
import type { Log } from "../../src/ops/log.ts";

function setUp() {
  const lines: unknown[] = [];
  const warn: Log["warn"] = (message, fields) => void lines.push([message, fields]);
  const strangers = createStrangers({ warn } as Log);
  const from = (ip: string) => strangers.refused({ ip, path: "/x" } as Request, "no token");
  return { lines, from };
}

test("the 21st refusal within a minute makes a source wait, and no other", async () => {
  const { from } = setUp();
  for (let n = 0; n < 20; n += 1) assert.equal(await from("192.0.2.1"), undefined);
  const wait = await from("192.0.2.1");
  assert.ok(wait !== undefined && wait > 0 && wait <= 60_000);
  assert.equal(await from("192.0.2.2"), undefined);
});

test("changing the address within one IPv6 network does not help", async () => {
  const { from } = setUp();
  for (let n = 1; n <= 20; n += 1) assert.equal(await from(`2001:db8::${n}`), undefined);
  assert.notEqual(await from("2001:db8::21"), undefined);
});

test("a source gets one line a minute for each reason, however often it calls", async () => {
  const { lines, from } = setUp();
  for (let n = 0; n < 100; n += 1) await from("192.0.2.1");
  await from("192.0.2.2");
  assert.deepEqual(lines, [
    ["no token", { path: "/x", from: "192.0.2.1" }],
    ["no token", { path: "/x", from: "192.0.2.2" }],
  ]);
});
