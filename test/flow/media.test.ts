import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { parseStanza } from "../../src/xmpp/stanza.ts";
import { png } from "../media/samples.ts";
import { startWebServer } from "../media/web-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, romeoGhost, setScene } from "./scene.ts";

const allowed = { config: { media: { allowedNetworks: ["127.0.0.1"] } } };
const shared = (url: string, text = url, more = "") =>
  parseStanza(
    `<message type="chat" to="${julietJid}" id="m1"><body>${text}</body>` +
      `<x xmlns="jabber:x:oob"><url>${url}</url></x>${more}</message>`,
  );

test("an image from Matrix is a link that gives its bytes, and its caption comes after it", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  const url = scene.homeserver.media.add({ type: "image/png", bytes: png });
  const content = {
    msgtype: "m.image",
    body: "See",
    filename: "summit.png",
    url,
    info: { mimetype: "image/png" },
  };
  scene.juliet.send(roomId, "m.room.message", content);
  const [link = "", caption] = await scene.romeoHas(2);
  assert.equal(caption, "See");
  assert.match(link, /\/media\/[\w-]+\.[\w-]+\/summit\.png$/);
  const response = await fetch(link);
  assert.equal(response.headers.get("content-type"), "image/png");
  assert.ok(png.equals(Buffer.from(await response.arrayBuffer())));
  const part = await fetch(link, { headers: { range: "bytes=1-3" } });
  assert.deepEqual([part.status, await part.text()], [206, "PNG"]);
  assert.equal((await fetch(link.replace("summit", "summer"))).status, 404);
});

test("an encrypted file is refused with a notice", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  scene.juliet.send(roomId, "m.room.message", {
    msgtype: "m.image",
    body: "a.png",
    file: { url: "mxc://hs.test/a" },
  });
  const [notice] = await scene.julietHas(roomId, 1);
  assert.match(
    notice ?? "",
    /The bridge cannot read encrypted files; send it in a room without encryption\./,
  );
});

test("a link expires with the clock", async (t) => {
  const scene = await setScene(t);
  let now = Date.now();
  await scene.start({ clock: () => now });
  const roomId = await scene.openChat();
  const url = scene.homeserver.media.add({ type: "image/png", bytes: png });
  scene.juliet.send(roomId, "m.room.message", { msgtype: "m.image", body: "a.png", url });
  const [link = ""] = await scene.romeoHas(1);
  now += 15 * 24 * 60 * 60 * 1000;
  assert.equal((await fetch(link)).status, 410);
});

test("files from XMPP become files on Matrix, in order, with the text beside them last", async (t) => {
  const scene = await setScene(t);
  await scene.start(allowed);
  const roomId = await scene.openChat();
  const bytes = randomBytes(400_000);
  const web = await startWebServer(t, {
    "/a.png": (res) =>
      res.writeHead(200, { "content-type": "image/png", "content-length": png.length }).end(png),
    "/b.bin": (res) => res.writeHead(200, { "content-length": bytes.length }).end(bytes),
  });
  const sfs = (path: string) =>
    `<file-sharing xmlns="urn:xmpp:sfs:0"><sources><url-data xmlns="http://jabber.org/protocol/url-data" target="${web.url}${path}"/></sources></file-sharing>`;
  await scene.romeo.send(shared(`${web.url}/a.png`, "Both of them", sfs("/a.png") + sfs("/b.bin")));
  assert.deepEqual(await scene.julietHas(roomId, 3), ["a.png", "b.bin", "Both of them"]);
  const sent = scene.juliet
    .timeline(roomId)
    .filter(({ sender, type }) => sender === romeoGhost && type === "m.room.message");
  assert.deepEqual(
    sent.map(({ content }) => content.msgtype),
    ["m.image", "m.file", "m.text"],
  );
  const stored = sent.slice(0, 2).map(({ content }) => scene.homeserver.media.files.get(String(content.url)));
  assert.deepEqual(stored, [
    { type: "image/png", bytes: png, by: romeoGhost, name: "a.png" },
    { type: "application/octet-stream", bytes, by: romeoGhost, name: "b.bin" },
  ]);
});

test("a first message that is a file begins the conversation", async (t) => {
  const scene = await setScene(t);
  await scene.start(allowed);
  const web = await startWebServer(t, { "/a.png": (res) => res.writeHead(200).end(png) });
  await scene.romeo.send(shared(`${web.url}/a.png`));
  const roomId = await waitFor(() => scene.juliet.invites()[0], "Juliet to be invited");
  scene.juliet.join(roomId);
  assert.deepEqual(await scene.julietHas(roomId, 1), ["a.png"]);
});

test("a link to loopback arrives as a link, and is not followed", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  const web = await startWebServer(t, { "/a.png": (res) => res.writeHead(200).end(png) });
  await scene.romeo.send(shared(`${web.url}/a.png`));
  assert.deepEqual(await scene.julietHas(roomId, 1), [
    `${web.url}/a.png\n(not copied: its server is in a private network)`,
  ]);
  assert.deepEqual(web.requests, []);
});

test("a homeserver that takes no uploads for a while gets the file once, and later messages after it", async (t) => {
  const scene = await setScene(t);
  await scene.start(allowed);
  const roomId = await scene.openChat();
  const web = await startWebServer(t, { "/a.png": (res) => res.writeHead(200).end(png) });
  let failures = 2;
  scene.homeserver.respond(({ path }) => {
    if (path !== "/_matrix/media/v3/upload" || failures === 0) return undefined;
    failures -= 1;
    return { status: 503, body: "{}" };
  });
  await scene.romeo.send(shared(`${web.url}/a.png`));
  await scene.romeo.sendText(julietJid, "Seen it?");
  assert.deepEqual(await scene.julietHas(roomId, 2), ["a.png", "Seen it?"]);
});

test("an answer that is lost after the file was sent does not send it twice", async (t) => {
  const scene = await setScene(t);
  await scene.start(allowed);
  const roomId = await scene.openChat();
  const web = await startWebServer(t, { "/a.png": (res) => res.writeHead(200).end(png) });
  let isLost = false;
  scene.homeserver.respond(({ method, path }) => {
    if (isLost || method !== "PUT" || !path.includes("/send/")) return undefined;
    isLost = true;
    return "process-then-reset";
  });
  await scene.romeo.send(shared(`${web.url}/a.png`));
  await scene.romeo.sendText(julietJid, "Seen it?");
  assert.deepEqual(await scene.julietHas(roomId, 2), ["a.png", "Seen it?"]);
});
