/** What Prosody's mod_rest, old and new, and its restarts ask of the bridge, and what the component says of itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Element, parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, setScene } from "./scene.ts";

const bridge = "bridge.xmpp.test";
const payloadOf = (reply: Element): string => reply.getChildElements().map(serialize).join("");

test("with mod_rest of 2019 messages cross once each way, without credentials and without an IQ that goes round", async (t) => {
  const scene = await setScene(t, {}, { oldModule: true });
  const { prosody, romeo, juliet } = scene;
  await scene.start();
  const roomId = await scene.openChat();
  juliet.sendText(roomId, "Good night");
  assert.deepEqual(await scene.romeoHas(1), ["Good night"]);
  await romeo.sendText(julietJid, "A thousand times the worse");
  assert.deepEqual(await scene.julietHas(roomId, 1), ["A thousand times the worse"]);
  assert.deepEqual(romeo.bodies(), ["Good night"]);
  assert.ok(prosody.requests.every(({ headers }) => headers.authorization === undefined));
  // Romeo's picture may have been asked for by now, which is answered once.
  const isToItself = ({ body }: { body: string }): boolean =>
    body.startsWith("<iq") && String(parseStanza(body).attrs.to).endsWith(bridge);
  assert.ok(!prosody.requests.some(isToItself));
});

test("with mod_rest of 2019 a message to nobody is refused to its sender", async (t) => {
  const scene = await setScene(t, {}, { oldModule: true });
  await scene.start();
  const roomId = await scene.openChat("@_xmpp_nobody=40xmpp.test:hs.test");
  scene.juliet.sendText(roomId, "Art thou there?");
  const [notice] = await scene.julietHas(roomId, 1);
  assert.match(notice ?? "", /cannot be reached/);
});

test("after a restart of Prosody its contacts are told again who is online, but not of users who are gone", async (t) => {
  const { prosody, homeserver, romeo, start } = await setScene(t);
  const nurse = homeserver.user("nurse");
  const nurseJid = "nurse%hs.test@bridge.xmpp.test";
  const { log } = await start();
  for (const to of [julietJid, nurseJid, bridge]) {
    await romeo.send(xml("presence", { type: "subscribe", to }));
  }
  const online = (): string[] =>
    romeo.inbox.flatMap(({ name, attrs }) =>
      name === "presence" && attrs.type === undefined ? [attrs.from] : [],
    );
  await waitFor(() => online().length === 3, "all to be seen online");
  const asked = (): number => romeo.inbox.filter(({ attrs }) => attrs.type === "subscribe").length;
  await waitFor(() => asked() === 2, "them to ask for his presence");
  nurse.vanish();
  await prosody.stop();
  romeo.inbox.splice(0);
  await prosody.start();
  await waitFor(() => log.some((line) => line.includes("told=2 of=3")), "all to be gone through");
  assert.deepEqual(online(), [`${bridge}/matrix`, `${julietJid}/matrix`]);
});

test("a search finds people by name and by ID, no ghosts, and nothing for those who are blocked", async (t) => {
  const { homeserver, prosody, romeo, juliet, start, openChat } = await setScene(t);
  const config = { permissions: { "*": "user", "mercutio@xmpp.test": "block" } } as const;
  await start({ config });
  await openChat();
  juliet.setProfile("Juliet Capulet");
  homeserver.user("nurse").setProfile("Angelica");
  const search = (nick: string) => xml("query", { xmlns: "jabber:iq:search" }, xml("nick", {}, nick));
  const found = async (nick: string) => {
    const reply = await romeo.request(bridge, search(nick), "set");
    const items = reply.getChild("query")?.getChildren("item") ?? [];
    return items.map((item) => [item.attrs.jid, item.getChildText("nick")]);
  };
  assert.deepEqual(await found("capulet"), [[julietJid, "Juliet Capulet"]]);
  assert.deepEqual(await found("@nurse:hs.test"), [["nurse%hs.test@bridge.xmpp.test", "Angelica"]]);
  assert.deepEqual(await found("romeo"), []);
  assert.deepEqual(await found("bot"), []);
  const many = await Promise.all(Array.from({ length: 20 }, () => romeo.request(bridge, search("x"), "set")));
  const last = many.map(payloadOf).filter((payload) => payload.includes("<resource-constraint "));
  assert.equal(last.length, 4);
  const mercutio = prosody.user("mercutio");
  const refused = await mercutio.request(bridge, search("capulet"), "set");
  assert.deepEqual([refused.attrs.type, payloadOf(refused).includes("<forbidden ")], ["error", true]);
  assert.equal(
    (await mercutio.request(bridge, xml("ping", { xmlns: "urn:xmpp:ping" }))).attrs.type,
    "result",
  );
});

test("a Matrix ID typed at the prompt of the gateway becomes an address, in every form that people paste", async (t) => {
  const { romeo, start } = await setScene(t);
  await start();
  const typed = async (prompt: string) => {
    const query = xml("query", { xmlns: "jabber:iq:gateway" }, xml("prompt", {}, prompt));
    const reply = await romeo.request(bridge, query, "set");
    return (
      reply.getChild("query")?.getChildText("jid") ?? reply.getChild("error")?.getChildElements()[0]?.name
    );
  };
  const forms = [
    "@juliet:hs.test",
    "juliet:hs.test",
    "juliet",
    "https://matrix.to/#/@juliet:hs.test",
    "https://matrix.to/#/%40juliet:hs.test",
    "matrix:u/juliet:hs.test",
  ];
  for (const form of forms) assert.equal(await typed(form), julietJid, form);
  assert.equal(await typed("@nurse:other.example"), "nurse%other.example@bridge.xmpp.test");
  const ours = ["@_xmpp_romeo=40xmpp.test:hs.test", "@_xmpp_bot:hs.test"];
  for (const wrong of ["#cafe:hs.test", "@", "romeo@xmpp.test", "juliet@hs.test", ...ours]) {
    assert.equal(await typed(wrong), "jid-malformed", wrong);
  }
});

test("a vCard holds name and picture; a picture that is too large, no picture or not there is left out", async (t) => {
  const { homeserver, romeo, start } = await setScene(t);
  await start();
  const cardOf = async (name: string) =>
    (await romeo.request(`${name}%hs.test@${bridge}`, xml("vCard", { xmlns: "vcard-temp" }))).getChild(
      "vCard",
    );
  const photoOf = async (name: string, mxc: string, type: string, body?: Buffer) => {
    const picture = body && { status: 200, headers: { "content-type": type }, body };
    homeserver.user(name).setProfile(`The ${name}`, mxc, picture);
    const card = await cardOf(name);
    assert.equal(card?.getChildText("FN"), `The ${name}`);
    const photo = card?.getChild("PHOTO");
    return photo && [photo.getChildText("TYPE"), photo.getChildText("BINVAL")];
  };
  const bytes = Buffer.from([0x89, 0x50, 0, 0xff]);
  const asText = bytes.toString("base64");
  assert.deepEqual(await photoOf("juliet", "mxc://hs.test/a1", "image/png", bytes), ["image/png", asText]);
  assert.equal(await photoOf("large", "mxc://hs.test/a2", "image/png", Buffer.alloc(65 * 1024)), undefined);
  assert.equal(await photoOf("page", "mxc://hs.test/a3", "text/html", bytes), undefined);
  assert.equal(await photoOf("missing", "mxc://hs.test/a4", "image/png"), undefined);
  assert.equal(await photoOf("wrong", "https://hs.test/a5", "image/png", bytes), undefined);
  await cardOf("juliet");
  const asked = homeserver.requests.filter(({ path }) => path.endsWith("/a1"));
  assert.deepEqual(
    asked.map(({ path, query }) => [path, Object.fromEntries(query)]),
    [["/_matrix/client/v1/media/thumbnail/hs.test/a1", { width: "96", height: "96", method: "crop" }]],
  );
});
