import assert from "node:assert/strict";
import { test } from "node:test";
import { type Element, parseStanza, xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { eventIn, romeoGhost, setScene } from "./scene.ts";

type Scene = Awaited<ReturnType<typeof setScene>>;

const bot = "@_xmpp_bot:hs.test";
const component = "bridge.xmpp.test";
const unknown = "That is no command; help lists what there is.";
const unknownHere = "That is no command; !xmpp help lists what there is.";
const permitted = { "*": "user", "@escalus:hs.test": "admin", "@tybalt:hs.test": "block" } as const;

const helpOnMatrix = [
  "This is a bridge between Matrix and XMPP. It takes these commands:",
  /^• help \[COMMAND\] – lists the commands, or says more about one$/m,
  /^• whois ADDRESS – says what an address is on the other network$/m,
  "To write to bob@xmpp.example on XMPP, start a direct chat without encryption with @_xmpp_bob=40xmpp.example:hs.test",
  "In a room with more people a command begins with !xmpp, as in: !xmpp help",
];
const assertHolds = (text: string, parts: readonly (string | RegExp)[]): void => {
  for (const part of parts) {
    if (typeof part === "string") assert.ok(text.includes(part), `${part} in:\n${text}`);
    else assert.match(text, part);
  }
};

/** Juliet, or whoever it is, opens a direct chat with the bot and is greeted. */
async function openBotChat({ juliet }: Scene, person: Scene["juliet"] = juliet): Promise<string> {
  const roomId = person.createRoom({ invite: [bot], is_direct: true });
  await waitFor(() => person.received(roomId).length === 1, "the greeting");
  return roomId;
}

/** What the bot has said in the room after its greeting, once that is `count` or more. */
const botSaid = ({ juliet }: Scene, roomId: string, count: number): Promise<string[]> =>
  waitFor(
    () => juliet.received(roomId).length > count && juliet.received(roomId).slice(1),
    `${count} answers`,
  );

test("the bot greets whoever invites it with its commands, and answers each in order", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await openBotChat(scene);
  assertHolds(scene.juliet.received(roomId)[0] ?? "", helpOnMatrix);
  scene.juliet.sendText(roomId, "HELP");
  scene.juliet.sendText(roomId, "what light");
  scene.juliet.sendText(roomId, "whois @juliet:hs.test");
  const [help = "", ...others] = await botSaid(scene, roomId, 3);
  assertHolds(help, helpOnMatrix);
  assert.deepEqual(others, [
    unknown,
    "@juliet:hs.test (“juliet”) is a Matrix user.\nOn XMPP it is juliet%hs.test@bridge.xmpp.test",
  ]);
  const said = scene.juliet
    .timeline(roomId)
    .filter(({ sender, type }) => sender === bot && type === "m.room.message");
  assert.deepEqual([...new Set(said.map(({ content }) => content.msgtype))], ["m.notice"]);
});

test("what was written before the bot had joined is answered too", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  scene.homeserver.pause();
  const roomId = scene.juliet.createRoom({ invite: [bot], is_direct: true });
  scene.juliet.sendText(roomId, "what light");
  scene.homeserver.loseQueue();
  await scene.homeserver.pushTransaction("invitation", [
    scene.juliet.timeline(roomId).find(({ state_key }) => state_key === bot),
  ]);
  scene.homeserver.resume();
  assert.deepEqual(await botSaid(scene, roomId, 1), [unknown]);
});

test("the bot answers no notices, edits, quotations, pictures, nor what it has answered before", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  const message = (content: Record<string, unknown>) => scene.juliet.send(roomId, "m.room.message", content);
  message({ msgtype: "m.notice", body: "help" });
  message({ msgtype: "m.image", body: "help" });
  message({
    msgtype: "m.text",
    body: "* help",
    "m.new_content": { msgtype: "m.text", body: "help" },
    "m.relates_to": { rel_type: "m.replace", event_id: "$1" },
  });
  message({ msgtype: "m.text", body: "> <@nurse:hs.test> help" });
  scene.juliet.send(roomId, "m.reaction", { "m.relates_to": { key: "help" } });
  scene.juliet.sendText(roomId, "what light");
  const repeated = scene.juliet.timeline(roomId).slice(-1);
  await botSaid(scene, roomId, 1);
  await scene.homeserver.pushTransaction("again", repeated);
  await bridge.settled(roomId);
  assert.deepEqual(scene.juliet.received(roomId).slice(1), [unknown]);
});

test("in a room with more people the bot answers what begins with !xmpp, and says whom", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const nurse = scene.homeserver.user("nurse");
  const roomId = scene.juliet.createRoom({ invite: [bot, nurse.userId] });
  nurse.join(roomId);
  await waitFor(() => scene.juliet.received(roomId).length === 1, "the greeting");
  nurse.sendText(roomId, "help");
  const asked = nurse.sendText(roomId, "!xmpp what light");
  await waitFor(() => scene.juliet.received(roomId).includes(unknownHere), "the answer");
  await bridge.settled(roomId);
  const answers = scene.juliet.timeline(roomId).filter(({ content }) => content.body === unknownHere);
  assert.deepEqual(
    answers.map(({ content }) => content["m.relates_to"]),
    [{ "m.in_reply_to": { event_id: asked } }],
  );
  assert.equal(scene.juliet.received(roomId).filter((body) => body.startsWith("This is a bridge")).length, 1);
});

test("a direct chat that a third person enters becomes a shared room", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  const nurse = scene.homeserver.user("nurse");
  scene.juliet.invite(roomId, nurse.userId);
  nurse.join(roomId);
  scene.juliet.sendText(roomId, "what light");
  scene.juliet.sendText(roomId, "!xmpp what sun");
  await botSaid(scene, roomId, 1);
  await bridge.settled(roomId);
  assert.deepEqual(scene.juliet.received(roomId).slice(1), [unknownHere]);
});

test("a room that others can enter is no chat of two, however few are there yet", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const { juliet } = scene;
  const open = async (type: string, content: Record<string, unknown>): Promise<string> => {
    const roomId = juliet.createRoom({});
    juliet.send(roomId, type, content, "");
    juliet.invite(roomId, bot);
    await waitFor(() => juliet.received(roomId).length === 1, "the greeting");
    juliet.sendText(roomId, "what light");
    juliet.sendText(roomId, "!xmpp");
    await waitFor(() => juliet.received(roomId).length === 2, "the help");
    await bridge.settled(roomId);
    return roomId;
  };
  for (const roomId of [
    await open("m.room.join_rules", { join_rule: "public" }),
    await open("m.room.canonical_alias", { alias: "#garden:hs.test" }),
  ]) {
    const [greeting, help = "", ...others] = juliet.received(roomId);
    assert.equal(
      greeting,
      "This is a bridge between Matrix and XMPP.\n" +
        "To link this room with one of XMPP: !xmpp link garden@conference.xmpp.example\n" +
        "What else I can do here: !xmpp help",
    );
    assert.match(help, /^This is a bridge.*\n(?:• .*\n)*• unlink/);
    assert.deepEqual(others, []);
  }
});

test("the bot leaves a room where it is alone, and is greeted anew in the next", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await openBotChat(scene);
  scene.juliet.leave(roomId);
  await waitFor(() => scene.memberships(roomId).get(bot) === "leave", "the bot to leave");
  await openBotChat(scene);
});

test("who is blocked cannot have the bot, and is told once where it is there already", async (t) => {
  const scene = await setScene(t);
  const tybalt = scene.homeserver.user("tybalt");
  const bridge = await scene.start();
  const roomId = await openBotChat(scene, tybalt);
  await bridge.stop();
  const again = await scene.start({ config: { permissions: permitted } });
  tybalt.sendText(roomId, "help");
  tybalt.sendText(roomId, "help");
  await again.settled(roomId);
  assert.deepEqual(tybalt.received(roomId).slice(1), ["You may not use this bridge."]);
  const next = tybalt.createRoom({ invite: [bot], is_direct: true });
  await waitFor(() => scene.memberships(next).get(bot) === "leave", "the bot to decline");
  assert.deepEqual(tybalt.timeline(next).at(-1)?.content, {
    membership: "leave",
    reason: "You may not use this bridge.",
  });
});

test("an administrator sees more commands than others, and what is wrong", async (t) => {
  const scene = await setScene(t);
  await scene.start({ config: { permissions: permitted } });
  const escalus = scene.homeserver.user("escalus");
  const roomId = await openBotChat(scene, escalus);
  assertHolds(escalus.received(roomId)[0] ?? "", [/^• rooms – /m, /^• block WHO – /m]);
  escalus.sendText(roomId, "status");
  escalus.sendText(roomId, "parked");
  const said = await waitFor(
    () => escalus.received(roomId).length > 2 && escalus.received(roomId).slice(1),
    "both answers",
  );
  assert.deepEqual(said, ["All is well.", "No message is parked."]);
  const hers = await openBotChat(scene);
  assert.doesNotMatch(scene.juliet.received(hers)[0] ?? "", /^• (?:rooms|users|block)/m);
});

test("in an encrypted room the bot says once that it reads none of it", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  scene.juliet.send(roomId, "m.room.encrypted", { algorithm: "m.megolm.v1.aes-sha2" });
  scene.juliet.send(roomId, "m.room.encrypted", { algorithm: "m.megolm.v1.aes-sha2" });
  await bridge.settled(roomId);
  assert.deepEqual(scene.juliet.received(roomId).slice(1), [
    "I cannot read encrypted messages. Write to me in a room without encryption.",
  ]);
});

test("one person is answered thirty times a minute, and then told once to wait", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  for (let n = 0; n < 40; n += 1) scene.juliet.sendText(roomId, `line ${n}`);
  await bridge.settled(roomId);
  assert.deepEqual(scene.juliet.received(roomId).slice(1 + 30), [
    "These are more commands than I answer in a minute: wait a little, and give this one again.",
  ]);
  await scene.romeo.sendText(component, "what light");
  await scene.romeoHas(1);
});

test("a message that the homeserver refuses for now is answered once it takes it", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  let refusals = 0;
  scene.homeserver.respond(({ method, path }) => {
    if (method !== "PUT" || !path.includes("/send/") || refusals > 0) return undefined;
    refusals += 1;
    return "process-then-reset";
  });
  scene.juliet.sendText(roomId, "what light");
  await botSaid(scene, roomId, 1);
  await bridge.settled(roomId);
  assert.deepEqual(scene.juliet.received(roomId).slice(1), [unknown]);
});

test("Romeo gives the bridge commands by writing to its address", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  await scene.romeo.sendText(component, "Help");
  await scene.romeo.sendText(component, `whois ${romeoGhost}`);
  const [help = "", whois] = await scene.romeoHas(2);
  assertHolds(help, [
    "This is a bridge between Matrix and XMPP. It takes these commands:",
    "To write to @alice:matrix.example on Matrix, send a message to alice%matrix.example@bridge.xmpp.test",
  ]);
  assert.doesNotMatch(help, /!xmpp/);
  assert.match(whois ?? "", /^@_xmpp_romeo=40xmpp\.test:hs\.test stands for romeo@xmpp\.test\.\n/);
  const [message] = scene.romeo.messages();
  const { from, to, type } = message?.attrs ?? {};
  assert.deepEqual({ from, to, type }, { from: component, to: scene.romeo.fullJid, type: "chat" });
});

test("what is no line of a person gets no answer on XMPP", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const { romeo, prosody } = scene;
  const body = xml("body", {}, "help");
  const message = (attrs: Record<string, string>, ...children: Element[]) =>
    xml("message", { to: component, id: "m", ...attrs }, ...children);
  await romeo.send(message({ type: "headline" }, body));
  await romeo.send(message({ type: "groupchat" }, body));
  await romeo.send(message({ type: "error" }, body, xml("error", { type: "cancel" })));
  await romeo.send(message({ type: "chat" }, xml("reactions", { xmlns: "urn:xmpp:reactions:0", id: "1" })));
  await romeo.send(
    message({ type: "chat" }, body, xml("replace", { xmlns: "urn:xmpp:message-correct:0", id: "1" })),
  );
  await prosody.deliver(message({ type: "chat", from: "other.gateway.example" }, body));
  await romeo.send(message({ type: "chat" }, xml("body", {}, "what light")));
  assert.deepEqual(await scene.romeoHas(1), [unknown]);
  assert.equal(romeo.errors().length, 0);
});

test("who is blocked on XMPP gets an error for a message to the bridge", async (t) => {
  const scene = await setScene(t);
  await scene.start({ config: { permissions: { "*": "user", "xmpp.test": "block" } } });
  await scene.romeo.sendText(component, "help", "m1");
  const [error] = await waitFor(() => scene.romeo.errors().length > 0 && scene.romeo.errors(), "an error");
  assert.equal(error?.attrs.id, "m1");
  assert.equal(error?.getChild("error")?.getChildText("text"), "You may not use this bridge.");
});

test("Romeo's client finds the commands, fills in a form and gets the answer", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const { romeo } = scene;
  const commands = "http://jabber.org/protocol/commands";
  const info = await romeo.request(
    component,
    xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }),
  );
  assert.ok(String(info).includes(`<feature var="${commands}"/>`));
  const items = await romeo.request(
    component,
    xml("query", { xmlns: "http://jabber.org/protocol/disco#items", node: commands }),
  );
  const nodes =
    items
      .getChild("query")
      ?.getChildren("item")
      .map(({ attrs }) => attrs.node) ?? [];
  assert.deepEqual(nodes.slice(0, 2), ["help", "whois"]);
  assert.equal(nodes.includes("block"), false);

  const form = await romeo.request(component, xml("command", { xmlns: commands, node: "whois" }), "set");
  const { sessionid, status } = form.getChild("command")?.attrs ?? {};
  assert.equal(status, "executing");
  const submitted = parseStanza(
    `<iq><command xmlns="${commands}" node="whois" sessionid="${sessionid}"><x xmlns="jabber:x:data" type="submit">` +
      '<field var="address"><value>@juliet:hs.test</value></field></x></command></iq>',
  ).getChild("command");
  if (!submitted) throw new Error("no command");
  const answer = (await romeo.request(component, submitted, "set")).getChild("command");
  assert.equal(answer?.attrs.status, "completed");
  assert.equal(answer?.getChildText("note"), "@juliet:hs.test (“juliet”) is a Matrix user.");
  const missing = await romeo.request(component, xml("command", { xmlns: commands, node: "fly" }), "set");
  assert.ok(missing.getChild("error")?.getChild("item-not-found"));
});

test("a room that the bot is not in is none of its business, whatever is said there", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  const roomId = await scene.openChat();
  scene.juliet.sendText(roomId, "!xmpp help");
  assert.deepEqual(await scene.romeoHas(1), ["!xmpp help"]);
  const event = eventIn("!elsewhere:hs.test", "!xmpp help");
  assert.deepEqual(await scene.homeserver.pushTransaction("1", [event]), { status: 200, body: "{}" });
});

test("commands that the homeserver lost in a restart are answered after it", async (t) => {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await openBotChat(scene);
  scene.juliet.sendText(roomId, "what light");
  await botSaid(scene, roomId, 1);
  scene.homeserver.pause();
  scene.juliet.sendText(roomId, "whois bridge.xmpp.test");
  scene.homeserver.loseQueue();
  await bridge.stop();
  scene.homeserver.resume();
  await scene.start();
  assert.deepEqual(await botSaid(scene, roomId, 2), [
    unknown,
    "This is the bridge itself: @_xmpp_bot:hs.test on Matrix, bridge.xmpp.test on XMPP.",
  ]);
});

test("an XMPP user who gives too many commands is told with each that it was not done", async (t) => {
  const scene = await setScene(t);
  await scene.start();
  for (let index = 0; index < 31; index += 1) await scene.romeo.sendText(component, "what light");
  const refused = await waitFor(
    () => scene.romeo.inbox.find(({ attrs }) => attrs.type === "error"),
    "the refusal",
  );
  assert.match(String(refused), /type="wait".*<resource-constraint /);
});
