/** What people show besides what they say, between a real Synapse and a real Prosody: typing, receipts, presence. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";

const skip = serversMissing() ?? false;
let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;
let room: string;

const contact = "juliet%hs.test@bridge.xmpp.test";
const ghost = "@_xmpp_romeo=40xmpp.test:hs.test";
const markers = "urn:xmpp:chat-markers:0";
const states = "http://jabber.org/protocol/chatstates";
const segment = encodeURIComponent;

const message = (...children: Element[]) => xml("message", { type: "chat", to: contact }, ...children);
const say = (body: string, id: string, ...more: Element[]) =>
  romeo.send(xml("message", { type: "chat", to: contact, id }, xml("body", {}, body), ...more));
const has = (stanza: Element, namespace: string, name: string): boolean =>
  stanza.getChildElements().some((child) => child.attrs.xmlns === namespace && child.name === name);
const readUpTo = (event: string, kind = "m.read") =>
  juliet.request("POST", `/_matrix/client/v3/rooms/${segment(room)}/receipt/${kind}/${segment(event)}`, {});
const markersSeen = (): string[] =>
  romeo.messages.flatMap((stanza) => stanza.getChild("displayed")?.attrs.id ?? []);

before(async () => {
  if (skip) return;
  stage = await startStage();
  juliet = await stage.matrixUser("juliet");
  romeo = await stage.xmppUser("romeo");
  // Prosody tells of subscriptions only those who have asked for their roster.
  await romeo.request(xml("iq", { type: "get" }, xml("query", { xmlns: "jabber:iq:roster" })));
  await say("O, speak again, bright angel!", "first");
  room = await juliet.waitForInvite(ghost, 20_000);
  await juliet.join(room);
  await juliet.waitFor((event) => event.type === "m.room.message");
});
after(async () => {
  await stage?.stop();
});

test("typing shows on the other side, and stops", { skip }, async () => {
  const typists = (list: string[]) =>
    juliet.waitForEphemeral(
      ({ type, content }) => type === "m.typing" && JSON.stringify(content.user_ids) === JSON.stringify(list),
    );
  await romeo.send(message(xml("composing", { xmlns: states })));
  await typists([ghost]);
  juliet.ephemeral.splice(0);
  await romeo.send(message(xml("paused", { xmlns: states })));
  await typists([]);
  const path = `/_matrix/client/v3/rooms/${segment(room)}/typing/${segment(juliet.userId)}`;
  await juliet.request("PUT", path, { typing: true, timeout: 30_000 });
  await romeo.waitFor((stanza) => has(stanza, states, "composing"));
  await juliet.request("PUT", path, { typing: false });
  await romeo.waitFor((stanza) => has(stanza, states, "paused"));
});

test("what is read shows on the other side, and a private receipt does not", { skip }, async () => {
  for (const id of ["r1", "r2", "r3"]) await say(id, id);
  const eventOf = async (body: string): Promise<string> =>
    String((await juliet.waitFor(({ content }) => content.body === body)).event_id);
  const [first, second, third] = [await eventOf("r1"), await eventOf("r2"), await eventOf("r3")];
  await readUpTo(first);
  await romeo.waitFor((stanza) => stanza.getChild("displayed")?.attrs.id === "r1");
  await readUpTo(second, "m.read.private");
  await readUpTo(third);
  await romeo.waitFor((stanza) => stanza.getChild("displayed")?.attrs.id === "r3");
  assert.deepEqual(markersSeen(), ["r1", "r3"]);

  const sent = await juliet.sendText(room, "How camest thou hither?");
  const heard = await romeo.waitFor((stanza) => stanza.getChildText("body") === "How camest thou hither?");
  assert.ok(has(heard, markers, "markable") && has(heard, "urn:xmpp:receipts", "request"));
  await romeo.send(message(xml("displayed", { xmlns: markers, id: String(heard.attrs.id) })));
  const receipt = await juliet.waitForEphemeral(
    ({ type, content }) => type === "m.receipt" && Object.hasOwn(content, sent),
  );
  const readers = receipt.content[sent] as { "m.read"?: Record<string, unknown> };
  assert.deepEqual(Object.keys(readers["m.read"] ?? {}), [ghost]);
});

test("a message that asks for it is confirmed when the homeserver has it", { skip }, async () => {
  await say("Lady, by yonder blessed moon", "d1", xml("request", { xmlns: "urn:xmpp:receipts" }));
  const confirmed = await romeo.waitFor((stanza) => stanza.getChild("received")?.attrs.id === "d1");
  assert.equal(confirmed.attrs.from, contact);
  await juliet.waitFor(({ content }) => content.body === "Lady, by yonder blessed moon");
  // One of mod_rest itself would have no ID.
  const all = romeo.messages.filter((stanza) => stanza.getChild("received"));
  assert.deepEqual(
    all.map((stanza) => stanza.getChild("received")?.attrs.id),
    ["d1"],
  );
});

test("who has somebody in the roster is asked back, and then each sees when the other comes and goes", {
  skip,
}, async () => {
  await romeo.send(xml("presence", { type: "subscribe", to: contact }));
  await romeo.waitFor((stanza) => stanza.is("presence") && stanza.attrs.type === "subscribed");
  await romeo.waitFor((stanza) => stanza.is("presence") && stanza.attrs.type === "subscribe");
  await romeo.send(xml("presence", { type: "subscribed", to: contact }));
  const shows = (presence: string, status?: string) =>
    juliet.waitForEphemeral(
      ({ type, sender, content }) =>
        type === "m.presence" &&
        sender === ghost &&
        content.presence === presence &&
        content.status_msg === status,
      20_000,
    );
  await shows("online");
  await romeo.send(xml("presence", {}, xml("show", {}, "dnd"), xml("status", {}, "in Mantua")));
  await shows("unavailable", "in Mantua");

  const set = (content: object) =>
    juliet.request("PUT", `/_matrix/client/v3/presence/${segment(juliet.userId)}/status`, content);
  const shown = (matches: (stanza: Element) => boolean) =>
    romeo.waitFor(
      (stanza) => stanza.is("presence") && String(stanza.attrs.from).startsWith(contact) && matches(stanza),
      20_000,
    );
  await set({ presence: "unavailable", status_msg: "asleep" });
  const away = await shown((stanza) => stanza.getChildText("show") === "away");
  assert.equal(away.getChildText("status"), "asleep");
  await set({ presence: "online" });
  const place = (stanza: Element) => romeo.messages.indexOf(stanza);
  await shown(
    (stanza) =>
      stanza.attrs.type === undefined && stanza.getChild("show") === undefined && place(stanza) > place(away),
  );
  await set({ presence: "offline" });
  await shown((stanza) => stanza.attrs.type === "unavailable");
});

test("after a restart of the bridge it asks who is there, and shows what it has missed", {
  skip,
}, async () => {
  await stage.bridge.stop();
  // Nobody takes it, and Prosody does not repeat it.
  await romeo.send(xml("presence", {}, xml("status", {}, "back in Verona")));
  await stage.bridge.start();
  await juliet.waitForEphemeral(
    ({ type, sender, content }) =>
      type === "m.presence" &&
      sender === ghost &&
      content.presence === "online" &&
      content.status_msg === "back in Verona",
    20_000,
  );
});
