import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { suite, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import {
  createHttp,
  type HttpDeps,
  type HttpRequest,
  NoAnswerError,
  retryAfterOf,
} from "../../src/http/client.ts";
import { type Answer, startFakeServer } from "../support/fake-server.ts";
import { waitFor } from "../support/wait-for.ts";

const post: HttpRequest = { method: "POST", path: "/x", body: "{}" };
const repeatable: HttpRequest = { ...post, repeatable: true };

async function setUp(t: TestContext, more: Partial<HttpDeps> = {}) {
  const server = await startFakeServer(async () => ({ status: 200, body: "done" }));
  const http = createHttp({
    baseUrl: `${server.url}/`,
    headers: {},
    maxInFlight: 2,
    timeoutMs: 2000,
    ...more,
  });
  t.after(async () => {
    http.close();
    await server.stop();
  });
  /** Fails with these answers or faults first, one a request. */
  const failFirst = (...faults: (Answer | "reset" | "process-then-reset")[]): void =>
    server.respond(() => faults.shift());
  return { server, http, failFirst };
}

const noAnswer = (code: string, sent: boolean) => (error: unknown) => {
  assert.ok(error instanceof NoAnswerError);
  assert.deepEqual([error.code, error.sent], [code, sent]);
  return true;
};

suite("one request", { concurrency: true }, () => {
  test("bytes arrive as they are, an error beside them as text, and too many are broken off", async (t) => {
    const { http, server } = await setUp(t);
    const body = Buffer.from([0, 0xff, 0xc3, 0x28]);
    const get: HttpRequest = { method: "GET", path: "/x", maxBytes: 4 };
    server.respond(() => ({ status: 200, body }));
    const answer = await http.request(get);
    assert.deepEqual([answer.bytes, answer.body], [body, ""]);
    server.respond(() => ({ status: 404, body: "no" }));
    assert.deepEqual((await http.request(get)).body, "no");
    server.respond(() => ({ status: 200, body: Buffer.alloc(5) }));
    await assert.rejects(http.request(get), { name: "NoAnswerError" });
  });

  test("a request may have a time limit of its own", async (t) => {
    const { http, server } = await setUp(t, { timeoutMs: 20_000 });
    server.respond(() => ({ delayMs: 10_000 }));
    await assert.rejects(http.request({ ...post, timeoutMs: 50 }), noAnswer("ECONNABORTED", true));
  });

  test("method, path, query, headers and body arrive as they were given", async (t) => {
    const { server, http } = await setUp(t, { headers: { "x-all": "1" } });
    const request: HttpRequest = {
      method: "PUT",
      path: "/a%2Fb/!c",
      query: { user_id: "@_xmpp_romeo=40:hs.example", q: "a b+c&d" },
      headers: { "x-one": "2" },
      body: '{"é": 1}',
    };
    const answer = await http.request(request);
    assert.deepEqual([answer.status, answer.body], [200, "done"]);
    const [seen] = server.requests;
    assert.deepEqual([seen?.method, seen?.path, seen?.body], ["PUT", "/a%2Fb/!c", request.body]);
    assert.deepEqual(Object.fromEntries(seen?.query ?? []), request.query);
    assert.deepEqual([seen?.headers["x-all"], seen?.headers["x-one"]], ["1", "2"]);
  });

  test("what the path asks already stays, and the rest is added to it", async (t) => {
    const { server, http } = await setUp(t);
    await http.request({ ...post, path: "/join/!a?via=hs.example", query: { user_id: "@romeo:hs.example" } });
    const [seen] = server.requests;
    assert.equal(seen?.path, "/join/!a");
    assert.deepEqual(
      [...(seen?.query ?? [])],
      [
        ["via", "hs.example"],
        ["user_id", "@romeo:hs.example"],
      ],
    );
  });

  for (const status of [301, 400, 401, 404, 409, 500]) {
    test(`status ${status} is an answer, and neither followed nor repeated`, async (t) => {
      const { server, http, failFirst } = await setUp(t);
      failFirst({ status, headers: { location: "/elsewhere" }, body: "no" });
      const answer = await http.request(repeatable);
      assert.deepEqual([answer.status, answer.body, server.requests.length], [status, "no", 1]);
    });
  }

  test("no more requests are in flight than allowed", async (t) => {
    const { server, http } = await setUp(t);
    let [inFlight, most] = [0, 0];
    server.respond(() => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      setTimeout(() => (inFlight -= 1), 5);
      return { delayMs: 10 };
    });
    await Promise.all(Array.from({ length: 8 }, () => http.request(post)));
    assert.equal(most, 2);
  });
});

suite("retries", { concurrency: true }, () => {
  test("a rate limit is waited for, whether or not the request may be repeated", async (t) => {
    const { server, http, failFirst } = await setUp(t);
    failFirst({ status: 429, headers: { "retry-after": "1" } });
    const started = performance.now();
    assert.equal((await http.request(post)).status, 200);
    assert.ok(performance.now() - started >= 990);
    assert.equal(server.requests.length, 2);
  });

  test("a rate limit of minutes is the caller's to wait for", async (t) => {
    const { server, http, failFirst } = await setUp(t);
    failFirst({ status: 429, headers: { "retry-after": "120" } });
    const answer = await http.request(post);
    assert.deepEqual([answer.status, answer.headers["retry-after"], server.requests.length], [429, "120", 1]);
  });

  test("a gateway's refusal is tried again where repeating changes nothing", async (t) => {
    const { server, http, failFirst } = await setUp(t);
    failFirst({ status: 502 }, { status: 504 });
    assert.equal((await http.request(repeatable)).status, 200);
    assert.equal(server.requests.length, 3);
  });

  test("a gateway's refusal is an answer where repeating might do the same twice", async (t) => {
    const { server, http, failFirst } = await setUp(t);
    failFirst({ status: 502 });
    assert.equal((await http.request(post)).status, 502);
    assert.equal(server.requests.length, 1);
  });

  test("after four attempts the last refusal is the answer", async (t) => {
    const { server, http } = await setUp(t);
    server.respond(() => ({ status: 503, body: "down" }));
    const answer = await http.request(repeatable);
    assert.deepEqual([answer.status, answer.body, server.requests.length], [503, "down", 4]);
  });

  test("a refused connection is tried again, for nothing was sent", async (t) => {
    const { server, http } = await setUp(t);
    await server.stop();
    const answer = http.request(post);
    await delay(50);
    await server.start();
    assert.equal((await answer).status, 200);
    assert.equal(server.requests.length, 1);
  });

  test("a connection that stays refused counts as nothing sent", async (t) => {
    const { server, http } = await setUp(t);
    await server.stop();
    await assert.rejects(http.request(post), noAnswer("ECONNREFUSED", false));
  });

  test("a request that was done but not answered is not done again", async (t) => {
    const { server, http, failFirst } = await setUp(t);
    failFirst("process-then-reset");
    await assert.rejects(http.request(post), noAnswer("ECONNRESET", true));
    assert.equal(server.requests.length, 1);
  });

  test("a request that was done but not answered is repeated where that changes nothing", async (t) => {
    const { server, http, failFirst } = await setUp(t);
    failFirst("process-then-reset");
    assert.equal((await http.request(repeatable)).status, 200);
    assert.equal(server.requests.length, 2);
  });

  test("a reset of a kept-alive connection is repeated once, and only where that was asked for", async (t) => {
    for (const repeatAfterReset of [true, false]) {
      const { server, http, failFirst } = await setUp(t, { repeatAfterReset });
      await http.request(post);
      failFirst("reset");
      const second = http.request(post);
      if (repeatAfterReset) assert.equal((await second).status, 200);
      else await assert.rejects(second, noAnswer("ECONNRESET", true));
      assert.equal(server.requests.length, repeatAfterReset ? 3 : 2);
    }
  });

  test("a request that was reset, and then finds nobody, may have been done", async (t) => {
    const { server, http } = await setUp(t, { repeatAfterReset: true });
    await http.request(post);
    server.respond(() => {
      // Whoever resets it has gone by the time of the repeat.
      void server.stop();
      return "process-then-reset";
    });
    await assert.rejects(http.request(post), noAnswer("ECONNREFUSED", true));
  });

  test("a request that meets silence may have been done", async (t) => {
    const { server, http } = await setUp(t, { timeoutMs: 50 });
    server.respond(() => ({ delayMs: 5000 }));
    await assert.rejects(http.request(post), noAnswer("ECONNABORTED", true));
    // It may have given up before the server has read all of it.
    await waitFor(() => server.requests.length === 1, "the request to arrive");
  });

  test("closing breaks off what is in flight", async (t) => {
    const { http, server } = await setUp(t);
    server.respond(() => ({ delayMs: 5000 }));
    const pending = http.request(repeatable);
    setTimeout(() => http.close(), 50);
    await assert.rejects(pending, noAnswer("ERR_CANCELED", true));
  });

  test("an answer that changes the protocol is none", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    server.on("request", (req) =>
      req.socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    );
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const baseUrl = `http://127.0.0.1:${port}`;
    const http = createHttp({ baseUrl, headers: {}, maxInFlight: 1, timeoutMs: 2000 });
    t.after(() => server.close().closeAllConnections());
    await assert.rejects(http.request(post), noAnswer("ECONNRESET", true));
  });

  test("half an answer is none", async (t) => {
    const server = createServer((req, res) => {
      res.writeHead(200, { "content-length": 100 });
      res.write("half", () => req.socket.destroy());
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const http = createHttp({
      baseUrl: `http://127.0.0.1:${port}`,
      headers: {},
      maxInFlight: 1,
      timeoutMs: 2000,
    });
    t.after(() => server.close());
    await assert.rejects(http.request(post), NoAnswerError);
  });
});

suite("how long to wait", () => {
  const hour = 60 * 60 * 1000;
  const headers = (value: string): Answer & { headers: Record<string, string>; body: string } => ({
    status: 429,
    headers: { "retry-after": value },
    body: "",
  });

  test("seconds, a date and retry_after_ms are understood, the header first", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    const inBody = '{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms": 1500}';
    assert.equal(retryAfterOf(headers("3"), now), 3000);
    assert.equal(retryAfterOf({ ...headers("3"), body: inBody }, now), 3000);
    assert.equal(retryAfterOf(headers("Thu, 01 Jan 2026 00:00:07 GMT"), now), 7000);
    assert.equal(retryAfterOf(headers("Thu, 01 Jan 2020 00:00:00 GMT"), now), 0);
    assert.equal(retryAfterOf({ status: 429, headers: {}, body: inBody }, now), 1500);
    assert.equal(retryAfterOf({ ...headers("soon"), body: inBody }, now), 1500);
    assert.equal(retryAfterOf({ status: 429, headers: {}, body: "<html/>" }, now), undefined);
  });

  test("whatever a server says, the wait is none or between nothing and an hour", () => {
    const values = fc.oneof(fc.string(), fc.bigInt().map(String), fc.date().map(String));
    const bodies = fc.oneof(
      fc.string(),
      fc.bigInt().map((n) => `{"retry_after_ms":${n}}`),
    );
    fc.assert(
      fc.property(values, bodies, fc.nat(), (value, body, now) => {
        const wait = retryAfterOf({ ...headers(value), body }, now);
        assert.ok(wait === undefined || (wait >= 0 && wait <= hour), String(wait));
      }),
    );
    assert.equal(retryAfterOf(headers("9".repeat(400)), 0), hour);
  });
});
