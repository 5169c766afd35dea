import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import test, { type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readBody } from "../../src/http/body.ts";
import { createPublicApp } from "../../src/http/public-app.ts";
import { type ListenOptions, listen } from "../../src/http/server.ts";
import { waitFor } from "../support/wait-for.ts";

async function serve(t: TestContext, application: RequestListener, options: Partial<ListenOptions> = {}) {
  const isBodiless = (path: string) => path.startsWith("/quiet");
  const listener = await listen(application, { host: "127.0.0.1", port: 0, isBodiless, ...options });
  t.after(() => listener.stop());
  const open = (): Socket => {
    const socket = connect(listener.port, "127.0.0.1");
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
    return socket;
  };
  /** Writes and reads until the server has closed. */
  const say = async (request: string): Promise<string> => {
    const socket = open();
    socket.write(request);
    return text(socket);
  };
  return { ...listener, open, say };
}

const ok: RequestListener = (req, res) => void res.end(req.url);

/** The answer's status, and the error in its body. */
function parse(answer: string): [status: number, body: unknown] {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert.match(
    head,
    body === "" ? /^content-length: 0$/im : /^content-type: application\/json; charset=utf-8$/im,
  );
  assert.doesNotMatch(head, /^(server|x-powered-by):/im);
  return [Number(head.split(" ")[1]), body === "" ? "" : JSON.parse(body)];
}

const unknown = (error: string) => ({ errcode: "M_UNKNOWN", error });
const tooLarge = (error: string) => ({ errcode: "M_TOO_LARGE", error });

test("a request that cannot be read is answered with an error that has a body, and closed", async (t) => {
  const { say } = await serve(t, ok);
  const host = "Host: b.example\r\n";
  const cases: [request: string, status: number, body: unknown][] = [
    ["nonsense\r\n\r\n", 400, unknown("Bad Request.")],
    ["GET / HTTP/9.9\r\n\r\n", 400, unknown("Bad Request.")],
    [`GET / HTTP/1.1\r\n${host}Bad Header: x\r\n\r\n`, 400, unknown("Bad Request.")],
    [`POST / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, 400, unknown("Bad Request.")],
    [
      `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
      unknown("Bad Request."),
    ],
    [
      `GET / HTTP/1.1\r\n${host}X: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      tooLarge("Request Header Fields Too Large."),
    ],
    [
      `GET / HTTP/1.1\r\n${host}${"X: y\r\n".repeat(4000)}\r\n`,
      431,
      tooLarge("Request Header Fields Too Large."),
    ],
    [`GET /${"x".repeat(20_000)} HTTP/1.1\r\n${host}\r\n`, 431, tooLarge("Request Header Fields Too Large.")],
    ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400, unknown("Bad Request.")],
    [`OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 400, unknown("Bad Request.")],
    [`CONNECT b.example:1 HTTP/1.1\r\n${host}\r\n`, 405, unknown("Method Not Allowed.")],
    [`POST /quiet HTTP/1.1\r\n${host}X: ${"x".repeat(20_000)}\r\n\r\n`, 431, ""],
    ["POST /quiet HTTP/1.1\r\nConnection: close\r\n\r\n", 400, ""],
  ];
  for (const [request, status, body] of cases) {
    assert.deepEqual(parse(await say(request)), [status, body], request.slice(0, 60));
  }
});

test("a path in a whole URL, an unknown expectation and an offer to upgrade are no errors", async (t) => {
  const { say } = await serve(t, ok);
  const rest = "Host: b.example\r\nConnection: close\r\n\r\n";
  assert.match(await say(`GET http://b.example/a?b HTTP/1.1\r\n${rest}`), /\r\n\r\n\/a\?b$/);
  assert.match(await say(`GET /a HTTP/1.1\r\nExpect: wonders\r\n${rest}`), /\r\n\r\n\/a$/);
  const upgrade = "Upgrade: websocket\r\nConnection: close, upgrade\r\nHost: b.example\r\n\r\n";
  assert.match(await say(`GET /a HTTP/1.1\r\n${upgrade}`), /\r\n\r\n\/a$/);
});

const limits = { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 10 };

test("a connection that sends nothing, drips its headers or drips its body is answered with 408", async (t) => {
  const application: RequestListener = (req, res) =>
    void readBody(req, 1000).then(
      () => res.end("never"),
      () => undefined,
    );
  const { open } = await serve(t, application, { limits });
  const drip = async (start: string, piece: string): Promise<[number, unknown]> => {
    const socket = open();
    socket.write(start);
    const dripping = setInterval(() => socket.write(piece), 5);
    t.after(() => clearInterval(dripping));
    const answer = await text(socket);
    clearInterval(dripping);
    return parse(answer);
  };
  const timedOut = [408, unknown("Request Timeout.")];
  assert.deepEqual(await drip("", ""), timedOut);
  assert.deepEqual(await drip("GET / HTTP/1.1\r\nHost: b.example\r\n", "X: y\r\n"), timedOut);
  const post = (path: string) => `POST ${path} HTTP/1.1\r\nHost: b.example\r\nContent-Length: 900\r\n\r\n`;
  assert.deepEqual(await drip(post("/"), "x"), timedOut);
  assert.deepEqual(await drip(post("/quiet"), "x"), [408, ""]);
});

test("an endless body gets its answer at the limit, and is cut off soon after", async (t) => {
  const limit = 1024 * 1024;
  const application: RequestListener = (req, res) =>
    void readBody(req, limit).catch((error) => res.writeHead(error.status).end("too large"));
  const { open } = await serve(t, application);
  const socket = open();
  let answer = "";
  socket.on("data", (data) => {
    answer += data;
  });
  socket.write("POST / HTTP/1.1\r\nHost: b.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = Buffer.alloc(64 * 1024, "x");
  let [sent, sentAtAnswer] = [0, 0];
  while (!socket.destroyed && sent < 10 * 1024 * limit) {
    if (!socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`))
      await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => undefined);
    else await delay(0);
    sent += chunk.length;
    if (answer !== "") sentAtAnswer ||= sent;
  }
  assert.match(answer, /^HTTP\/1\.1 413 /);
  // What lies in buffers of the system between the two is more than the limit itself.
  assert.ok(sentAtAnswer < 50 * limit, String(sentAtAnswer));
});

test("a body that nobody reads does not keep its answer from the sender", async (t) => {
  const { port } = await serve(t, (_req, res) => void res.writeHead(401).end("no"));
  for (let n = 0; n < 5; n += 1) {
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: "POST",
      body: "x".repeat(5_000_000),
    });
    assert.deepEqual([response.status, await response.text()], [401, "no"]);
  }
});

test("a source that holds too many connections gets no more, until it lets go", async (t) => {
  const { open } = await serve(t, ok, { connectionsOfSource: 3 });
  const held = [open(), open(), open()];
  await Promise.all(held.map((socket) => once(socket, "connect")));
  const refused = open();
  await once(refused, "close");
  held[0]?.destroy();
  await waitFor(async () => {
    const socket = open();
    socket.write("GET /a HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n");
    return (await text(socket).catch(() => "")).endsWith("/a");
  }, "room for another connection");
  for (const socket of held) socket.destroy();
});

test("the public application tells nothing of Express, and a condition makes no 304", async (t) => {
  const app = createPublicApp([]);
  app.get("/", (_req, res) => void res.json({}));
  const { say } = await serve(t, app);
  const answer = await say(
    "GET / HTTP/1.1\r\nHost: b.example\r\nIf-None-Match: *\r\nConnection: close\r\n\r\n",
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.deepEqual(
    answer
      .split("\r\n\r\n")[0]
      ?.split("\r\n")
      .slice(1)
      .map((line) => line.split(":")[0]),
    ["Content-Type", "Content-Length", "Date", "Connection"],
  );
});

test("a forwarded address counts only where it comes from a trusted proxy", async (t) => {
  const forwarded = async (trusted: string[], chain: string): Promise<string> => {
    const app = createPublicApp(trusted);
    app.get("/", (req, res) => void res.json(req.ip));
    const { port } = await serve(t, app);
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-forwarded-for": chain } });
    return (await response.json()) as string;
  };
  assert.equal(await forwarded([], "192.0.2.1"), "127.0.0.1");
  assert.equal(await forwarded(["10.0.0.0/8"], "192.0.2.1"), "127.0.0.1");
  assert.equal(await forwarded(["127.0.0.1"], "198.51.100.1, 192.0.2.1"), "192.0.2.1");
});

test("a stop is over as soon as the request that it found is answered, though the client would go on", async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const { say, stop } = await serve(t, (_req, res) => asked.resolve(() => res.end("farewell")));
  const answer = say("GET / HTTP/1.1\r\nHost: b.example\r\nConnection: keep-alive\r\n\r\n");
  const end = await asked.promise;
  const stopped = stop();
  end();
  const outcome = await Promise.race([stopped.then(() => "stopped"), delay(2000, "held up", { ref: false })]);
  assert.equal(outcome, "stopped");
  assert.match(await answer, /\r\n\r\nfarewell$/);
});
