/** A web server of a stranger, for tests: each path is answered as the test says, byte by byte where it wants. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

type Answer = (res: ServerResponse, req: IncomingMessage) => unknown;

export async function startWebServer(t: TestContext, answers: Record<string, Answer> = {}) {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    const answer = answers[req.url ?? ""];
    if (answer) answer(res, req);
    else res.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, requests, answers };
}
