import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../support/fake-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { isSend, julietJid, numbered, setScene } from "./scene.ts";

const limited = (headers: Record<string, string>, retry_after_ms?: number): Answer => ({
  status: 429,
  headers,
  body: JSON.stringify({ errcode: "M_LIMIT_EXCEEDED", error: "Slow down", retry_after_ms }),
});

for (const [name, answer, waitMs] of [
  ["Retry-After", limited({ "retry-after": "1" }), 1000],
  ["retry_after_ms", limited({}, 900), 900],
  ["a Retry-After beyond a few seconds", limited({ "retry-after": "5" }), 5000],
] as const) {
  test(`the homeserver is left alone for as long as ${name} says`, async (t) => {
    const { homeserver, romeo, start, acceptChat, julietHas } = await setScene(t);
    await start();
    const roomId = await acceptChat();
    const sentAt: number[] = [];
    homeserver.respond((request) => {
      if (!isSend(request)) return undefined;
      return sentAt.push(Date.now()) === 1 ? answer : undefined;
    });
    for (const body of numbered("message", 3)) await romeo.sendText(julietJid, body);
    assert.deepEqual((await julietHas(roomId, 4)).slice(1), numbered("message", 3));
    const [first = 0, second = 0] = sentAt;
    assert.ok(second - first >= waitMs, `${second - first} ms`);
    assert.equal(sentAt.length, 4);
  });
}

test("messages both ways arrive once and in order although each server fails for a while", async (t) => {
  const { homeserver, prosody, juliet, romeo, start, acceptChat, julietHas, romeoHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  let [sends, posts] = [0, 0];
  homeserver.respond((request) => (isSend(request) && sends++ % 3 === 0 ? { status: 502 } : undefined));
  prosody.respond(({ body }) => (body.includes("<body>") && posts++ % 3 === 0 ? { status: 503 } : undefined));
  for (const body of numbered("message", 5)) {
    await romeo.sendText(julietJid, body);
    juliet.sendText(roomId, body);
  }
  assert.deepEqual((await julietHas(roomId, 6)).slice(1), numbered("message", 5));
  assert.deepEqual(await romeoHas(5), numbered("message", 5));
  assert.deepEqual(romeo.errors(), []);
});

/** What a proxy says in place of the server behind it, while it is set up anew. */
const pages = [302, 400, 403, 404, 405, 200].map((status) => ({
  status,
  headers: { "content-type": "text/html" },
  body: `<html>\r\n<head><title>${status} Sorry</title></head>\r\n</html>`,
}));

test("a proxy's pages in place of either server delay messages and change nothing else", async (t) => {
  const { homeserver, prosody, juliet, romeo, start, acceptChat, julietHas, romeoHas } = await setScene(t);
  const { log } = await start();
  const roomId = await acceptChat();
  // Each message meets another page, and is taken when it comes again.
  const met = new Set<string>();
  const pageFor = (text: string): Answer | undefined => {
    const number = /message (\d)/.exec(text)?.[1] ?? "";
    if (number === "" || met.has(number)) return undefined;
    met.add(number);
    return pages[Number(number)];
  };
  homeserver.respond((request) => (isSend(request) ? pageFor(request.body) : undefined));
  for (const body of numbered("message", pages.length)) await romeo.sendText(julietJid, body);
  assert.deepEqual((await julietHas(roomId, 1 + pages.length)).slice(1), numbered("message", pages.length));
  met.clear();
  prosody.respond(({ body }) => pageFor(/<body>.*<\/body>/.exec(body)?.[0] ?? ""));
  for (const body of numbered("message", pages.length)) juliet.sendText(roomId, body);
  assert.deepEqual(await romeoHas(pages.length), numbered("message", pages.length));
  assert.deepEqual([romeo.errors(), juliet.invites(), juliet.rooms()], [[], [], [roomId]]);
  assert.deepEqual(
    log.filter((line) => line.includes("parked")),
    [],
  );
});

test("slow answers delay messages and change nothing else", async (t) => {
  const { homeserver, prosody, juliet, romeo, start, acceptChat, julietHas, romeoHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  homeserver.respond(() => ({ delayMs: 300 }));
  prosody.respond(() => ({ delayMs: 300 }));
  for (const body of numbered("message", 4)) {
    await romeo.sendText(julietJid, body);
    juliet.sendText(roomId, body);
  }
  assert.deepEqual((await julietHas(roomId, 5)).slice(1), numbered("message", 4));
  assert.deepEqual(await romeoHas(4), numbered("message", 4));
});

test("a message that arrived although the connection broke is not sent twice", async (t) => {
  const { homeserver, romeo, start, acceptChat, julietHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  let broken = 0;
  homeserver.respond((request) => {
    if (!isSend(request) || broken > 0) return undefined;
    broken += 1;
    // Whether the bridge repeats or looks, the homeserver's own memory must not be what saves it.
    setImmediate(homeserver.forgetTransactions);
    return "process-then-reset";
  });
  for (const body of numbered("message", 3)) await romeo.sendText(julietJid, body);
  assert.deepEqual((await julietHas(roomId, 4)).slice(1), numbered("message", 3));
});

test("a message that did not arrive because the connection broke is sent again", async (t) => {
  const { homeserver, romeo, start, acceptChat, julietHas } = await setScene(t);
  await start();
  const roomId = await acceptChat();
  let broken = 0;
  homeserver.respond((request) => (isSend(request) && broken++ === 0 ? "reset" : undefined));
  for (const body of numbered("message", 3)) await romeo.sendText(julietJid, body);
  assert.deepEqual((await julietHas(roomId, 4)).slice(1), numbered("message", 3));
});

test("a stanza that Prosody took although the connection broke comes again, if at all, with the same ID", async (t) => {
  const { prosody, juliet, romeo, start, openChat, romeoHas } = await setScene(t);
  await start();
  const roomId = await openChat();
  let broken = 0;
  prosody.respond(({ body }) =>
    body.includes("message 0") && broken++ === 0 ? "process-then-reset" : undefined,
  );
  const ids = numbered("message", 3).map((body) => juliet.sendText(roomId, body));
  await waitFor(() => romeo.bodies().includes("message 2"), "the last message");
  assert.deepEqual(await romeoHas(4), ["message 0", ...numbered("message", 3)]);
  assert.deepEqual(
    romeo.messages().map(({ attrs }) => attrs.id),
    [ids[0], ...ids],
  );
});

test("a bridge killed between a send and its answer does not send again, though the homeserver forgot it", async (t) => {
  const { homeserver, romeo, juliet, startProcess, julietHas } = await setScene(t);
  const bridge = await startProcess();
  await romeo.sendText(julietJid, "O, speak again");
  const roomId = await waitFor(() => juliet.invites()[0], "an invitation");
  juliet.join(roomId);
  await julietHas(roomId, 1);
  homeserver.respond((request) => (isSend(request) ? { delayMs: 60_000 } : undefined));
  for (const body of numbered("message", 3)) await romeo.sendText(julietJid, body);
  await julietHas(roomId, 2);
  await bridge.kill();
  homeserver.forgetTransactions();
  homeserver.respond(() => undefined);
  await startProcess();
  assert.deepEqual(await julietHas(roomId, 4), ["O, speak again", ...numbered("message", 3)]);
});
