import assert from "node:assert/strict";
import { test } from "node:test";
import { type Element, readError, serialize, xml } from "../../src/xmpp/stanza.ts";
import type { Content, RoomEvent } from "../support/fake-rooms.ts";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, julietJid, romeoGhost, setScene } from "./scene.ts";

const ns = {
  correct: "urn:xmpp:message-correct:0",
  fallback: "urn:xmpp:fallback:0",
  reactions: "urn:xmpp:reactions:0",
  reply: "urn:xmpp:reply:0",
  retract: "urn:xmpp:message-retract:1",
};
const related: ReadonlySet<unknown> = new Set([...Object.values(ns), "urn:xmpp:delay"]);

/** What a stanza says and what it refers to, as XML; what it asks and shows besides is left out. */
const told = (stanza: Element): string =>
  stanza
    .getChildElements()
    .filter(({ name, attrs }) => (!attrs.xmlns && name !== "nick") || related.has(attrs.xmlns))
    .map(serialize)
    .join("");

const withPayload = (id: string, body: string | undefined, ...payloads: Element[]): Element =>
  xml(
    "message",
    { type: "chat", to: julietJid, id },
    ...(body === undefined ? [] : [xml("body", {}, body)]),
    ...payloads,
  );
const reactions = (about: string, ...keys: string[]): Element =>
  xml("reactions", { xmlns: ns.reactions, id: about }, ...keys.map((key) => xml("reaction", {}, key)));
const relation = (type: string, eventId: string, more: Content = {}): Content => ({
  "m.relates_to": { rel_type: type, event_id: eventId, ...more },
});

async function setConversation(t: Parameters<typeof setScene>[0]) {
  const scene = await setScene(t);
  const { juliet, romeo } = scene;
  const bridge = await scene.start();
  const room = await scene.openChat();
  const isMessage = ({ name, attrs }: Element): boolean => name === "message" && attrs.type === "chat";
  const heard = (): Element[] =>
    romeo.inbox.filter((stanza) => isMessage(stanza) && told(stanza) !== "" && stanza.attrs.id !== undefined);
  const seen = (): RoomEvent[] =>
    juliet
      .timeline(room)
      .filter(({ sender, type }) => sender === romeoGhost && !/^m\.room\.(member|create)/.test(type));
  const all = <T>(list: () => T[], count: number, whose: string) =>
    waitFor(() => list().length >= count && list(), `${count} of ${whose}`);
  return {
    ...scene,
    bridge,
    room,
    romeoHeard: (count: number) => all(heard, count, "Romeo"),
    julietSaw: (count: number) => all(seen, count, "Juliet"),
    /** Romeo writes. @returns the event's ID. */
    async romeoSays(id: string, body: string): Promise<string> {
      const before = seen().length;
      await romeo.sendText(julietJid, body, id);
      return (await all(seen, before + 1, "Juliet"))[before]?.event_id ?? "";
    },
    say: (body: string, more: Content = {}) =>
      juliet.send(room, "m.room.message", { msgtype: "m.text", body, ...more }),
    react: (about: string, key: string) =>
      juliet.send(room, "m.reaction", relation("m.annotation", about, { key })),
  };
}

test("Juliet's edits correct the first version, whichever one she edits", async (t) => {
  const { say, romeoHeard } = await setConversation(t);
  const first = say("Good nihgt");
  const edit = (about: string, body: string) =>
    say(`* ${body}`, {
      "m.new_content": { msgtype: "m.text", body },
      ...relation("m.replace", about),
    });
  const second = edit(first, "Good night");
  edit(second, "Good night, good night!");
  const replace = `<replace xmlns="${ns.correct}" id="${first}"/>`;
  assert.deepEqual((await romeoHeard(3)).map(told), [
    "<body>Good nihgt</body>",
    `<body>Good night</body>${replace}`,
    `<body>Good night, good night!</body>${replace}`,
  ]);
});

test("Romeo's corrections replace the first version, and only his own", async (t) => {
  const { say, romeo, romeoSays, romeoHeard, julietSaw } = await setConversation(t);
  const hers = say("mine");
  await romeoHeard(1);
  const first = await romeoSays("r1", "What lihgt");
  const correct = (id: string, about: string, body: string) =>
    romeo.send(withPayload(id, body, xml("replace", { xmlns: ns.correct, id: about })));
  await correct("r2", "r1", "What light");
  await correct("r3", "r2", "What light!");
  await correct("r4", hers, "not hers");
  const [, second, third, fourth] = (await julietSaw(4)).map(({ content }) => content);
  const edited = (body: string) => ({
    relation: { rel_type: "m.replace", event_id: first },
    body: `* ${body}`,
    anew: { "m.mentions": {}, msgtype: "m.text", body },
  });
  const shown = (content: Content | undefined) => ({
    relation: content?.["m.relates_to"],
    body: content?.body,
    anew: content?.["m.new_content"],
  });
  assert.deepEqual(shown(second), edited("What light"));
  assert.deepEqual(shown(third), edited("What light!"));
  assert.deepEqual(shown(fourth), { relation: undefined, body: "Edit: not hers", anew: undefined });
});

test("an edit of what never crossed says that it is one; of what was removed nothing is left", async (t) => {
  const { say, juliet, romeo, room, romeoSays, romeoHeard, julietSaw, bridge } = await setConversation(t);
  const edit = (about: string, body: string) =>
    say(`* ${body}`, { "m.new_content": { msgtype: "m.text", body }, ...relation("m.replace", about) });
  edit("$unknown", "Anew");
  const gone = say("secret");
  await romeoHeard(2);
  juliet.redact(room, gone);
  edit(gone, "secret still");
  say("end");
  const heard = (await romeoHeard(4)).map(told);
  assert.deepEqual(
    [heard[0], heard[1], heard[3]],
    ["<body>Edit: Anew</body>", "<body>secret</body>", "<body>end</body>"],
  );
  assert.match(heard[2] ?? "", new RegExp(`<retract xmlns="${ns.retract}" id="\\${gone}"/>`));
  await romeoSays("r1", "hidden");
  await romeo.send(withPayload("r2", undefined, xml("retract", { xmlns: ns.retract, id: "r1" })));
  await romeo.send(withPayload("r3", "hidden still", xml("replace", { xmlns: ns.correct, id: "r1" })));
  await romeo.sendText(julietJid, "done", "r4");
  const seen = await julietSaw(3);
  assert.deepEqual(
    seen.map(({ type, content }) => [type, content.body]),
    [
      ["m.room.message", undefined],
      ["m.room.redaction", undefined],
      ["m.room.message", "done"],
    ],
  );
  assert.ok(bridge.log.some((line) => line.includes("corrects what its sender has retracted")));
});

test("a reply of Juliet's quotes Romeo by his name and points to his message", async (t) => {
  const { say, romeoSays, romeoHeard } = await setConversation(t);
  const his = await romeoSays("r1", "Wilt thou leave me so?\n🌹");
  const inReplyTo = { "m.relates_to": { "m.in_reply_to": { event_id: his } } };
  const first = say("> <@x:hs.test> Wilt thou\n\nWhat satisfaction?", inReplyTo);
  say("* Whose?", {
    "m.new_content": { msgtype: "m.text", body: "Whose?" },
    ...relation("m.replace", first),
  });
  say("sighs", { msgtype: "m.emote", ...inReplyTo });
  say("to nobody", { "m.relates_to": { "m.in_reply_to": { event_id: "$unknown" } } });
  const quote = "&gt; romeo:\n&gt; Wilt thou leave me so?\n&gt; 🌹\n";
  const reply = `<reply xmlns="${ns.reply}" to="romeo@xmpp.test" id="r1"/>`;
  const fallback = `<fallback xmlns="${ns.fallback}" for="${ns.reply}"><body start="0" end="38"/></fallback>`;
  assert.deepEqual((await romeoHeard(4)).map(told), [
    `<body>${quote}What satisfaction?</body>${reply}${fallback}`,
    `<body>${quote}Whose?</body><replace xmlns="${ns.correct}" id="${first}"/>${reply}${fallback}`,
    `<body>/me sighs</body>${reply}`,
    "<body>to nobody</body>",
  ]);
});

test("a reply of Romeo's points to her message and loses what it quotes of it", async (t) => {
  const { say, romeo, romeoHeard, julietSaw } = await setConversation(t);
  const hers = say("O Romeo, Romeo!");
  await romeoHeard(1);
  const reply = (about = hers) => xml("reply", { xmlns: ns.reply, id: about, to: julietJid });
  const range = (start: unknown, end: unknown) =>
    xml("fallback", { xmlns: ns.fallback, for: ns.reply }, xml("body", { start, end }));
  await romeo.send(withPayload("r1", "> O Romeo, Romeo!\nShall I hear more?", reply(), range(0, 18)));
  await romeo.send(withPayload("r2", "> O Romeo, Romeo!\nunmarked", reply()));
  await romeo.send(withPayload("r3", "> something else\nkept", reply()));
  await romeo.send(withPayload("r4", "wrong", reply(), range(-4, 900), range("x", 2), range(3, 3)));
  await romeo.send(withPayload("r5", "> what?\nunknown", reply("nowhere"), range(0, 8)));
  const seen = (await julietSaw(5)).map(({ content }) => [content.body, content["m.relates_to"]]);
  const about = { "m.in_reply_to": { event_id: hers } };
  assert.deepEqual(seen, [
    ["Shall I hear more?", about],
    ["unmarked", about],
    ["> something else\nkept", about],
    ["wrong", about],
    ["> what?\nunknown", undefined],
  ]);
});

test("a thread has one name on both sides, and its fallback is no reply", async (t) => {
  const { say, romeo, romeoSays, romeoHeard, julietSaw } = await setConversation(t);
  const root = await romeoSays("r1", "root");
  const last = { is_falling_back: true, "m.in_reply_to": { event_id: root } };
  say("in it", relation("m.thread", root, last));
  assert.deepEqual((await romeoHeard(1)).map(told), ["<body>in it</body><thread>r1</thread>"]);
  await romeo.send(withPayload("r2", "too", xml("thread", {}, "r1")));
  await romeo.send(withPayload("r3", "not", xml("thread", {}, "what some client gives to all it sends")));
  const seen = (await julietSaw(3)).slice(1).map(({ content }) => content["m.relates_to"]);
  assert.deepEqual(seen, [
    { rel_type: "m.thread", event_id: root, is_falling_back: true, "m.in_reply_to": { event_id: root } },
    undefined,
  ]);
});

test("each reaction of Juliet's sends all that she has there, and a removal what is left", async (t) => {
  const { juliet, room, react, say, romeoSays, romeoHeard } = await setConversation(t);
  const his = await romeoSays("r1", "But soft!");
  react(his, "👍");
  const heart = react(his, "❤️");
  await romeoHeard(2);
  juliet.redact(room, heart);
  const words = react(his, "yes!");
  await romeoHeard(4);
  juliet.redact(room, words);
  const mine = say("mine");
  react(mine, "🐢");
  react("$unknown", "🐢");
  const set = (about: string, ...keys: string[]) => serialize(reactions(about, ...keys));
  const heard = await romeoHeard(8);
  assert.deepEqual(
    [0, 1, 2, 3, 5, 6, 7].map((index) => told(heard[index] as Element)),
    [
      set("r1", "👍"),
      set("r1", "👍", "❤️"),
      set("r1", "👍"),
      `<body>/me reacted with yes!</body><reply xmlns="${ns.reply}" to="romeo@xmpp.test" id="r1"/>`,
      "<body>mine</body>",
      set(mine, "🐢"),
      "<body>/me reacted with 🐢</body>",
    ],
  );
  assert.match(told(heard[4] as Element), new RegExp(`^<retract xmlns="${ns.retract}" id="\\${words}"/>`));
});

test("a set of Romeo's becomes the reactions that differ, and their removal", async (t) => {
  const { say, romeo, romeoHeard, julietSaw, homeserver } = await setConversation(t);
  const hers = say("mine");
  await romeoHeard(1);
  const react = (id: string, ...keys: string[]) =>
    romeo.send(withPayload(id, undefined, reactions(hers, ...keys)));
  await react("x1", "👍", "❤");
  await react("x2", "❤️", "🐢", "🐢");
  await react("x3");
  const seen = await julietSaw(6);
  const [up, heart, turtle] = [seen[0], seen[1], seen[2]].map((event) => event?.event_id);
  assert.deepEqual(
    seen.map(({ type, content }) => [type, content.redacts]),
    [
      ["m.reaction", undefined],
      ["m.reaction", undefined],
      ["m.reaction", undefined],
      ["m.room.redaction", up],
      ["m.room.redaction", heart],
      ["m.room.redaction", turtle],
    ],
  );
  const sent = homeserver.requests.filter(({ path }) => path.includes("/send/m.reaction/"));
  assert.deepEqual(
    sent.map(({ body }) => JSON.parse(body)["m.relates_to"]),
    ["👍", "❤", "🐢"].map((key) => ({ rel_type: "m.annotation", event_id: hers, key })),
  );
});

test("a reaction of Romeo's to what nobody knows is told in words, and hundreds are not taken", async (t) => {
  const { say, romeo, romeoHeard, julietSaw } = await setConversation(t);
  const hers = say("mine");
  await romeoHeard(1);
  await romeo.send(withPayload("x1", undefined, reactions("nowhere", "👍")));
  await romeo.send(withPayload("x2", undefined, reactions("nowhere")));
  await romeo.send(withPayload("x3", "> mine\n🐢", reactions("nowhere", "🐢")));
  const many = Array.from({ length: 300 }, (_, index) => String.fromCodePoint(0x1f400 + index));
  await romeo.send(withPayload("x4", undefined, reactions(hers, ...many)));
  await romeo.sendText(julietJid, "end");
  const seen = await julietSaw(23);
  assert.deepEqual(
    [seen[0], seen[1], seen[22]].map((event) => event?.content.body),
    ["reacted with 👍", "> mine\n🐢", "end"],
  );
  assert.equal(seen.filter(({ type }) => type === "m.reaction").length, 20);
});

test("reactions that a stranger takes back, and retractions of nothing, open no room", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  await scene.romeo.send(withPayload("r1", undefined, reactions("$unknown")));
  await scene.romeo.send(withPayload("r2", undefined, xml("retract", { xmlns: ns.retract, id: "r0" })));
  await waitFor(() => scene.romeo.errors().length === 1, "the retraction to come back");
  assert.deepEqual(scene.juliet.invites(), []);
});

test("a retraction of Romeo's removes his message with its versions, and nobody else's", async (t) => {
  const { say, romeo, romeoSays, romeoHeard, julietSaw } = await setConversation(t);
  const hers = say("hers");
  await romeoHeard(1);
  const first = await romeoSays("r1", "one");
  await romeo.send(withPayload("r2", "two", xml("replace", { xmlns: ns.correct, id: "r1" })));
  const retract = (id: string, about: string) =>
    romeo.send(withPayload(id, "I take it back", xml("retract", { xmlns: ns.retract, id: about })));
  await retract("r3", hers);
  await retract("r4", "nowhere");
  await retract("r5", "r1");
  await romeo.sendText(julietJid, "end");
  const seen = await julietSaw(5);
  assert.deepEqual(
    seen.map(({ type, content }) => [type, content.redacts, content.body]),
    [
      ["m.room.message", undefined, undefined],
      ["m.room.message", undefined, undefined],
      ["m.room.redaction", first, undefined],
      ["m.room.redaction", seen[1]?.event_id, undefined],
      ["m.room.message", undefined, "end"],
    ],
  );
  await waitFor(() => romeo.errors().length === 2, "two refusals");
  const refused = romeo.errors().map((stanza) => [stanza.attrs.id, readError(stanza).condition]);
  assert.deepEqual(refused, [
    ["r3", "item-not-found"],
    ["r4", "item-not-found"],
  ]);
});

test("a correction of a long message replaces each of its parts, and leaves none of the old ones", async (t) => {
  const { romeo, julietSaw } = await setConversation(t);
  const long = (word: string, count: number): string => `${word} `.repeat(count).trim();
  const replace = (about: string) => xml("replace", { xmlns: ns.correct, id: about });
  await romeo.send(withPayload("r1", long("lihgt", 4000)));
  const [first, second] = (await julietSaw(2)).map(({ event_id }) => event_id);
  await romeo.send(withPayload("r2", long("light", 4000), replace("r1")));
  const changes = (seen: RoomEvent[]) =>
    seen.map(({ content }) => content.redacts ?? (content["m.relates_to"] as Content | undefined)?.event_id);
  assert.deepEqual(changes(await julietSaw(4)).slice(2), [first, second]);
  await romeo.send(withPayload("r3", "light", replace("r2")));
  const seen = await julietSaw(7);
  assert.deepEqual(changes(seen).slice(4), [first, second, seen[3]?.event_id]);
});

test("an ID that Romeo's client uses again is his newest message, and the older one stays", async (t) => {
  const { romeo, romeoSays, julietSaw } = await setConversation(t);
  await romeoSays("1", "of yesterday");
  const second = await romeoSays("1", "of todya");
  await romeo.send(withPayload("2", "of today", xml("replace", { xmlns: ns.correct, id: "1" })));
  const fasten = xml("apply-to", { xmlns: "urn:xmpp:fasten:0", id: "1" });
  fasten.append(xml("retract", { xmlns: "urn:xmpp:message-retract:0" }));
  const [, , correction] = structuredClone(await julietSaw(3));
  assert.deepEqual(correction?.content["m.relates_to"], { rel_type: "m.replace", event_id: second });
  await romeo.send(withPayload("3", "This person attempted to retract a previous message", fasten));
  const seen = await julietSaw(5);
  assert.deepEqual(
    seen.slice(3).map(({ type, content }) => [type, content.redacts]),
    [
      ["m.room.redaction", second],
      ["m.room.redaction", correction?.event_id],
    ],
  );
});

test("whoever is called by name at the start of a line is mentioned", async (t) => {
  const { homeserver, juliet, room, romeoSays } = await setConversation(t);
  const mentionsIn = (eventId: string) =>
    juliet.timeline(room).find(({ event_id }) => event_id === eventId)?.content["m.mentions"];
  const { userId } = juliet;
  assert.deepEqual(mentionsIn(await romeoSays("c1", "juliet: hist!")), { user_ids: [userId] });
  assert.deepEqual(mentionsIn(await romeoSays("c2", "note: juliet, hist!")), {});
  assert.deepEqual(mentionsIn(await romeoSays("c3", "julietta, hist!")), {});
  assert.ok(homeserver.requests.some(({ path }) => path.includes("/profile/")));
});

test("what Juliet removes of Romeo's stays with him, and she is told so", async (t) => {
  const { juliet, room, say, romeoSays, romeoHeard } = await setConversation(t);
  juliet.redact(room, await romeoSays("r1", "his"));
  juliet.redact(room, "$unknown");
  say("end");
  assert.deepEqual((await romeoHeard(1)).map(told), ["<body>end</body>"]);
  const notice = "This was removed here only. On XMPP only its author can remove a message.";
  await waitFor(() => juliet.received(room).at(-1) === notice, "the notice");
});

test("relations find their messages after a restart, and when the bridge has forgotten them", async (t) => {
  const { bridge, start, database, say, react, romeo, romeoSays, romeoHeard, julietSaw } =
    await setConversation(t);
  const his = await romeoSays("r1", "his");
  const hers = say("hers");
  await romeoHeard(1);
  await romeo.send(withPayload("r2", undefined, reactions(hers, "❤️")));
  const [, reaction] = await julietSaw(2);
  await bridge.stop();
  await database.change("delete from messages; delete from reactions");
  await start();
  react(his, "👍");
  assert.equal(told((await romeoHeard(2))[1] as Element), serialize(reactions("r1", "👍")));
  // The homeserver has it already and says so, which is as good as a success.
  await romeo.send(withPayload("r3", undefined, reactions(hers, "❤️")));
  await romeo.send(withPayload("r4", undefined, reactions(hers)));
  const [, , removal] = await julietSaw(3);
  assert.deepEqual([removal?.type, removal?.content.redacts], ["m.room.redaction", reaction?.event_id]);
});

test("a message says when it was written, if that was long ago", async (t) => {
  const { homeserver, room, romeo, romeoHeard, julietSaw } = await setConversation(t);
  const late = { ...eventIn(room, "late"), origin_server_ts: 1_700_000_000_000 };
  await homeserver.pushTransaction("late", [late]);
  assert.deepEqual((await romeoHeard(1)).map(told), [
    '<body>late</body><delay xmlns="urn:xmpp:delay" from="bridge.xmpp.test" stamp="2023-11-14T22:13:20.000Z"/>',
  ]);
  const delay = (from: string, stamp: string) => xml("delay", { xmlns: "urn:xmpp:delay", from, stamp });
  await romeo.send(withPayload("r1", "old", delay("xmpp.test", "2024-01-01T00:00:00Z")));
  await romeo.send(withPayload("r2", "not old", delay("mercutio@xmpp.test", "2024-01-01T00:00:00Z")));
  await romeo.send(withPayload("r3", "to come", delay("xmpp.test", "2999-01-01T00:00:00Z")));
  await romeo.send(withPayload("r4", "no date", delay("xmpp.test", "yesterday")));
  const times = (await julietSaw(4)).map(({ origin_server_ts: time }) => time);
  assert.equal(times[0], Date.parse("2024-01-01T00:00:00Z"));
  for (const time of times.slice(1)) assert.ok(Math.abs(Date.now() - time) < 60_000);
});

test("references of a wrong shape leave a message that can be read, and no lane stands still", async (t) => {
  const { juliet, room, say, romeo, romeoHeard, julietSaw } = await setConversation(t);
  const wrong: unknown[] = [[], 7, "x", null, { rel_type: {} }, { rel_type: "m.replace", event_id: 1 }];
  const strange = [
    { rel_type: "m.replace", event_id: "not an ID" },
    { rel_type: "m.future", event_id: "$x" },
    { rel_type: "m.thread" },
    { "m.in_reply_to": "$x" },
    { "m.in_reply_to": { event_id: ["$x"] } },
  ];
  for (const each of [...wrong, ...strange]) say("words", { "m.relates_to": each });
  say("words", { "m.new_content": "no object", ...relation("m.replace", "$x") });
  juliet.send(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: "$x", key: 4 } });
  juliet.send(room, "m.room.redaction", { redacts: { x: 1 } });
  say("end");
  const bodies = (await romeoHeard(14)).map((stanza) => stanza.getChildText("body"));
  assert.deepEqual(bodies, [...Array(12).fill("words"), "/me reacted with something", "end"]);
  await romeo.send(withPayload("r1", "words", xml("reply", { xmlns: ns.reply })));
  await romeo.send(withPayload("r2", "words", xml("replace", { xmlns: ns.correct })));
  await romeo.send(withPayload("r3", "words", xml("reactions", { xmlns: ns.reactions })));
  await romeo.send(withPayload("r4", "words", xml("retract", { xmlns: ns.retract, id: "" })));
  await romeo.send(withPayload("r5", "words", xml("thread", {}, "x".repeat(5000))));
  await romeo.send(withPayload("r6", undefined, xml("reactions", { xmlns: ns.reactions, id: "x" }, "text")));
  await romeo.sendText(julietJid, "end");
  const seen = (await julietSaw(6)).map(({ content }) => content.body);
  assert.deepEqual(seen, [...Array(5).fill("words"), "end"]);
});
