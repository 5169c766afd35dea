/** The same promise between the real Synapse and Prosody, in a direct conversation and in a room of both networks. */
import { setTimeout as delay } from "node:timers/promises";
import xml, { type Element } from "@xmpp/xml";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { gather, meetInPortal } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";
import { inADay } from "./absence-faults.ts";
import type { Fault, FaultContext } from "./fault.ts";
import { type Arrival, type Column, isComplete, judge, sumOf } from "./ledger.ts";
import type { Outcome } from "./scene.ts";

const limitMs = 90_000;

/** Until the server takes it, as a client would. */
async function send(what: () => Promise<unknown>): Promise<void> {
  await waitFor(
    () =>
      what().then(
        () => true,
        () => delay(100, false),
      ),
    "it to be taken",
    limitMs,
  );
}

const heard = (user: XmppUser, type: string, word: string): Arrival[] =>
  user.messages
    .filter((stanza) => stanza.is("message") && stanza.attrs.type === type)
    .map((stanza) => ({ body: stanza.getChildText("body") ?? "", id: String(stanza.attrs.id) }))
    .filter(({ body }) => body.startsWith(word));

const seen = (user: MatrixUser, roomId: string, word: string): Arrival[] =>
  user.events
    .filter(({ room_id, type }) => room_id === roomId && type === "m.room.message")
    .map(({ content, event_id }) => ({ body: String(content.body), id: String(event_id) }))
    .filter(({ body }) => body.startsWith(word));

const bounced = (user: XmppUser): Set<string> =>
  new Set(
    user.messages
      .filter((stanza) => stanza.is("message") && stanza.attrs.type === "error")
      .map(({ attrs }) => String(attrs.id)),
  );

const message = (type: string, to: string, body: string): Element =>
  xml("message", { type, to, id: body }, xml("body", {}, body));

async function talk(stage: Stage, disturb: (n: number) => Promise<number>, count: number): Promise<Outcome> {
  const people = await gather(stage);
  const { juliet, romeo, mercutio } = people;
  const { room, roomId } = await meetInPortal(people, "faults");
  const direct = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_romeo=40xmpp.test:hs.test"] });
  await juliet.sendText(direct, "begin");
  await romeo.waitFor((stanza) => stanza.getChildText("body") === "begin", limitMs);
  const sent = { d: [] as string[], e: [] as string[], g: [] as string[], h: [] as string[] };
  const note = (list: string[], letter: string): string => {
    const body = `${letter}-${list.length}`;
    list.push(body);
    return body;
  };
  let interruptions = 0;
  for (let n = 0; n < count; n += 1) {
    const [d, e, g, h] = [note(sent.d, "d"), note(sent.e, "e"), note(sent.g, "g"), note(sent.h, "h")];
    await send(() => juliet.sendText(direct, d));
    await send(() => juliet.sendText(roomId, g));
    await send(() => romeo.send(message("chat", "juliet%hs.test@bridge.xmpp.test", e)));
    await send(() => romeo.send(message("groupchat", room, h)));
    interruptions += await disturb(n);
  }
  const columns = (): { toXmpp: Column[]; toMatrix: Column[] } => {
    const told = bounced(romeo);
    const none: Set<string> = new Set();
    const mayDouble = interruptions;
    return {
      toXmpp: [
        { name: "direct", sent: sent.d, told: none, arrived: heard(romeo, "chat", "d-"), mayDouble },
        { name: "room", sent: sent.g, told: none, arrived: heard(mercutio, "groupchat", "g-"), mayDouble },
      ],
      toMatrix: [
        {
          name: "direct",
          sent: sent.e,
          told: new Set(sent.e.filter((body) => told.has(body))),
          arrived: seen(juliet, direct, "e-"),
          mayDouble: 0,
        },
        { name: "room", sent: sent.h, told: none, arrived: seen(juliet, roomId, "h-"), mayDouble: 0 },
      ],
    };
  };
  return settle(columns);
}

/** Until all has come, and a moment longer for what is not to come twice. */
async function settle(columns: () => { toXmpp: Column[]; toMatrix: Column[] }): Promise<Outcome> {
  const end = performance.now() + limitMs;
  while (performance.now() < end && !Object.values(columns()).flat().every(isComplete)) await delay(100);
  await delay(1000);
  const { toXmpp, toMatrix } = columns();
  const [there, back] = [sumOf(toXmpp.map(judge)), sumOf(toMatrix.map(judge))];
  return { toXmpp: there, toMatrix: back, broken: [...there.broken, ...back.broken] };
}

/** People come, go and talk while the bridge is away, and a day passes for it. */
async function sleepADay(stage: Stage, count: number): Promise<Outcome> {
  const people = await gather(stage);
  const { juliet, romeo } = people;
  const { roomId, r, m } = await meetInPortal(people, "yesterday");
  const direct = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_romeo=40xmpp.test:hs.test"] });
  await juliet.sendText(direct, "begin");
  await romeo.waitFor((stanza) => stanza.getChildText("body") === "begin", limitMs);
  await r.say("begin");
  await juliet.waitFor((event) => event.room_id === roomId && event.content.body === "begin", limitMs);
  await stage.bridge.stop();
  const [known, said] = [juliet.events.length, { d: [] as string[], g: [] as string[], h: [] as string[] }];
  for (let n = 0; n < count; n += 1) {
    for (const [letter, list] of Object.entries(said)) list.push(`${letter}-${n}`);
    await juliet.sendText(direct, `d-${n}`);
    await juliet.sendText(roomId, `g-${n}`);
    await r.say(`h-${n}`);
    if (n % 10 === 3) await m.leave();
    if (n % 10 === 5) await m.rejoin({ history: { maxstanzas: "0" } });
    if (n % 10 === 7) await romeo.send(xml("presence", { to: r.room }, xml("show", {}, "away")));
  }
  await stage.bridge.start(true, inADay);
  const common = { told: new Set<string>(), mayDouble: 0 };
  const outcome = await settle(() => ({
    toXmpp: [
      { ...common, name: "direct", sent: said.d, arrived: heard(romeo, "chat", "d-") },
      { ...common, name: "room", sent: said.g, arrived: heard(romeo, "groupchat", "g-") },
    ],
    toMatrix: [{ ...common, name: "room", sent: said.h, arrived: seen(juliet, roomId, "h-") }],
  }));
  const comings = juliet.events
    .slice(known)
    .filter(({ room_id, type }) => room_id === roomId && type === "m.room.member")
    .map(({ state_key, content }) => `${state_key} is seen to ${content.membership}`);
  const undated = [...romeo.messages]
    .filter((stanza) => said.d.includes(stanza.getChildText("body") ?? "") && !stanza.getChild("delay"))
    .map((stanza) => `${stanza.getChildText("body")} is not said to be of yesterday`);
  return { ...outcome, broken: [...outcome.broken, ...comings, ...undated] };
}

const onRealStage = (
  name: string,
  run: (stage: Stage, context: FaultContext) => Promise<Outcome>,
): Fault => ({
  name: `real servers: ${name}`,
  real: true,
  async run(context) {
    const stage = await startStage();
    try {
      return await run(stage, context);
    } finally {
      await stage.stop();
    }
  },
});

const real = (
  name: string,
  disturb: (stage: Stage, context: FaultContext, n: number) => Promise<number>,
): Fault =>
  onRealStage(name, (stage, context) => talk(stage, (n) => disturb(stage, context, n), 30 * context.scale));

export const realFaults: Fault[] = [
  onRealStage("bridge down for a day", (stage, { scale }) => sleepADay(stage, 20 * scale)),
  real("SIGKILL of the bridge, in a room too", async ({ bridge }, { random }, n) => {
    if (n % 6 !== 3) return 0;
    await bridge.kill();
    await delay(random.whole(0, 1000));
    await bridge.start(false);
    await delay(random.whole(500, 2500));
    return 1;
  }),
  real("Synapse restarted and killed", async ({ synapse }, _context, n) => {
    if (n % 15 !== 7) return 0;
    if (n % 30 === 7) await synapse.restart();
    else {
      await synapse.kill();
      await synapse.start();
    }
    return 0;
  }),
];
