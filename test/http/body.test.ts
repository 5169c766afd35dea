import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import test from "node:test";
import fc from "fast-check";
import { BodyError, readBody } from "../../src/http/body.ts";

/** As much of a request as is looked at. */
const requestOf = (headers: Record<string, string> = {}): IncomingMessage & PassThrough =>
  Object.assign(new PassThrough(), { headers, complete: false }) as unknown as IncomingMessage & PassThrough;

const refusedWith = (status: number) => (error: unknown) =>
  error instanceof BodyError && error.status === status;

test("a body within the limit is read whole, in whatever pieces it comes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 6000 }), { maxLength: 6 }), async (pieces) => {
      const whole = Buffer.concat(pieces);
      const request = requestOf();
      const body = readBody(request, whole.length);
      for (const piece of pieces) if (piece.length > 0) request.write(piece);
      request.end();
      assert.deepEqual(await body, whole);
    }),
  );
});

test("a body that grows over the limit is refused before its end, and the rest is thrown away", async () => {
  const request = requestOf();
  const body = readBody(request, 10);
  request.write("0123456789");
  request.write("x");
  await assert.rejects(body, refusedWith(413));
  assert.ok(request.readableFlowing);
});

test("a body that is announced as too large is refused before its first byte", async () => {
  await assert.rejects(readBody(requestOf({ "content-length": "11" }), 10), refusedWith(413));
});

test("a compressed body is refused unread", async () => {
  for (const encoding of ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"]) {
    await assert.rejects(readBody(requestOf({ "content-encoding": encoding }), 10), refusedWith(415));
  }
  const request = requestOf({ "content-encoding": "Identity" });
  request.end("x");
  assert.equal(String(await readBody(request, 10)), "x");
});

test("a body that breaks off is refused", async () => {
  const request = requestOf();
  const body = readBody(request, 10);
  request.write("x");
  request.destroy(new Error("aborted"));
  await assert.rejects(body, refusedWith(400));
  await assert.rejects(readBody(request, 10), refusedWith(400));
});

test("bodies under way share their room, and give it back when they end", async () => {
  const room = { left: 10_000 };
  const [first, second] = [requestOf(), requestOf()];
  const [one, two] = [readBody(first, 8000, room), readBody(second, 8000, room)];
  first.write("x".repeat(6000));
  second.write("x".repeat(6000));
  await assert.rejects(two, refusedWith(503));
  first.end();
  assert.equal((await one).length, 6000);
  assert.equal(room.left, 10_000);
});
