/** The balancer of the cluster's run: what it may send a second time, and in which order. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { freePort } from "../servers/free-port.ts";
import { type Backend, startFirst, startTurns } from "../support/balancer.ts";

async function startBackend(t: TestContext, handle: RequestListener): Promise<Backend> {
  const server = createServer((request, response) =>
    request.url === "/health" ? void response.end() : handle(request, response),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { port, healthUrl: `http://127.0.0.1:${port}/health` };
}

const saying =
  (words: string): RequestListener =>
  (_request, response) =>
    void response.end(words);

async function gone(): Promise<Backend> {
  const port = await freePort();
  return { port, healthUrl: `http://127.0.0.1:${port}/health` };
}

const ask = async (url: string): Promise<string> => {
  const answer = await fetch(url, { headers: { connection: "close" } });
  return `${answer.status} ${await answer.text()}`;
};

test("requests go to each process in turn, and past one that refuses", async (t) => {
  const balancer = await startTurns([
    await startBackend(t, saying("one")),
    await gone(),
    await startBackend(t, saying("three")),
  ]);
  t.after(balancer.close);
  const answers = [await ask(balancer.url), await ask(balancer.url), await ask(balancer.url)];
  assert.deepEqual(answers, ["200 three", "200 three", "200 one"]);
  assert.equal(balancer.refused(), 0);
});

test("what one process may have taken is not sent to another", async (t) => {
  const seen: string[] = [];
  const breaking: RequestListener = (request) => {
    seen.push(String(request.url));
    request.socket.resetAndDestroy();
  };
  const balancer = await startTurns([await startBackend(t, breaking), await startBackend(t, breaking)]);
  t.after(balancer.close);
  assert.equal(await ask(`${balancer.url}/a`), "502 ");
  assert.deepEqual(seen, ["/a"]);
});

test("connections go to the first process that is up", async (t) => {
  const backends = [
    await gone(),
    await startBackend(t, saying("two")),
    await startBackend(t, saying("three")),
  ];
  const balancer = await startFirst(backends);
  t.after(balancer.close);
  assert.deepEqual([await ask(balancer.url), await ask(balancer.url)], ["200 two", "200 two"]);
});

test("a connection that nobody takes breaks", async (t) => {
  const balancer = await startFirst([await gone()]);
  t.after(balancer.close);
  await assert.rejects(ask(balancer.url));
  assert.equal(balancer.refused(), 1);
});
