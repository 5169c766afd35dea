import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { capabilities } from "../../src/xmpp/discovery.ts";
import { type Element, errorReply, serialize, xml } from "../../src/xmpp/stanza.ts";
import { png } from "../media/samples.ts";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, romeoGhost, setScene } from "./scene.ts";

const sha1 = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
const nick = (name: string): Element => xml("nick", { xmlns: "http://jabber.org/protocol/nick" }, name);
const hashOf = (hash: string): Element => xml("x", { xmlns: "vcard-temp:x:update" }, xml("photo", {}, hash));

interface Face {
  name?: string;
  photo?: Buffer;
}

/** Answers as a server does that knows of vcard-temp only. */
const vcardOf = (iq: Element, { name, photo }: Face): Element => {
  const { from, to, id } = iq.attrs;
  if (!iq.getChild("vCard")) return errorReply(iq, { type: "cancel", condition: "item-not-found" });
  const vcard = xml("vCard", { xmlns: "vcard-temp" });
  if (name) vcard.append(xml("FN", {}, name));
  if (photo) vcard.append(xml("PHOTO", {}, xml("BINVAL", {}, photo.toString("base64"))));
  return xml("iq", { type: "result", from: to, to: from, id }, vcard);
};

async function setFaceScene(t: Parameters<typeof setScene>[0]) {
  const scene = await setScene(t);
  const { homeserver, romeo, prosody } = scene;
  let asked = 0;
  return {
    ...scene,
    /** How often the bridge has asked for a vCard. */
    asked: (): number => asked,
    shows: (face: Face): void =>
      romeo.answerIqs((iq) => {
        if (iq.getChild("vCard")) asked += 1;
        return vcardOf(iq, face);
      }),
    mercutio: prosody.user("mercutio"),
    profile: () => homeserver.profile(romeoGhost),
    named: (name: string) =>
      waitFor(() => homeserver.profile(romeoGhost).displayname === name, `the name ${name}`),
    changes: (): number =>
      homeserver.requests.filter(
        ({ method, path, query }) =>
          method === "PUT" && path.includes("/profile/") && query.get("user_id") === romeoGhost,
      ).length,
  };
}

test("a ghost gets name and picture after the first message, asked for once and uploaded once", async (t) => {
  const { homeserver, romeo, start, acceptChat, julietHas, shows, asked, named, profile, changes } =
    await setFaceScene(t);
  shows({ name: "Romeo Montague", photo: png });
  const bridge = await start();
  const roomId = await acceptChat();
  await named("Romeo Montague");
  await waitFor(() => profile().avatar_url, "a picture");
  const mxc = String(profile().avatar_url);
  await romeo.sendText(julietJid, "two");
  await romeo.send(xml("presence", { to: julietJid }, hashOf(sha1(png))));
  await julietHas(roomId, 2);
  await bridge.stop();
  await start();
  await romeo.sendText(julietJid, "three");
  await julietHas(roomId, 3);
  assert.deepEqual([asked(), profile().avatar_url, profile().displayname], [1, mxc, "Romeo Montague"]);
  // The JID at first, then name and picture.
  assert.equal(changes(), 3);
  const uploads = homeserver.requests.filter(
    ({ path, query }) => path.endsWith("/upload") && query.get("user_id") !== homeserver.bot,
  );
  assert.equal(uploads.length, 1);
});

test("another hash in presence has the picture looked up again, and an empty one takes it away", async (t) => {
  const { romeo, start, acceptChat, shows, asked, profile } = await setFaceScene(t);
  shows({ name: "Romeo", photo: png });
  await start();
  // As a client does that has connected before it had one; its server has told since.
  await acceptChat();
  await romeo.send(xml("presence", { to: julietJid }, hashOf("")));
  await waitFor(() => profile().avatar_url, "a picture");
  const first = profile().avatar_url;
  const other = Buffer.concat([png, Buffer.from("x")]);
  shows({ name: "Romeo", photo: other });
  await romeo.send(xml("presence", { to: julietJid }, hashOf(sha1(other))));
  await waitFor(() => profile().avatar_url !== first, "another picture");
  shows({ name: "Romeo" });
  await romeo.send(xml("presence", { to: julietJid }, hashOf("")));
  await waitFor(() => profile().avatar_url === "", "no picture");
  assert.ok(asked() <= 4);
});

test("a nickname that is told counts more than the vCard, and one that lies shows as the JID", async (t) => {
  const { romeo, start, acceptChat, shows, named, prosody } = await setFaceScene(t);
  shows({ name: "Romeo Montague" });
  await start();
  await acceptChat();
  await named("Romeo Montague");
  const say = (name: string) =>
    romeo.send(xml("message", { type: "chat", to: julietJid }, xml("body", {}, "hm"), nick(name)));
  await say("Ro\u202emeo");
  await named("Romeo");
  await say("@juliet:hs.test");
  await named("romeo@xmpp.test");
  await romeo.send(xml("presence", { to: julietJid }, nick("Rosencrantz")));
  await named("Rosencrantz");
  const mercutio = prosody.user("mercutio");
  await mercutio.send(xml("presence", { to: julietJid }, nick("Benvolio")));
  await named("Rosencrantz");
});

test("neither silence nor rubbish in place of a vCard delays a message or changes the ghost", async (t) => {
  const { romeo, start, acceptChat, julietHas, shows, asked, profile } = await setFaceScene(t);
  romeo.answerIqs(() => undefined);
  const bridge = await start();
  const roomId = await acceptChat();
  await romeo.sendText(julietJid, "two");
  await julietHas(roomId, 2);
  assert.deepEqual(profile(), { displayname: "romeo@xmpp.test" });
  await bridge.stop();
  shows({ name: "  \u200b", photo: Buffer.from("<svg onload='alert(1)'/>") });
  await start();
  await romeo.sendText(julietJid, "three");
  await julietHas(roomId, 3);
  await waitFor(() => asked() === 1, "the vCard to be asked for");
  assert.deepEqual(profile(), { displayname: "romeo@xmpp.test" });
});

test("a Matrix user's name goes along with the first message, and again when it has changed", async (t) => {
  const { homeserver, juliet, romeo, romeoHas, start, openChat } = await setFaceScene(t);
  juliet.setProfile("Juliet");
  const bridge = await start();
  const roomId = await openChat();
  await bridge.settled(roomId);
  juliet.sendText(roomId, "one");
  await romeoHas(1);
  juliet.sendText(roomId, "two");
  await romeoHas(2);
  juliet.setProfile("Juliet Capulet");
  homeserver.rooms.send(
    juliet.userId,
    roomId,
    "m.room.member",
    { membership: "join", displayname: "Juliet Capulet" },
    juliet.userId,
  );
  await bridge.settled(roomId);
  juliet.sendText(roomId, "three");
  await romeoHas(3);
  const told = romeo.messages().map((message) => message.getChild("nick")?.getText());
  assert.deepEqual(told, ["Juliet", undefined, "Juliet Capulet"]);
});

test("a Matrix user's new picture is announced by its hash to those who have them in the roster", async (t) => {
  const { homeserver, juliet, romeo, start, acceptChat } = await setFaceScene(t);
  const bridge = await start();
  const roomId = await acceptChat();
  // Her joining tells of her face too.
  await bridge.settled(roomId);
  await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
  const seen = (): string[] =>
    romeo.inbox
      .filter(({ name, attrs }) => name === "presence" && !attrs.type)
      .map((presence) => presence.getChildElements().map(serialize).join(""));
  await waitFor(() => seen().length === 1, "presence");
  const answer = { status: 200, headers: { "content-type": "image/png" }, body: png.toString("latin1") };
  juliet.setProfile("Juliet", "mxc://hs.test/face", answer);
  homeserver.rooms.send(
    juliet.userId,
    roomId,
    "m.room.member",
    { membership: "join", displayname: "Juliet", avatar_url: "mxc://hs.test/face" },
    juliet.userId,
  );
  await waitFor(() => seen().length === 2, "presence with the new picture");
  const photo = (await romeo.request(julietJid, xml("vCard", { xmlns: "vcard-temp" })))
    .getChild("vCard")
    ?.getChild("PHOTO")
    ?.getChildText("BINVAL");
  const hash = sha1(Buffer.from(photo ?? "", "base64"));
  const name = `${serialize(capabilities())}<nick xmlns="http://jabber.org/protocol/nick">`;
  assert.deepEqual(seen(), [
    `${name}juliet</nick><x xmlns="vcard-temp:x:update"><photo/></x>`,
    `${name}Juliet</nick><x xmlns="vcard-temp:x:update"><photo>${hash}</photo></x>`,
  ]);
});
