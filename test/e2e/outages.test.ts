/** What is lost, doubled or out of order while one of the three goes away: nothing is. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";

const skip = serversMissing() ?? false;
const timeout = 240_000;
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

interface Pair {
  matrix: MatrixUser;
  xmpp: XmppUser;
  room: string;
  ghost: string;
  address: string;
}

/** A conversation that has begun, so that what follows is nothing but messages. */
async function meet(matrixName: string, xmppName: string): Promise<Pair> {
  const [matrix, xmpp] = [await stage.matrixUser(matrixName), await stage.xmppUser(xmppName)];
  const ghost = `@_xmpp_${xmppName}=40xmpp.test:hs.test`;
  const room = await matrix.createRoom({ is_direct: true, invite: [ghost] });
  await matrix.sendText(room, "begin");
  await xmpp.waitFor((stanza) => stanza.getChildText("body") === "begin", 30_000);
  return { matrix, xmpp, room, ghost, address: `${matrixName}%hs.test@bridge.xmpp.test` };
}

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** Sends each way as fast as each side takes it, and calls `disturb` in the midst of it. */
async function flow({ matrix, xmpp, room, address }: Pair, count: number, disturb: (at: number) => unknown) {
  const disturbances: unknown[] = [];
  for (let n = 0; n < count; n += 1) {
    disturbances.push(disturb(n));
    // A homeserver that is away takes nothing from its user; the user's client tries again.
    await untilTaken(() => matrix.sendText(room, `m${n}`));
    await untilTaken(() =>
      xmpp.send(xml("message", { type: "chat", to: address }, xml("body", {}, `x${n}`))),
    );
  }
  await Promise.all(disturbances);
}

async function untilTaken(send: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await send();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const onXmpp = ({ xmpp }: Pair) =>
  xmpp.messages
    .filter((stanza) => stanza.is("message") && /^m\d+$/.test(stanza.getChildText("body") ?? ""))
    .map((stanza) => String(stanza.getChildText("body")));
const onMatrix = ({ matrix, ghost }: Pair) =>
  matrix.events
    .filter((event) => event.sender === ghost && event.type === "m.room.message")
    .map((event) => String(event.content.body));

/**
 * All are there, in order. One that was in flight when Prosody or the bridge went away may have come twice, next to
 * itself and with the same ID.
 */
function assertOnXmpp(pair: Pair, count: number, interruptions: number): void {
  const messages = pair.xmpp.messages.filter((stanza) => /^m\d+$/.test(stanza.getChildText("body") ?? ""));
  const fresh = messages.filter(({ attrs }, index) => attrs.id !== messages[index - 1]?.attrs.id);
  assert.deepEqual(
    fresh.map((stanza) => stanza.getChildText("body")),
    numbered("m", count),
  );
  assert.ok(messages.length - count <= interruptions, `${messages.length - count} doubled`);
}

async function arrived(pair: Pair, count: number): Promise<void> {
  await pair.xmpp.waitFor((stanza) => stanza.getChildText("body") === `m${count - 1}`, 90_000);
  await pair.matrix.waitFor((event) => event.content.body === `x${count - 1}`, 90_000);
}

test("the bridge killed twice in mid-flow loses nothing, keeps the order and doubles nothing on Matrix", {
  skip,
  timeout,
}, async () => {
  const pair = await meet("juliet", "romeo");
  const restart = async () => {
    await stage.bridge.kill();
    await stage.bridge.start();
  };
  // XMPP messages that come while nobody listens are refused to their sender by Prosody, so only Matrix sends on.
  const { matrix, xmpp, room, address } = pair;
  const count = 60;
  for (let n = 0; n < count; n += 1) {
    await xmpp.send(xml("message", { type: "chat", to: address, id: `x${n}` }, xml("body", {}, `x${n}`)));
    await matrix.sendText(room, `m${n}`);
    if (n === 20 || n === 40) await restart();
  }
  const refused = () =>
    new Set(xmpp.messages.filter(({ attrs }) => attrs.type === "error").map(({ attrs }) => attrs.id));
  await xmpp.waitFor((stanza) => stanza.getChildText("body") === `m${count - 1}`, 90_000);
  await matrix.waitFor((event) => event.content.body === `x${count - 1}`, 90_000);
  assertOnXmpp(pair, count, 2);
  assert.deepEqual(
    onMatrix(pair),
    numbered("x", count).filter((body) => !refused().has(body)),
  );
});

test("the homeserver restarted in mid-flow loses nothing, keeps the order and doubles nothing", {
  skip,
  timeout,
}, async () => {
  const pair = await meet("nurse", "peter");
  const count = 40;
  await flow(pair, count, (n) => (n === 15 ? stage.synapse.restart() : undefined));
  await arrived(pair, count);
  assert.deepEqual(onXmpp(pair), numbered("m", count));
  assert.deepEqual(onMatrix(pair), numbered("x", count));
});

test("Prosody restarted in mid-flow loses nothing of what Matrix users write and keeps its order", {
  skip,
  timeout,
}, async () => {
  const pair = await meet("paris", "tybalt");
  const count = 40;
  const { matrix, xmpp, room } = pair;
  for (let n = 0; n < count; n += 1) {
    if (n === 15) await stage.prosody.restart();
    await matrix.sendText(room, `m${n}`);
  }
  await xmpp.waitFor((stanza) => stanza.getChildText("body") === `m${count - 1}`, 90_000);
  assertOnXmpp(pair, count, 1);
  await untilTaken(() =>
    xmpp.send(xml("message", { type: "chat", to: pair.address }, xml("body", {}, "x0"))),
  );
  await matrix.waitFor((event) => event.content.body === "x0", 30_000);
});

test("SIGTERM in mid-flow ends with exit code 0, and what it left is delivered by the next run", {
  skip,
  timeout,
}, async () => {
  const pair = await meet("escalus", "abram");
  for (const body of numbered("m", 20)) await pair.matrix.sendText(pair.room, body);
  assert.equal(await stage.bridge.stop(), 0);
  await stage.bridge.start();
  await pair.xmpp.waitFor((stanza) => stanza.getChildText("body") === "m19", 90_000);
  assert.deepEqual(onXmpp(pair), numbered("m", 20));
});
