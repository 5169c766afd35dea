/** What messages say and how they look, between real clients of a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";

const skip = serversMissing() ?? false;
const [ghost, address] = ["@_xmpp_romeo=40xmpp.test:hs.test", "juliet%hs.test@bridge.xmpp.test"];
let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;
let room: string;

type Child = string | ReturnType<typeof xml>;
const say = (id: string, ...children: Child[]) =>
  romeo.send(xml("message", { type: "chat", to: address, id }, ...children));
const bodyOf = (stanza: { getChildText(name: string): string | null }) => stanza.getChildText("body");
const heard = (body: string) => romeo.waitFor((stanza) => bodyOf(stanza) === body, 20_000);
const shown = (body: string) =>
  juliet.waitFor((event) => event.sender === ghost && event.content.body === body, 20_000);

before(async () => {
  if (skip) return;
  stage = await startStage();
  juliet = await stage.matrixUser("juliet");
  romeo = await stage.xmppUser("romeo");
  room = await juliet.createRoom({ is_direct: true, invite: [ghost] });
  await juliet.sendText(room, "begin");
  await heard("begin");
});
after(async () => {
  await stage?.stop();
});

test("formatted text is styled on XMPP, and what only looks like styling is marked as plain", {
  skip,
}, async () => {
  await juliet.send(room, "m.room.message", {
    msgtype: "m.text",
    body: "x",
    format: "org.matrix.custom.html",
    formatted_body:
      '<h2>Act II</h2><p>He <b>jests</b> at <a href="https://scars.example/">scars</a></p><pre><code>never &lt;felt&gt;</code></pre><script>alert(1)</script>',
  });
  await heard("*Act II*\n\nHe *jests* at scars (https://scars.example/)\n```\nnever <felt>\n```");
  await juliet.sendText(room, "*not strong*");
  const plain = await heard("*not strong*");
  assert.ok(plain.getChild("unstyled", "urn:xmpp:styling:0"));
});

test("styling and XHTML-IM are formatted on Matrix, and nothing forged gets through", { skip }, async () => {
  await say("t1", xml("body", {}, "a *strong* `word` <b>& more</b>"));
  const styled = await shown("a *strong* `word` <b>& more</b>");
  assert.equal(
    styled.content.formatted_body,
    "a <strong>strong</strong> <code>word</code> &lt;b&gt;&amp; more&lt;/b&gt;",
  );
  const html = xml(
    "html",
    { xmlns: "http://jabber.org/protocol/xhtml-im" },
    xml(
      "body",
      { xmlns: "http://www.w3.org/1999/xhtml" },
      xml("em", { onclick: "alert(1)" }, "soft"),
      xml("a", { href: "javascript:alert(1)" }, " light"),
    ),
  );
  await say("t2", xml("body", {}, "soft light"), html);
  assert.equal((await shown("soft light")).content.formatted_body, "<em>soft</em> light");
});

test("a text too long for one event arrives whole, in several", { skip }, async () => {
  const lines = Array.from({ length: 1500 }, (_, n) => `line ${n} of a long speech`);
  await say("long", xml("body", {}, lines.join("\n")));
  await juliet.waitFor((event) => String(event.content.body).endsWith("line 1499 of a long speech"), 30_000);
  const parts = juliet.events.filter((event) => String(event.content.body).includes("of a long speech"));
  assert.ok(parts.length > 1);
  assert.deepEqual(
    parts
      .map(({ content }) => content.body)
      .join("\n")
      .split("\n"),
    lines,
  );
});

test("locations cross as locations, and polls in words", { skip }, async () => {
  const geo_uri = "geo:45.4384,10.9916;u=12";
  await juliet.send(room, "m.room.message", { msgtype: "m.location", body: `Location ${geo_uri}`, geo_uri });
  await heard(geo_uri);
  await say("geo", xml("body", {}, "geo:45.4,11.0"));
  const place = await shown("geo:45.4,11.0");
  assert.deepEqual([place.content.msgtype, place.content.geo_uri], ["m.location", "geo:45.4,11.0"]);
  const answers = ["The lark", "The nightingale"].map((text, n) => ({
    id: `${n}`,
    "org.matrix.msc1767.text": text,
  }));
  const question = { "org.matrix.msc1767.text": "Which bird is it?" };
  const poll = "org.matrix.msc3381.poll";
  const start = await juliet.send(room, `${poll}.start`, { [`${poll}.start`]: { question, answers } });
  await heard("Poll: Which bird is it?\n1. The lark\n2. The nightingale");
  await juliet.send(room, `${poll}.response`, {
    "m.relates_to": { rel_type: "m.reference", event_id: start },
    [`${poll}.response`]: { answers: ["1"] },
  });
  await heard("/me voted for: The nightingale");
});

test("what is encrypted for devices comes back to its sender, and Juliet is told", { skip }, async () => {
  await say(
    "omemo",
    xml("encrypted", { xmlns: "eu.siacs.conversations.axolotl" }, xml("payload", {}, "aGk=")),
    xml("body", {}, "I sent you an OMEMO encrypted message."),
  );
  const refused = await romeo.waitFor(
    (stanza) => stanza.attrs.type === "error" && stanza.attrs.id === "omemo",
    20_000,
  );
  assert.ok(refused.getChild("error")?.getChild("not-acceptable"));
  await shown(
    "romeo@xmpp.test wrote an encrypted message, which the bridge cannot read; they have been told.",
  );
  assert.equal(
    juliet.events.some(({ content }) => String(content.body).startsWith("I sent you an OMEMO")),
    false,
  );
});
