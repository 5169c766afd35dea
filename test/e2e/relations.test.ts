/** Replies, edits, reactions and their like between real users of a real Synapse and a real Prosody. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml, { type Element } from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { SyncEvent } from "../servers/matrix-sync.ts";
import { type Stage, startStage } from "../servers/stage.ts";

const skip = serversMissing() ?? false;
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const ns = {
  correct: "urn:xmpp:message-correct:0",
  delay: "urn:xmpp:delay",
  fallback: "urn:xmpp:fallback:0",
  reactions: "urn:xmpp:reactions:0",
  reply: "urn:xmpp:reply:0",
  retract: "urn:xmpp:message-retract:1",
};

/** All but presence has an ID. */
type Seen = SyncEvent & { event_id: string };

/** Two people in a direct chat, and the words of one of them as the other's client sees them. */
async function meet(local: string, other: string) {
  const matrix = await stage.matrixUser(local);
  const xmpp = await stage.xmppUser(other);
  const [jid, ghost] = [`${local}%hs.test@bridge.xmpp.test`, `@_xmpp_${other}=40xmpp.test:hs.test`];
  const room = await matrix.createRoom({ is_direct: true, invite: [ghost] });
  const message = (id: string, body: string | undefined, ...payloads: Element[]) =>
    xml("message", { type: "chat", to: jid, id }, ...(body ? [xml("body", {}, body)] : []), ...payloads);
  const hears = (matches: (stanza: Element) => boolean): Promise<Element> =>
    xmpp.waitFor((stanza) => stanza.is("message") && matches(stanza), 20_000);
  const sees = async (matches: (event: SyncEvent) => boolean): Promise<Seen> =>
    (await matrix.waitFor((event) => event.sender === ghost && matches(event), 20_000)) as Seen;
  // Whoever writes before the chat has begun gets another one.
  const begun = await matrix.sendText(room, "Hist!");
  await hears(({ attrs }) => attrs.id === begun);
  return {
    matrix,
    xmpp,
    jid,
    ghost,
    room,
    message,
    hears,
    hearsId: (id: string) => hears(({ attrs }) => attrs.id === id),
    sees,
    seesBody: (body: string) => sees(({ content }) => content.body === body),
    say: (body: string, more: Record<string, unknown> = {}) =>
      matrix.send(room, "m.room.message", { msgtype: "m.text", body, ...more }),
    says: async (id: string, body: string, ...payloads: Element[]): Promise<Seen> => {
      await xmpp.send(message(id, body, ...payloads));
      return sees(({ content }) => content.body === body);
    },
  };
}

const relation = (type: string, eventId: string, more: Record<string, unknown> = {}) => ({
  "m.relates_to": { rel_type: type, event_id: eventId, ...more },
});
const inReplyTo = (eventId: string) => ({ "m.relates_to": { "m.in_reply_to": { event_id: eventId } } });
const keysOf = (stanza: Element): string[] =>
  stanza
    .getChild("reactions", ns.reactions)
    ?.getChildren("reaction")
    .map((reaction) => reaction.text()) ?? [];
const reactions = (id: string, ...keys: string[]): Element =>
  xml("reactions", { xmlns: ns.reactions, id }, ...keys.map((key) => xml("reaction", {}, key)));

test("replies point to the right message both ways, and quote by name", { skip }, async () => {
  const { say, says, hearsId, message, xmpp, seesBody, jid } = await meet("juliet", "romeo");
  const hers = await say("Art thou not Romeo?");
  await hearsId(hers);
  const quoting = message(
    "r1",
    "> Art thou not Romeo?\nNeither, fair saint",
    xml("reply", { xmlns: ns.reply, to: jid, id: hers }),
    xml("fallback", { xmlns: ns.fallback, for: ns.reply }, xml("body", { start: 0, end: 22 })),
  );
  await xmpp.send(quoting);
  const his = await seesBody("Neither, fair saint");
  assert.deepEqual(his.content["m.relates_to"], { "m.in_reply_to": { event_id: hers } });
  const answer = await hearsId(await say("How camest thou hither?", inReplyTo(his.event_id)));
  assert.deepEqual(answer.getChild("reply", ns.reply)?.attrs, {
    xmlns: ns.reply,
    to: "romeo@xmpp.test",
    id: "r1",
  });
  const body = answer.getChildText("body") ?? "";
  const range = answer.getChild("fallback", ns.fallback)?.getChild("body")?.attrs;
  assert.match(body, /^> romeo:\n> Neither, fair saint\nHow camest thou hither\?$/);
  assert.equal([...body].slice(Number(range?.end)).join(""), "How camest thou hither?");
  await says("r2", "With love’s light wings");
});

test("edits put a new version in the old one's place both ways, the first version's", { skip }, async () => {
  const { say, says, hearsId, message, xmpp, seesBody } = await meet("juliet2", "romeo2");
  const hers = await say("Good nihgt");
  await hearsId(hers);
  const edit = (about: string, body: string) =>
    say(`* ${body}`, { "m.new_content": { msgtype: "m.text", body }, ...relation("m.replace", about) });
  for (const body of ["Good night", "Good night!"]) {
    const heard = await hearsId(await edit(hers, body));
    assert.equal(heard.getChildText("body"), body);
    assert.equal(heard.getChild("replace", ns.correct)?.attrs.id, hers);
  }
  const his = await says("r1", "Slep well");
  for (const [id, about, body] of [
    ["r2", "r1", "Sleep well"],
    ["r3", "r2", "Sleep well!"],
  ] as const) {
    await xmpp.send(message(id, body, xml("replace", { xmlns: ns.correct, id: about })));
    const { content } = await seesBody(`* ${body}`);
    assert.deepEqual(content["m.relates_to"], { rel_type: "m.replace", event_id: his.event_id });
    assert.deepEqual(content["m.new_content"], { "m.mentions": {}, msgtype: "m.text", body });
  }
});

test("reactions are the whole set on XMPP and single events on Matrix, and can be taken back", {
  skip,
}, async () => {
  const { matrix, room, say, says, hearsId, message, xmpp, sees, hears } = await meet("juliet3", "romeo3");
  const his = await says("r1", "But soft!");
  const react = (key: string) =>
    matrix.send(room, "m.reaction", relation("m.annotation", his.event_id, { key }));
  assert.deepEqual(keysOf(await hearsId(await react("👍"))), ["👍"]);
  const second = await react("❤️");
  assert.deepEqual(keysOf(await hearsId(second)), ["👍", "❤️"]);
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(second)}/x1`;
  const redaction = String((await matrix.request("PUT", path, {})).event_id);
  const left = await hearsId(redaction);
  assert.deepEqual([keysOf(left), left.getChild("reactions", ns.reactions)?.attrs.id], [["👍"], "r1"]);

  const hers = await say("Ay me!");
  await hears(({ attrs }) => attrs.id === hers);
  await xmpp.send(message("r2", undefined, reactions(hers, "🐢", "🌹")));
  const keyOf = (event: SyncEvent) => (event.content["m.relates_to"] as { key?: string } | undefined)?.key;
  const turtle = await sees((event) => keyOf(event) === "🐢");
  await sees((event) => keyOf(event) === "🌹");
  await xmpp.send(message("r3", undefined, reactions(hers, "🌹")));
  const removal = await sees(({ type }) => type === "m.room.redaction");
  assert.equal(removal.content.redacts, turtle.event_id);
});

test("what one side takes back the other loses, and nobody can take back for somebody else", {
  skip,
}, async () => {
  const { matrix, room, say, says, hearsId, message, xmpp, sees } = await meet("juliet4", "romeo4");
  const hers = await say("secret");
  await hearsId(hers);
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(hers)}/x1`;
  const heard = await hearsId(String((await matrix.request("PUT", path, {})).event_id));
  assert.equal(heard.getChild("retract", ns.retract)?.attrs.id, hers);

  const kept = await say("kept");
  await hearsId(kept);
  const his = await says("r1", "hidden");
  const retract = (id: string, about: string) =>
    xmpp.send(message(id, "Taken back", xml("retract", { xmlns: ns.retract, id: about })));
  await retract("r2", kept);
  await retract("r3", "r1");
  await says("r4", "end");
  const removal = await sees(({ type }) => type === "m.room.redaction");
  assert.equal(removal.content.redacts, his.event_id);
  const removals = matrix.events.filter(
    ({ type, sender }) => type === "m.room.redaction" && sender !== matrix.userId,
  );
  assert.equal(removals.length, 1);
  assert.equal(
    matrix.events.some(({ content }) => content.body === "Taken back"),
    false,
  );
});

test("threads keep their root, also over a restart of the bridge, and delays are kept as times", {
  skip,
}, async () => {
  const { say, says, hearsId } = await meet("juliet5", "romeo5");
  const root = await says("r1", "root");
  const threaded = await hearsId(
    await say(
      "in it",
      relation("m.thread", root.event_id, {
        is_falling_back: true,
        ...inReplyTo(root.event_id)["m.relates_to"],
      }),
    ),
  );
  assert.deepEqual([threaded.getChildText("thread"), threaded.getChild("reply")], ["r1", undefined]);
  await stage.bridge.stop();
  await stage.bridge.start();
  const back = await says("r2", "too", xml("thread", {}, "r1"));
  assert.deepEqual(back.content["m.relates_to"], {
    rel_type: "m.thread",
    event_id: root.event_id,
    is_falling_back: true,
    "m.in_reply_to": { event_id: root.event_id },
  });
  const stamp = "2024-01-01T00:00:00Z";
  const old = await says("r3", "long ago", xml("delay", { xmlns: ns.delay, from: "xmpp.test", stamp }));
  assert.equal(old.origin_server_ts, Date.parse(stamp));
});
