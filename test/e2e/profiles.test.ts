/** Names and faces between a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;

/** One that Synapse can make a thumbnail of. */
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const contact = "juliet%hs.test@bridge.xmpp.test";
const ghost = "@_xmpp_romeo=40xmpp.test:hs.test";
const sha1 = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
const client = "/_matrix/client/v3";
const segment = encodeURIComponent;

const setVcard = (name: string, photo?: Buffer) =>
  romeo.request(
    xml(
      "iq",
      { type: "set" },
      xml(
        "vCard",
        { xmlns: "vcard-temp" },
        xml("FN", {}, name),
        ...(photo
          ? [xml("PHOTO", {}, xml("TYPE", {}, "image/png"), xml("BINVAL", {}, photo.toString("base64")))]
          : []),
      ),
    ),
  );

const profileOf = (userId: string) => juliet.request("GET", `${client}/profile/${segment(userId)}`);
const pictureOf = async (mxc: string): Promise<Buffer> => {
  const path = `/_matrix/client/v1/media/download/${mxc.slice("mxc://".length)}`;
  const login = { type: "m.login.password", identifier: { type: "m.id.user", user: "juliet" } };
  const { access_token: token } = await juliet.request("POST", `${client}/login`, {
    ...login,
    password: "juliet-password",
  });
  const answer = await fetch(`${stage.synapse.url}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return Buffer.from(await answer.arrayBuffer());
};

before(async () => {
  if (skip) return;
  stage = await startStage();
  juliet = await stage.matrixUser("juliet");
  romeo = await stage.xmppUser("romeo");
  await romeo.request(xml("iq", { type: "get" }, xml("query", { xmlns: "jabber:iq:roster" })));
});
after(async () => {
  await stage?.stop();
});

test("an XMPP user's name and picture are the ghost's soon after the first message", { skip }, async () => {
  await setVcard("Romeo Montague", png);
  await romeo.send(xml("message", { type: "chat", to: contact }, xml("body", {}, "If I profane")));
  await juliet.join(await juliet.waitForInvite(ghost, 20_000));
  const mxc = await waitFor(async () => {
    const { displayname, avatar_url: avatar } = await profileOf(ghost);
    return displayname === "Romeo Montague" && avatar ? String(avatar) : undefined;
  }, "a picture");
  assert.deepEqual(await pictureOf(mxc), png);
});

test("a picture that changes on XMPP changes on Matrix, for those who share their presence", {
  skip,
}, async () => {
  await romeo.send(xml("presence", { type: "subscribe", to: contact }));
  await romeo.waitFor((stanza) => stanza.is("presence") && stanza.attrs.type === "subscribe");
  await romeo.send(xml("presence", { type: "subscribed", to: contact }));
  const before = (await profileOf(ghost)).avatar_url;
  const other = Buffer.concat([png, Buffer.from("other")]);
  await setVcard("Romeo Montague", other);
  await romeo.send(xml("presence"));
  const mxc = await waitFor(async () => {
    const { avatar_url: avatar } = await profileOf(ghost);
    return avatar && avatar !== before ? String(avatar) : undefined;
  }, "another picture");
  assert.deepEqual(await pictureOf(mxc), other);
  await setVcard("Romeo Montague");
  await romeo.send(xml("presence"));
  await waitFor(async () => !(await profileOf(ghost)).avatar_url, "no picture");
});

test("a Matrix user's new name and picture reach XMPP", { skip }, async () => {
  const shown = (matches: (stanza: Element) => boolean) =>
    romeo.waitFor(
      (stanza) => stanza.is("presence") && String(stanza.attrs.from).startsWith(contact) && matches(stanza),
      20_000,
    );
  const own = `${client}/profile/${segment(juliet.userId)}`;
  await juliet.request("PUT", `${own}/displayname`, { displayname: "Juliet Capulet" });
  await shown((stanza) => stanza.getChildText("nick") === "Juliet Capulet");
  const login = { type: "m.login.password", identifier: { type: "m.id.user", user: "juliet" } };
  const { access_token: token } = await juliet.request("POST", `${client}/login`, {
    ...login,
    password: "juliet-password",
  });
  const uploaded = await fetch(`${stage.synapse.url}/_matrix/media/v3/upload`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "image/png" },
    body: new Uint8Array(png),
  });
  const { content_uri: mxc } = (await uploaded.json()) as { content_uri: string };
  await juliet.request("PUT", `${own}/avatar_url`, { avatar_url: mxc });
  const announced = await shown((stanza) => Boolean(stanza.getChild("x")?.getChildText("photo")));
  const answer = await romeo.request(
    xml("iq", { type: "get", to: contact }, xml("vCard", { xmlns: "vcard-temp" })),
  );
  const vcard = answer.getChild("vCard");
  const photo = Buffer.from(vcard?.getChild("PHOTO")?.getChildText("BINVAL") ?? "", "base64");
  assert.equal(vcard?.getChildText("FN"), "Juliet Capulet");
  assert.equal(announced.getChild("x")?.getChildText("photo"), sha1(photo));
});
