/** Files between a real Synapse and a real Prosody: the same bytes on the other side, and links that hold. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, suite, test } from "node:test";
import { deflateSync } from "node:zlib";
import xml, { type Element } from "@xmpp/xml";
import type { Config } from "../../src/config/schema.ts";
import { createMediaLinks, mediaKeyOf } from "../../src/media/links.ts";
import { startWebServer } from "../media/web-server.ts";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";

const skip = serversMissing() ?? false;
const julietJid = "juliet%hs.test@bridge.xmpp.test";
const romeoGhost = "@_xmpp_romeo=40xmpp.test:hs.test";

/** A picture that any program shows: noise, so that it is as large as it looks. */
function pngOf(width: number, height: number): Buffer {
  const crcTable = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const crc = (bytes: Buffer): number =>
    (bytes.reduce((c, byte) => (crcTable[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>>
    0;
  const chunk = (type: string, data: Buffer): Buffer => {
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    const body = Buffer.concat([Buffer.from(type), data]);
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const rows = Array.from({ length: height }, () =>
    Buffer.concat([Buffer.from([0]), randomBytes(width * 3)]),
  );
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const picture = pngOf(320, 200);
const bodyOf = (stanza: Element): string => stanza.getChildText("body") ?? "";
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

suite("files, with servers on loopback allowed", { skip }, () => {
  let stage: Stage;
  let juliet: MatrixUser;
  let romeo: XmppUser;
  let room: string;
  let token: string;
  let config: Config;

  before(async () => {
    if (skip) return;
    stage = await startStage({
      adjust: (written) => {
        config = { ...written, media: { ...written.media, allowedNetworks: ["127.0.0.1"] } };
        return config;
      },
    });
    const account = await stage.synapse.registerUser("uploader", "uploader-password");
    token = account.accessToken;
    juliet = await stage.matrixUser("juliet");
    romeo = await stage.xmppUser("romeo");
    room = await juliet.createRoom({ is_direct: true, invite: [romeoGhost] });
  });
  after(async () => {
    await stage?.stop();
  });
  const upload = async (bytes: Buffer, type: string): Promise<string> => {
    const response = await fetch(`${stage.synapse.url}/_matrix/media/v3/upload?filename=x`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": type },
      body: new Uint8Array(bytes),
    });
    return ((await response.json()) as { content_uri: string }).content_uri;
  };
  const linkTo = async (content: Record<string, unknown>): Promise<string> => {
    const id = await juliet.send(room, "m.room.message", content);
    return bodyOf(await romeo.waitFor((stanza) => stanza.attrs.id === id, 20_000));
  };
  /** A file as the homeserver gives it to Matrix users. */
  const stored = async (mxc: unknown): Promise<Response> =>
    fetch(`${stage.synapse.url}/_matrix/client/v1/media/download/${String(mxc).slice("mxc://".length)}`, {
      headers: { authorization: `Bearer ${token}` },
    });

  test("an image from Matrix is fetched by its link, whole and in part", async () => {
    const url = await upload(picture, "image/png");
    const link = await linkTo({ msgtype: "m.image", body: "rose.png", url, info: { mimetype: "image/png" } });
    const whole = await fetch(link);
    assert.equal(whole.headers.get("content-type"), "image/png");
    assert.equal(whole.headers.get("content-length"), String(picture.length));
    assert.ok(picture.equals(await bytesOf(whole)));
    const part = await fetch(link, { headers: { range: "bytes=100-199" } });
    assert.equal(part.status, 206);
    assert.ok(picture.subarray(100, 200).equals(await bytesOf(part)));
    const head = await fetch(link, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(picture.length));
  });

  test("a page from Matrix can be saved, but is never shown", async () => {
    const url = await upload(Buffer.from("<script>alert(1)</script>"), "text/html");
    const { headers } = await fetch(await linkTo({ msgtype: "m.file", body: "a.html", url }));
    assert.equal(headers.get("content-type"), "application/octet-stream");
    assert.equal(headers.get("content-disposition"), "attachment; filename=a.html");
  });

  test("a link that was changed or has expired is refused", async () => {
    const url = await upload(picture, "image/png");
    const link = await linkTo({ msgtype: "m.image", body: "rose.png", url });
    assert.equal((await fetch(link.replace("rose", "thorn"))).status, 404);
    const secrets = [config.appservice.asToken, config.appservice.hsToken, config.xmpp.callbackSecret];
    const links = createMediaLinks({
      publicUrl: config.publicUrl,
      key: mediaKeyOf(secrets),
      lastMs: 0,
      now: () => Date.now() - 2 * 60 * 60 * 1000,
    });
    assert.equal((await fetch(links.linkOf({ mxc: url, name: "rose.png" }))).status, 410);
  });

  test("media that is not there is told as such", async () => {
    const link = await linkTo({ msgtype: "m.image", body: "rose.png", url: "mxc://hs.test/nothing" });
    assert.equal((await fetch(link)).status, 404);
  });

  test("files from XMPP arrive with the same bytes, whether their length is told or not", async (t) => {
    const noise = randomBytes(3_000_000);
    const web = await startWebServer(t, {
      "/told/rose.png": (res) => res.writeHead(200, { "content-length": picture.length }).end(picture),
      "/untold/noise.bin": (res) => res.writeHead(200).end(noise),
    });
    for (const [path, bytes, msgtype, type] of [
      ["/told/rose.png", picture, "m.image", "image/png"],
      ["/untold/noise.bin", noise, "m.file", "application/octet-stream"],
    ] as const) {
      const url = web.url + path;
      await romeo.send(
        xml(
          "message",
          { type: "chat", to: julietJid },
          xml("body", {}, url),
          xml("x", { xmlns: "jabber:x:oob" }, xml("url", {}, url)),
        ),
      );
      const name = path.split("/").at(-1);
      const { content, sender } = await juliet.waitFor((event) => event.content.filename === name, 20_000);
      assert.deepEqual([sender, content.msgtype], [romeoGhost, msgtype]);
      assert.deepEqual(content.info, {
        mimetype: type,
        size: bytes.length,
        ...(msgtype === "m.image" && { w: 320, h: 200 }),
      });
      assert.ok(bytes.equals(await bytesOf(await stored(content.url))));
    }
  });
});

test("with the configuration as it is written, a link to loopback arrives as a link", { skip }, async (t) => {
  const stage = await startStage();
  try {
    const juliet = await stage.matrixUser("juliet");
    const romeo = await stage.xmppUser("romeo");
    const web = await startWebServer(t, { "/a.png": (res) => res.writeHead(200).end(picture) });
    const url = `${web.url}/a.png`;
    await romeo.send(
      xml(
        "message",
        { type: "chat", to: julietJid },
        xml("body", {}, url),
        xml("x", { xmlns: "jabber:x:oob" }, xml("url", {}, url)),
      ),
    );
    await juliet.join(await juliet.waitForInvite(romeoGhost, 20_000));
    const { content } = await juliet.waitFor((event) => event.type === "m.room.message");
    assert.deepEqual(
      [content.msgtype, content.body],
      ["m.text", `${url}\n(not copied: its server is in a private network)`],
    );
    assert.deepEqual(web.requests, []);
  } finally {
    await stage.stop();
  }
});
