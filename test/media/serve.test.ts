/** Media as whoever has a link gets it, over a stand-in homeserver that also fails. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, get, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { createPublicApp } from "../../src/http/public-app.ts";
import { createMediaLinks, mediaKeyOf } from "../../src/media/links.ts";
import { createMediaRepository } from "../../src/media/repository.ts";
import { mediaRoutes } from "../../src/media/serve.ts";
import { createLog } from "../../src/ops/log.ts";
import { waitFor } from "../support/wait-for.ts";
import { png } from "./samples.ts";
import { startWebServer } from "./web-server.ts";

const asToken = "as-token-0123456789";
const maxBytes = 4 * 1024 * 1024;
const start = 1_800_000_000_000;
const log = createLog({ level: "error", format: "text", now: Date.now, secrets: [] });
const v1 = "/_matrix/client/v1/media/download/hs.test/abc";
const v3 = "/_matrix/media/v3/download/hs.test/abc";

/** @param bytes of the file mxc://hs.test/abc, where the homeserver gives it. */
async function setUp(t: TestContext, bytes: Buffer = png, type = "image/png") {
  const homeserver = await startWebServer(t, {
    [v1]: (res, req) => {
      const isOurs = req.headers.authorization === `Bearer ${asToken}`;
      res.writeHead(isOurs ? 200 : 401, { "content-type": type, "content-length": bytes.length }).end(bytes);
    },
  });
  let now = start;
  const app = createPublicApp([]);
  const server: Server = createServer(app);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const links = createMediaLinks({ publicUrl, key: mediaKeyOf(["x"]), lastMs: 3600_000, now: () => now });
  const repository = createMediaRepository({ url: homeserver.url, asToken });
  app.use("/media", mediaRoutes({ links, repository, maxBytes, now: () => now, log }));
  const link = links.linkOf({ mxc: "mxc://hs.test/abc", name: "summit.png" });
  return {
    homeserver,
    links,
    publicUrl,
    link,
    ask: (headers: Record<string, string> = {}, method = "GET", url = link) =>
      fetch(url, { method, headers }),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const refusalOf = async (response: Response) => [response.status, await response.text()];

test("an image comes whole, shown in place and never run", async (t) => {
  const { ask } = await setUp(t);
  const response = await ask();
  const { date, connection, "keep-alive": alive, ...headers } = Object.fromEntries(response.headers);
  assert.ok(date && connection && alive);
  assert.deepEqual(headers, {
    "accept-ranges": "bytes",
    "cache-control": "private, max-age=3600, immutable",
    "content-disposition": "inline; filename=summit.png",
    "content-length": String(png.length),
    "content-security-policy": "sandbox; default-src 'none'",
    "content-type": "image/png",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  assert.equal(response.status, 200);
  assert.ok(png.equals(Buffer.from(await response.arrayBuffer())));
});

test("whatever a browser might run is for saving, without its type", async (t) => {
  for (const type of ["text/html", "image/svg+xml", "application/pdf", "text/plain", "nonsense"]) {
    const { ask } = await setUp(t, Buffer.from("<script>alert(1)</script>"), type);
    const { headers } = await ask();
    assert.equal(headers.get("content-type"), "application/octet-stream", type);
    assert.equal(headers.get("content-disposition"), "attachment; filename=summit.png");
  }
});

test("names beyond ASCII come as they are", async (t) => {
  const { ask, links } = await setUp(t);
  const url = links.linkOf({ mxc: "mxc://hs.test/abc", name: "süß “\u{1F339}”.png" });
  const { headers, status } = await ask({}, "GET", url);
  assert.equal(status, 200);
  assert.equal(
    headers.get("content-disposition"),
    `inline; filename="s?? ????.png"; filename*=UTF-8''s%C3%BC%C3%9F%20%E2%80%9C%F0%9F%8C%B9%E2%80%9D.png`,
  );
});

test("HEAD tells the same without the bytes", async (t) => {
  const { ask } = await setUp(t);
  const [whole, head] = [await ask(), await ask({}, "HEAD")];
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  for (const name of ["content-length", "content-type", "content-disposition", "accept-ranges"])
    assert.equal(head.headers.get(name), whole.headers.get(name));
  const part = await ask({ range: "bytes=2-5" }, "HEAD");
  assert.deepEqual([part.status, part.headers.get("content-length")], [206, "4"]);
});

test("every single range gives exactly its bytes", async (t) => {
  const bytes = randomBytes(200_000);
  const { ask } = await setUp(t, bytes);
  const place = fc.nat(bytes.length + 10);
  await fc.assert(
    fc.asyncProperty(place, fc.option(place), fc.boolean(), async (first, last, isSuffix) => {
      const header = isSuffix ? `bytes=-${first}` : `bytes=${first}-${last ?? ""}`;
      const response = await ask({ range: header });
      const got = Buffer.from(await response.arrayBuffer());
      if (!isSuffix && last !== null && last < first) return assert.equal(response.status, 200);
      const from = isSuffix ? Math.max(0, bytes.length - first) : first;
      const to = isSuffix ? bytes.length : Math.min(bytes.length, (last ?? bytes.length) + 1);
      if (from >= bytes.length || (isSuffix && first === 0)) {
        assert.equal(response.status, 416);
        return assert.equal(response.headers.get("content-range"), `bytes */${bytes.length}`);
      }
      assert.equal(response.status, 206);
      assert.equal(response.headers.get("content-range"), `bytes ${from}-${to - 1}/${bytes.length}`);
      assert.equal(response.headers.get("content-length"), String(to - from));
      assert.ok(got.equals(bytes.subarray(from, to)));
    }),
    { numRuns: 60 },
  );
});

test("what is no single range gives the whole", async (t) => {
  const { ask } = await setUp(t);
  for (const headers of [
    { range: "bytes=0-1,5-6" },
    { range: "lines=0-1" },
    { range: "nonsense" },
    { range: "bytes=-" },
    { range: "bytes=5-4" },
    { range: "bytes=0-1", "if-range": '"x"' },
  ]) {
    const response = await ask(headers);
    assert.equal(response.status, 200);
    assert.equal((await response.arrayBuffer()).byteLength, png.length);
  }
});

test("a link that was changed is refused, one that has expired says so", async (t) => {
  const { ask, link, pass, publicUrl, homeserver } = await setUp(t);
  const changed = [
    link.replace("summit", "summer"),
    link.replace(/\/media\/(.)/, "/media/A$1"),
    `${publicUrl}/media/x/y`,
  ];
  for (const url of [
    ...changed,
    `${publicUrl}/media/`,
    `${publicUrl}/media/a`,
    `${publicUrl}/media/a/b/c`,
    `${publicUrl}/media/%ff/%ff`,
  ])
    assert.deepEqual(await refusalOf(await ask({}, "GET", url)), [404, "There is no such file here.\n"], url);
  pass(2 * 3600_000);
  assert.deepEqual(await refusalOf(await ask()), [410, "This link has expired.\n"]);
  assert.deepEqual(homeserver.requests, []);
});

test("files can only be read", async (t) => {
  const { ask } = await setUp(t);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const response = await ask({}, method);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
    assert.deepEqual(await refusalOf(response), [405, "Files can only be read here.\n"]);
  }
});

test("what the homeserver does not give is told in plain text", async (t) => {
  const { ask, homeserver } = await setUp(t);
  const failing = (status: number, errcode: string) => (res: ServerResponse) =>
    res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ errcode }));
  const gone = "There is no such file any more.\n";
  const broken = "The homeserver does not give this file now; try again later.\n";
  const rows: [answer: (res: ServerResponse) => unknown, status: number, text: string][] = [
    [failing(404, "M_NOT_FOUND"), 404, gone],
    [failing(404, "M_UNRECOGNIZED"), 404, gone],
    [failing(401, "M_UNKNOWN_TOKEN"), 502, broken],
    [failing(500, "M_UNKNOWN"), 502, broken],
    // A proxy's word, not the homeserver's.
    [(res) => res.writeHead(404).end("<html></html>"), 502, broken],
    [failing(504, "M_NOT_YET_UPLOADED"), 504, "The homeserver took too long; try again later.\n"],
    [(res) => res.writeHead(302, { location: "http://127.0.0.1/" }).end(), 502, broken],
    [(res) => res.destroy(), 502, broken],
    [
      (res) => res.writeHead(200, { "content-length": maxBytes + 1 }).flushHeaders(),
      502,
      "This file is larger than the bridge carries.\n",
    ],
    [
      (res) => res.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x")),
      502,
      "The homeserver does not give this file as it is.\n",
    ],
  ];
  homeserver.answers[v3] = failing(404, "M_NOT_FOUND");
  for (const [answer, status, text] of rows) {
    homeserver.answers[v1] = answer;
    const response = await ask();
    assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.deepEqual(await refusalOf(response), [status, text]);
  }
});

test("older homeservers are asked at their older address", async (t) => {
  const { ask, homeserver } = await setUp(t);
  homeserver.answers[v1] = (res) => res.writeHead(404).end(JSON.stringify({ errcode: "M_UNRECOGNIZED" }));
  homeserver.answers[v3] = (res) => res.writeHead(200, { "content-type": "image/png" }).end(png);
  const response = await ask();
  assert.ok(png.equals(Buffer.from(await response.arrayBuffer())));
});

test("a file that breaks off on the homeserver's side breaks off here", async (t) => {
  const { ask, homeserver } = await setUp(t);
  homeserver.answers[v1] = (res) => {
    res.writeHead(200, { "content-length": 1000 });
    res.write("x", () => res.destroy());
  };
  await assert.rejects(async () => (await ask()).arrayBuffer());
});

test("a file of unknown length is broken off where it is too large", async (t) => {
  const { ask, homeserver } = await setUp(t);
  homeserver.answers[v1] = (res) => res.writeHead(200).end(randomBytes(maxBytes + 1));
  await assert.rejects(async () => (await ask()).arrayBuffer());
});

test("who reads slowly is served slowly, and who goes away ends the download", async (t) => {
  const { link, homeserver } = await setUp(t);
  let written = 0;
  let isClosed = false;
  homeserver.answers[v1] = (res) => {
    res.writeHead(200, { "content-length": maxBytes });
    res.once("close", () => {
      isClosed = true;
    });
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (!res.destroyed && written < maxBytes) {
        written += chunk.length;
        if (!res.write(chunk)) return void res.once("drain", more);
      }
    };
    more();
  };
  const request = get(link);
  const [response] = await once(request, "response");
  response.pause();
  let before = -1;
  await waitFor(async () => {
    const isStill = before === written;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isStill;
  }, "the homeserver to be held back");
  request.destroy();
  await waitFor(() => isClosed, "the download to end");
});

test("one source has sixteen downloads at once, and three hundred requests a minute", async (t) => {
  const { ask, homeserver, link } = await setUp(t);
  homeserver.answers[v1] = (res) => res.writeHead(200, { "content-length": 10 }).write("x");
  const running = await Promise.all(Array.from({ length: 16 }, () => ask()));
  const busy = await ask();
  assert.equal(busy.headers.get("retry-after"), "5");
  assert.deepEqual(await refusalOf(busy), [429, "There are too many downloads at once.\n"]);
  await Promise.all(running.map((response) => response.body?.cancel()));
  await waitFor(async () => {
    const response = await ask();
    await response.body?.cancel();
    return response.status === 200;
  }, "a place to be free");
  const wrong = link.replace("summit", "summer");
  let last = 404;
  for (let n = 0; n < 300 && last === 404; n += 1) last = (await ask({}, "GET", wrong)).status;
  assert.equal(last, 429);
});
