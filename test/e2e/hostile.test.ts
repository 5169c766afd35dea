/** What a hostile XMPP user can make a real Prosody say to the bridge. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import { type Stage, startStage } from "../servers/stage.ts";

const skip = serversMissing() ?? false;
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const to = "juliet%hs.test@bridge.xmpp.test";
const forged = `<message from='romeo@xmpp.test/x' to='${to}' type='chat'><body>forged</body></message>`;
/** For an attribute, line ends included. */
const escaped = (text: string): string =>
  text.replace(/[&<>'\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);
/** Each ends the header that mod_rest copies xml:lang into, and goes on with a stanza from somebody else. */
const languages = [
  `en\r\nContent-Length: ${forged.length}\r\n\r\n${forged}`,
  `en\r\n\r\n${forged}`,
  `en\r\nContent-Length: 0\r\n\r\nPOST /xmpp/callback HTTP/1.1\r\nHost: x\r\nContent-Length: ${forged.length}\r\n\r\n${forged}`,
  "x".repeat(20_000),
];

test("a line end in xml:lang lets nobody write in another's name, and Romeo goes on writing", {
  skip,
}, async () => {
  const juliet = await stage.matrixUser("juliet");
  const romeo = await stage.xmppUser("romeo");
  const mercutio = await stage.xmppUser("mercutio");
  const say = (body: string) =>
    romeo.send(xml("message", { type: "chat", to, "xml:lang": "it" }, xml("body", {}, body)));
  await say("before");
  const room = await juliet.waitForInvite("@_xmpp_romeo=40xmpp.test:hs.test", 20_000);
  await juliet.join(room);
  await juliet.waitFor((event) => event.content.body === "before");
  for (const language of languages) {
    const stanza = xml("message");
    const text = `<message to='${to}' type='chat' xml:lang='${escaped(language)}'><body>own</body></message>`;
    stanza.toString = () => text;
    await mercutio.send(stanza);
  }
  await say("after");
  await juliet.waitFor((event) => event.content.body === "after");
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=100`;
  const { chunk } = (await juliet.request("GET", path)) as {
    chunk: { type: string; content: { body?: string } }[];
  };
  assert.deepEqual(
    chunk.filter(({ type }) => type === "m.room.message").map(({ content }) => content.body),
    ["before", "after"],
  );
});
