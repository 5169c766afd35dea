/** What XMPP clients are told about the bridge and its users, by real servers: a gateway, with people to be found. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { connectXmpp, type XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const bridge = "bridge.xmpp.test";
const julietJid = `juliet%hs.test@${bridge}`;
let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage({
    adjust: (config) => ({
      ...config,
      xmpp: {
        ...config.xmpp,
        contact: { abuse: ["mailto:abuse@hs.test"], support: ["xmpp:help@xmpp.test"] },
      },
    }),
  });
  [juliet, romeo] = [await stage.matrixUser("juliet"), await stage.xmppUser("romeo")];
});
after(async () => {
  await stage?.stop();
});

const ask = async (to: string, payload: Element, type = "get"): Promise<Element> => {
  const result = await romeo.request(xml("iq", { type, to }, payload));
  const [answer] = result.getChildElements();
  assert.ok(answer);
  return answer;
};

test("a client sees a gateway to Matrix with its contact addresses", { skip }, async () => {
  const info = await ask(bridge, xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }));
  assert.deepEqual(info.getChild("identity")?.attrs, {
    category: "gateway",
    type: "matrix",
    name: "Causeway",
  });
  const features = info.getChildren("feature").map(({ attrs }) => attrs.var);
  for (const feature of ["jabber:iq:gateway", "jabber:iq:search", "vcard-temp", "jabber:iq:version"]) {
    assert.ok(features.includes(feature), feature);
  }
  const fields = info.getChild("x", "jabber:x:data")?.getChildren("field") ?? [];
  assert.deepEqual(
    fields.map((field) => [field.attrs.var, field.getChildText("value")]),
    [
      ["FORM_TYPE", "http://jabber.org/network/serverinfo"],
      ["abuse-addresses", "mailto:abuse@hs.test"],
      ["support-addresses", "xmpp:help@xmpp.test"],
    ],
  );
  const version = await ask(bridge, xml("query", { xmlns: "jabber:iq:version" }));
  assert.equal(version.getChildText("name"), "Causeway");
});

test("a client turns a Matrix ID into an address at the gateway's prompt", { skip }, async () => {
  const form = await ask(bridge, xml("query", { xmlns: "jabber:iq:gateway" }));
  assert.equal(form.getChildText("prompt"), "Matrix ID");
  const typed = xml("query", { xmlns: "jabber:iq:gateway" }, xml("prompt", {}, "@juliet:hs.test"));
  assert.equal((await ask(bridge, typed, "set")).getChildText("jid"), julietJid);
});

test("a client finds people by name in the homeserver's directory and by their ID, and no ghosts", {
  skip,
}, async () => {
  await juliet.request("PUT", `/_matrix/client/v3/profile/${encodeURIComponent(juliet.userId)}/displayname`, {
    displayname: "Giulietta Capuleti",
  });
  // A homeserver shows in its directory whoever is in a public room.
  const room = await juliet.createRoom({ preset: "public_chat" });
  await juliet.invite(room, "@_xmpp_romeo=40xmpp.test:hs.test");
  const find = async (nick: string) => {
    const query = xml("query", { xmlns: "jabber:iq:search" }, xml("nick", {}, nick));
    const items = (await ask(bridge, query, "set")).getChildren("item");
    return items.map((item) => [item.attrs.jid, item.getChildText("nick")]);
  };
  const found = await waitFor(async () => {
    const hits = await find("giulietta");
    return hits.length > 0 && hits;
  }, "the directory to have her");
  assert.deepEqual(found, [[julietJid, "Giulietta Capuleti"]]);
  assert.deepEqual(await find("@juliet:hs.test"), [[julietJid, "Giulietta Capuleti"]]);
  assert.deepEqual(await find("romeo"), []);
});

// A picture of one pixel.
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

test("a client sees the name and the picture that a user has on Matrix", { skip }, async () => {
  const tybalt = await stage.synapse.registerUser("tybalt", "prince-of-cats");
  const authorization = `Bearer ${tybalt.accessToken}`;
  const upload = await fetch(`${stage.synapse.url}/_matrix/media/v3/upload`, {
    method: "POST",
    headers: { authorization, "content-type": "image/png" },
    body: png,
  });
  const { content_uri: uri } = (await upload.json()) as { content_uri: string };
  const profile = `${stage.synapse.url}/_matrix/client/v3/profile/${encodeURIComponent("@tybalt:hs.test")}`;
  const set = (key: string, value: string) =>
    fetch(`${profile}/${key}`, {
      method: "PUT",
      headers: { authorization },
      body: JSON.stringify({ [key]: value }),
    });
  await Promise.all([set("avatar_url", uri), set("displayname", "Tybalt")]);
  const card = await ask(`tybalt%hs.test@${bridge}`, xml("vCard", { xmlns: "vcard-temp" }));
  assert.equal(card.getChildText("FN"), "Tybalt");
  const photo = card.getChild("PHOTO");
  assert.match(photo?.getChildText("TYPE") ?? "", /^image\/(png|jpeg|webp)$/);
  const bytes = Buffer.from(photo?.getChildText("BINVAL") ?? "", "base64");
  assert.ok(bytes.length > 20 && bytes.length < 64 * 1024, String(bytes.length));

  const node = (name: string) => {
    const items = xml("items", { node: name });
    return ask(
      `tybalt%hs.test@${bridge}`,
      xml("pubsub", { xmlns: "http://jabber.org/protocol/pubsub" }, items),
    );
  };
  const itemOf = (answer: Element) => answer.getChild("items")?.getChild("item");
  const info = itemOf(await node("urn:xmpp:avatar:metadata"))
    ?.getChild("metadata")
    ?.getChild("info");
  assert.equal(info?.attrs.bytes, String(bytes.length));
  const data = itemOf(await node("urn:xmpp:avatar:data"));
  assert.equal(data?.attrs.id, info?.attrs.id);
  assert.deepEqual(Buffer.from(data?.getChildText("data") ?? "", "base64"), bytes);
  assert.equal(itemOf(await node("http://jabber.org/protocol/nick"))?.getChildText("nick"), "Tybalt");
});

test("after a restart of Prosody a client that logs in again sees its Matrix contacts online", {
  skip,
}, async () => {
  await stage.prosody.addUser("benvolio", "montague");
  const account = {
    host: stage.prosody.host,
    port: stage.prosody.c2sPort,
    domain: "xmpp.test",
    username: "benvolio",
    password: "montague",
  };
  const isOnline = ({ name, attrs }: Element): boolean =>
    name === "presence" && attrs.from === `${julietJid}/matrix` && attrs.type === undefined;
  const benvolio = await connectXmpp({ ...account, reconnect: true });
  await benvolio.send(xml("presence", { type: "subscribe", to: julietJid }));
  await benvolio.waitFor(isOnline);
  const seen = benvolio.messages.length;
  const loaded = () => stage.bridge.log().split("told subscribers again who is online").length;
  const before = loaded();
  await stage.prosody.restart();
  await waitFor(() => benvolio.messages.slice(seen).some(isOnline), "Juliet to be seen online again");
  await waitFor(() => loaded() > before, "the bridge to have told it by itself");
  await benvolio.stop();
});
