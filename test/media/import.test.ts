/** Files from strangers' servers, honest and hostile, into the media repository of a stand-in homeserver. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { NoAnswerError } from "../../src/http/client.ts";
import type { SharedLink } from "../../src/mapping/shared-links.ts";
import type { UserId } from "../../src/matrix/ids.ts";
import { MatrixError } from "../../src/matrix/matrix-error.ts";
import { createFetch } from "../../src/media/fetch.ts";
import { type Address, createGuard } from "../../src/media/guard.ts";
import { createMediaImport } from "../../src/media/import.ts";
import { createMediaRepository } from "../../src/media/repository.ts";
import { createLog } from "../../src/ops/log.ts";
import { createMedia } from "../support/fake-media.ts";
import { type SeenRequest, startFakeServer } from "../support/fake-server.ts";
import { opus, png } from "./samples.ts";
import { startWebServer } from "./web-server.ts";

const ghost = "@_xmpp_romeo=40xmpp.test:hs.test" as UserId;
const maxBytes = 1024 * 1024;
const log = createLog({ level: "error", format: "text", now: Date.now, secrets: [] });

interface Options {
  /** What the homeserver takes. */
  mostBytes?: number;
  allowedNetworks?: string[];
  resolve?: (name: string) => Promise<Address[]>;
  timeoutMs?: number;
  silentMs?: number;
}

async function setUp(t: TestContext, options: Options = {}) {
  const media = createMedia("hs.test", options.mostBytes);
  const homeserver = await startFakeServer(async (request: SeenRequest) =>
    media.answer(request, request.query.get("user_id") ?? ""),
  );
  t.after(() => homeserver.stop());
  const web = await startWebServer(t);
  const { allowedNetworks = ["127.0.0.1"], resolve, timeoutMs = 5000, silentMs = 5000 } = options;
  const guard = createGuard({ allowedNetworks, ...(resolve && { resolve }) });
  const imports = createMediaImport({
    fetchFile: createFetch({ guard, maxBytes }),
    repository: createMediaRepository({ url: homeserver.url, asToken: "as-token", silentMs }),
    log,
    timeoutMs,
  });
  t.after(() => imports.close());
  const importFile = (path: string, facts: Partial<SharedLink> = {}) =>
    imports.importFile({ url: `${web.url}${path}`, hashes: {}, ...facts }, ghost);
  return {
    homeserver,
    web,
    answers: web.answers,
    imports,
    importFile,
    stored: () => [...media.files.values()],
  };
}

const linkTo = (url: string, reason?: string) => ({
  msgtype: "m.text",
  body: reason === undefined ? url : `${url}\n(not copied: ${reason})`,
});
const mxcOf = (content: Record<string, unknown>): unknown => {
  assert.match(String(content.url), /^mxc:\/\/hs\.test\/\w+$/);
  return content.url;
};

test("an image arrives whole, as the ghost's, with its dimensions", async (t) => {
  const { answers, web, importFile, stored } = await setUp(t);
  answers["/a/s%C3%BC%C3%9F.png"] = (res) =>
    res.writeHead(200, { "content-type": "image/png", "content-length": png.length }).end(png);
  const content = await importFile("/a/s%C3%BC%C3%9F.png");
  assert.deepEqual(content, {
    msgtype: "m.image",
    body: "süß.png",
    filename: "süß.png",
    url: mxcOf(content),
    info: { mimetype: "image/png", size: png.length, w: 2, h: 3 },
  });
  assert.deepEqual(stored(), [{ type: "image/png", bytes: png, by: ghost, name: "süß.png" }]);
  const { cookie, authorization, referer } = web.requests[0]?.headers ?? {};
  assert.deepEqual([cookie, authorization, referer], [undefined, undefined, undefined]);
});

test("what the message says of a file is kept where the bytes do not contradict it", async (t) => {
  const { answers, importFile, stored } = await setUp(t);
  const bytes = randomBytes(300_000);
  answers["/v"] = (res) => res.writeHead(200, { "content-length": bytes.length }).end(bytes);
  const hash = createHash("sha256").update(bytes).digest("base64");
  const content = await importFile("/v", {
    name: "balcony.mp4",
    type: "video/mp4",
    width: 640,
    height: 480,
    durationMs: 5000,
    description: "The balcony",
    hashes: { "sha-256": hash },
  });
  assert.deepEqual(content, {
    msgtype: "m.video",
    body: "The balcony",
    filename: "balcony.mp4",
    url: mxcOf(content),
    info: { mimetype: "video/mp4", size: bytes.length, w: 640, h: 480, duration: 5000 },
  });
  assert.ok(stored()[0]?.bytes.equals(bytes));
});

test("Opus is a voice message", async (t) => {
  const { answers, importFile } = await setUp(t);
  for (const type of ["audio/ogg", "audio/opus", "application/octet-stream"]) {
    answers["/v.ogg"] = (res) => res.writeHead(200, { "content-type": type }).end(opus);
    const content = await importFile("/v.ogg");
    assert.equal(content.msgtype, "m.audio", type);
    assert.deepEqual(content.info, { mimetype: "audio/ogg", size: opus.length });
    assert.deepEqual(content["org.matrix.msc3245.voice"], {});
  }
});

test("a film with a track of Opus is no voice message", async (t) => {
  const { answers, importFile } = await setUp(t);
  answers["/v.ogv"] = (res) => res.writeHead(200, { "content-type": "video/ogg" }).end(opus);
  const content = await importFile("/v.ogv");
  assert.deepEqual([content.msgtype, content["org.matrix.msc3245.voice"]], ["m.video", undefined]);
});

test("a file whose length nobody tells arrives all the same", async (t) => {
  const { answers, importFile, stored } = await setUp(t);
  answers["/chunked.png"] = (res) => {
    res.writeHead(200, { "content-type": "image/png" });
    res.write(png.subarray(0, 10));
    res.end(png.subarray(10));
  };
  const content = await importFile("/chunked.png");
  assert.deepEqual(content.info, { mimetype: "image/png", size: png.length, w: 2, h: 3 });
  assert.ok(stored()[0]?.bytes.equals(png));
});

test("a file that lies about its type is what its bytes are", async (t) => {
  const { answers, importFile, stored } = await setUp(t);
  const rows: [claimed: string, bytes: Buffer | string, msgtype: string, type: string][] = [
    ["text/html", png, "m.image", "image/png"],
    ["image/png", "<script>alert(1)</script>", "m.file", "application/octet-stream"],
    ["image/svg+xml", "<svg onload='alert(1)'/>", "m.file", "application/octet-stream"],
    ["text/html; charset=utf-8", "<p>hello</p>", "m.file", "application/octet-stream"],
    ["application/xhtml+xml", "<html/>", "m.file", "application/octet-stream"],
    ["application/javascript", "alert(1)", "m.file", "application/octet-stream"],
    ["no type", "x", "m.file", "application/octet-stream"],
    ["application/pdf", "%PDF", "m.file", "application/pdf"],
    ["image/png", png.subarray(0, 12), "m.file", "application/octet-stream"],
  ];
  for (const [index, [claimed, bytes, msgtype, type]] of rows.entries()) {
    answers["/f"] = (res) => res.writeHead(200, { "content-type": claimed }).end(bytes);
    const content = await importFile("/f");
    assert.deepEqual(
      [content.msgtype, (content.info as { mimetype: string }).mimetype],
      [msgtype, type],
      claimed,
    );
    assert.equal(stored()[index]?.type, type);
  }
});

test("what is too large stays where it is, whether it says so or not", async (t) => {
  const { answers, web, importFile, stored } = await setUp(t);
  answers["/said"] = (res) => void res.writeHead(200, { "content-length": maxBytes + 1 }).flushHeaders();
  answers["/endless"] = (res) => {
    const more = (): void => {
      if (res.destroyed) return;
      res.write(randomBytes(64 * 1024));
      setImmediate(more);
    };
    res.writeHead(200);
    more();
  };
  for (const path of ["/said", "/endless"])
    assert.deepEqual(await importFile(path), linkTo(`${web.url}${path}`, "it is too large"));
  assert.deepEqual(stored(), []);
});

test("what is too large for the homeserver is not sent there", async (t) => {
  const { answers, web, importFile, homeserver } = await setUp(t, { mostBytes: png.length - 1 });
  answers["/said"] = (res) => res.writeHead(200, { "content-length": png.length }).end(png);
  answers["/unsaid"] = (res) => res.writeHead(200).end(png);
  for (const path of ["/said", "/unsaid"])
    assert.deepEqual(await importFile(path), linkTo(`${web.url}${path}`, "it is too large"));
  assert.deepEqual(
    homeserver.requests.map(({ path }) => path),
    ["/_matrix/client/v1/media/config"],
  );
});

test("a compressed answer is not taken, whatever it would be", async (t) => {
  const { answers, web, importFile, stored } = await setUp(t);
  answers["/bomb"] = (res) =>
    res.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(10 * maxBytes)));
  assert.deepEqual(await importFile("/bomb"), linkTo(`${web.url}/bomb`));
  assert.deepEqual(stored(), []);
});

test("a server that takes too long is not waited for", async (t) => {
  const { answers, web, importFile } = await setUp(t, { timeoutMs: 300 });
  answers["/silent"] = () => undefined;
  answers["/drip"] = (res) => {
    res.writeHead(200, { "content-length": 1000 });
    const drip = setInterval(() => res.write("x"), 20);
    res.once("close", () => clearInterval(drip));
  };
  for (const path of ["/silent", "/drip"])
    assert.deepEqual(await importFile(path), linkTo(`${web.url}${path}`, "it took too long"));
});

test("a server that stops in the middle of a file is not taken for a homeserver that does", async (t) => {
  const { answers, web, importFile, stored } = await setUp(t, { silentMs: 100 });
  answers["/half"] = (res) => {
    res.writeHead(200, { "content-length": 900_000 });
    res.write(randomBytes(500_000));
  };
  assert.deepEqual(await importFile("/half"), linkTo(`${web.url}/half`, "it took too long"));
  assert.deepEqual(stored(), []);
});

test("a server that changes the protocol holds nothing up", async (t) => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tls\r\n\r\n"),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { imports } = await setUp(t);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.png`;
  assert.deepEqual(await imports.importFile({ url, hashes: {} }, ghost), linkTo(url));
});

test("an answer that breaks off is no file", async (t) => {
  const { answers, web, importFile, stored } = await setUp(t);
  answers["/short"] = (res) => {
    res.writeHead(200, { "content-length": 1000 });
    res.write("x", () => res.destroy());
  };
  answers["/late"] = (res) => {
    res.writeHead(200, { "content-length": 900_000 });
    res.write(randomBytes(500_000), () => res.destroy());
  };
  for (const path of ["/short", "/late"])
    assert.deepEqual(await importFile(path), linkTo(`${web.url}${path}`));
  assert.deepEqual(stored(), []);
});

test("a file with the wrong hash is not shown", async (t) => {
  const { answers, web, importFile } = await setUp(t);
  answers["/f"] = (res) => res.writeHead(200, { "content-length": 1 }).end("x");
  assert.deepEqual(
    await importFile("/f", { hashes: { "sha-256": "AAAA" } }),
    linkTo(`${web.url}/f`, "it is not the file that was meant"),
  );
  assert.equal((await importFile("/f", { hashes: { constructor: "AAAA" } })).msgtype, "m.file");
});

test("errors and names that nobody knows leave the link", async (t) => {
  const { web, answers, importFile, imports } = await setUp(t, { allowedNetworks: ["127.0.0.1"] });
  answers["/500"] = (res) => res.writeHead(500).end();
  for (const path of ["/404", "/500"]) assert.deepEqual(await importFile(path), linkTo(`${web.url}${path}`));
  const nowhere = "http://nowhere.invalid/a";
  assert.deepEqual(await imports.importFile({ url: nowhere, hashes: {} }, ghost), linkTo(nowhere));
});

test("redirects are followed three times, each checked anew", async (t) => {
  const { answers, web, importFile } = await setUp(t);
  const to = (location: string) => (res: import("node:http").ServerResponse) =>
    res.writeHead(302, { location }).end();
  for (const n of [1, 2, 3, 4]) answers[`/${n}`] = to(n === 4 ? "/4" : `/${n + 1}`);
  answers["/4"] = (res) => res.writeHead(200).end(png);
  assert.equal((await importFile("/1")).msgtype, "m.image");
  answers["/0"] = to("/1");
  assert.deepEqual(await importFile("/0"), linkTo(`${web.url}/0`));
  answers["/inside"] = to(`http://127.0.0.2:${web.port}/4`);
  assert.deepEqual(
    await importFile("/inside"),
    linkTo(`${web.url}/inside`, "its server is in a private network"),
  );
  for (const location of [
    "file:///etc/passwd",
    "http://[",
    "ftp://127.0.0.1/",
    `http://a:b@127.0.0.1:${web.port}/4`,
  ]) {
    answers["/odd"] = to(location);
    assert.deepEqual(await importFile("/odd"), linkTo(`${web.url}/odd`), location);
  }
});

test("loopback is not reached without the operator's leave, by number or by name", async (t) => {
  const { web, imports } = await setUp(t, { allowedNetworks: [] });
  for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0"]) {
    const url = `http://${host}:${web.port}/a`;
    assert.deepEqual(
      await imports.importFile({ url, hashes: {} }, ghost),
      linkTo(url, "its server is in a private network"),
    );
  }
  assert.deepEqual(web.requests, []);
});

test("a name that changes its address is asked once, and the connection goes where was checked", async (t) => {
  const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.2"];
  const { web, answers, imports } = await setUp(t, {
    allowedNetworks: ["127.0.0.1"],
    resolve: async () => [{ address: addresses.shift() ?? "", family: 4 }],
  });
  answers["/f.png"] = (res) => res.writeHead(200).end(png);
  const url = `http://rebinding.example:${web.port}/f.png`;
  assert.equal((await imports.importFile({ url, hashes: {} }, ghost)).msgtype, "m.image");
  assert.equal(web.requests[0]?.headers.host, `rebinding.example:${web.port}`);
  assert.equal(addresses.length, 2);
  assert.equal((await imports.importFile({ url, hashes: {} }, ghost)).msgtype, "m.text");
});

test("a homeserver that cannot take it now is tried again, one that will not is told by the link", async (t) => {
  const { homeserver, web, answers, importFile } = await setUp(t);
  answers["/f"] = (res) => res.writeHead(200, { "content-length": png.length }).end(png);
  const refusal = (status: number, errcode: string) =>
    homeserver.respond(() => ({ status, body: JSON.stringify({ errcode }) }));
  for (const status of [500, 502, 429, 401]) {
    refusal(status, "M_UNKNOWN");
    await assert.rejects(
      importFile("/f"),
      (error) => error instanceof MatrixError && error.status === status,
    );
  }
  refusal(413, "M_TOO_LARGE");
  assert.deepEqual(await importFile("/f"), linkTo(`${web.url}/f`, "it is too large"));
  refusal(403, "M_FORBIDDEN");
  assert.deepEqual(await importFile("/f"), linkTo(`${web.url}/f`, "the homeserver does not take it"));
  homeserver.respond(() => ({ status: 200, body: "<html>" }));
  await assert.rejects(importFile("/f"), (error) => error instanceof MatrixError && error.status === 502);
  homeserver.respond(() => "reset");
  await assert.rejects(importFile("/f"), NoAnswerError);
});

test("what is under way when the bridge stops is tried again, and not given up", async (t) => {
  const { answers, imports, importFile } = await setUp(t);
  const asked = new Promise<void>((resolve) => {
    answers["/silent"] = () => resolve();
  });
  const running = importFile("/silent");
  await asked;
  imports.close();
  await assert.rejects(running, NoAnswerError);
});

test("more files than thirty a minute from one sender come as links", async (t) => {
  const { answers, web, importFile } = await setUp(t);
  answers["/f"] = (res) => res.writeHead(200, { "content-length": 1 }).end("x");
  for (let n = 0; n < 30; n += 1) assert.equal((await importFile("/f")).msgtype, "m.file");
  assert.deepEqual(await importFile("/f"), linkTo(`${web.url}/f`, "too many files came at once"));
});
