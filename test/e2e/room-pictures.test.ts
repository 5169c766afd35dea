/** Pictures of rooms and of the people in them, between a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { hear, openMuc, portalAlias, stateOf, waitForMember, waitForPower } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const timeout = 120_000;
const waitMs = 30_000;
// Pictures of one pixel, red and blue.
const red = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);
const blue = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage();
  [juliet, romeo] = [await stage.matrixUser("juliet"), await stage.xmppUser("romeo")];
});
after(async () => {
  await stage?.stop();
});

const vcard = (picture: Buffer): Element =>
  xml(
    "vCard",
    { xmlns: "vcard-temp" },
    xml("PHOTO", {}, xml("TYPE", {}, "image/png"), xml("BINVAL", {}, picture.toString("base64"))),
  );

const setVcard = (picture: Buffer, to?: string): Promise<Element> =>
  romeo.request(xml("iq", { type: "set", ...(to && { to }) }, vcard(picture)));

/** What the homeserver has under the address. */
async function download(mxc: unknown): Promise<Buffer> {
  const path = String(mxc).slice("mxc://".length);
  const { accessToken } = await stage.synapse.registerUser(`reader${path.length}${Date.now()}`, "secret");
  const answer = await fetch(`${stage.synapse.url}/_matrix/client/v1/media/download/${path}`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${mxc}: ${bytes}`);
  return bytes;
}

async function upload(picture: Buffer): Promise<string> {
  const { accessToken } = await stage.synapse.registerUser(`painter${picture.length}`, "secret");
  const answer = await fetch(`${stage.synapse.url}/_matrix/media/v3/upload`, {
    method: "POST",
    headers: { authorization: `Bearer ${accessToken}`, "content-type": "image/png" },
    body: picture,
  });
  return ((await answer.json()) as { content_uri: string }).content_uri;
}

test("the picture of an XMPP room is that of its portal, and a new one follows", {
  skip,
  timeout,
}, async () => {
  const room = `orchard@${stage.muc}`;
  await openMuc(romeo, room, "Romeo");
  await setVcard(red, room);
  const roomId = await juliet.join(portalAlias(room));
  const pictureNow = async () => (await stateOf(juliet, roomId, "m.room.avatar"))?.url;
  const first = await waitFor(pictureNow, "the first picture", waitMs);
  assert.deepEqual(await download(first), red);
  await setVcard(blue, room);
  const second = await waitFor(
    async () => {
      const url = await pictureNow();
      return url !== first && url;
    },
    "the second picture",
    waitMs,
  );
  assert.deepEqual(await download(second), blue);
});

test("a picture that is set on Matrix becomes the XMPP room's, where the bridge may set it", {
  skip,
  timeout,
}, async () => {
  const room = `garden@${stage.muc}`;
  const r = await openMuc(romeo, room, "Romeo");
  const roomId = await juliet.join(portalAlias(room));
  await r.waitForPresence("juliet", undefined, waitMs);
  await r.setAffiliation("bridge.xmpp.test", "owner");
  await r.setAffiliation("juliet%hs.test@bridge.xmpp.test", "owner");
  await waitForPower(juliet, roomId, 100);
  const url = await upload(red);
  await juliet.sendState(roomId, "m.room.avatar", { url });
  const picture = await waitFor(
    async () => {
      const answer = await romeo
        .request(xml("iq", { type: "get", to: room }, xml("vCard", { xmlns: "vcard-temp" })))
        .catch(() => undefined);
      return answer?.getChild("vCard")?.getChild("PHOTO")?.getChildText("BINVAL") ?? undefined;
    },
    "the picture of the XMPP room",
    waitMs,
  );
  assert.ok(Buffer.from(picture, "base64").length > 20);
  // The room tells of its new picture, and that is no reason to set it again.
  await r.say("Is that a rose?");
  await hear(juliet, roomId, "Is that a rose?");
  assert.equal((await stateOf(juliet, roomId, "m.room.avatar"))?.url, url);
});

test("an occupant's picture is on the ghost", { skip, timeout }, async () => {
  const room = `balcony@${stage.muc}`;
  await setVcard(red);
  const hash = createHash("sha1").update(red).digest("hex");
  const update = xml("x", { xmlns: "vcard-temp:x:update" }, xml("photo", {}, hash));
  const r = await openMuc(romeo, room, "Romeo");
  const roomId = await juliet.join(portalAlias(room));
  await r.waitForPresence("juliet", undefined, waitMs);
  await romeo.send(xml("presence", { to: `${room}/Romeo` }, update));
  const ghost = await waitForMember(juliet, roomId, "Romeo");
  const url = await waitFor(
    async () => {
      const path = `/_matrix/client/v3/profile/${encodeURIComponent(ghost)}/avatar_url`;
      const answer = await juliet.request("GET", path).catch(() => ({}));
      return (answer as { avatar_url?: string | null }).avatar_url ?? undefined;
    },
    "Romeo's picture",
    waitMs,
  );
  assert.deepEqual(await download(url), red);
});
