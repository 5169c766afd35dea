/** More than the far side takes: it waits on disk up to a bound, and neither memory nor other conversations pay for it. */
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { usageOf } from "../../bench/process-usage.ts";
import { readError } from "../../src/xmpp/stanza.ts";
import { isSend } from "../flow/scene.ts";
import type { Fault as Answer, SeenRequest } from "../support/fake-server.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Fault } from "./fault.ts";
import { type Column, isComplete, judge, sumOf, type Verdict } from "./ledger.ts";
import { onStage, type Scene } from "./scene.ts";

type Way = "toXmpp" | "toMatrix";

const mostMb = 250;
const producers = 4;
const perSecond = 300;

interface Overload {
  side: "homeserver" | "prosody";
  way: Way;
  /** Whether the request is one of those that the far side is slow with. */
  slows(request: SeenRequest): boolean;
  queue?: { perConversation?: number; perNetwork?: number };
  /** In which direction the others write to each other. */
  quiet?: Way;
  /** What was to happen besides, and did not. */
  alsoBroken?(scene: Scene, outcome: Record<Way, Verdict>, mostWaiting: number): string[];
}

const lateMs = 60;
/** Generous: the machine does other things too. */
const otherRoomMs = 5000;

/** A word each way in each conversation, so that later ones find their rooms. */
async function acquaint({ all, toMatrix, toXmpp }: Scene["traffic"]): Promise<void> {
  for (const conversation of all) toMatrix(conversation);
  await waitFor(() => all.every(({ juliet }) => juliet.invites().length > 0), "everybody to be invited");
  for (const conversation of all) toXmpp(conversation);
  await waitFor(() => all.every(({ romeo }) => romeo.messages().length > 0), "everybody to be answered");
}

/** How long a message of a conversation that nobody floods takes. */
async function crossing({ traffic }: Scene, way: Way, n: number): Promise<number> {
  const conversation = traffic.all[n];
  if (!conversation) throw new Error("there is no such conversation");
  const began = performance.now();
  traffic[way](conversation);
  const last = conversation.sent[way].at(-1);
  const isThere = (): boolean =>
    traffic.columns(0)[way][n]?.arrived.some(({ body }) => body === last) ?? false;
  while (!isThere() && performance.now() - began < 30_000) await delay(20);
  return performance.now() - began;
}

/** Calls `send` so many times a second, while others write now and then. @returns what was seen meanwhile. */
async function flood(
  scene: Scene,
  { rate, count, quiet, n }: { rate: number; count: number; quiet: Way; n: number },
  send: () => void,
): Promise<{ slowest: number; waiting: number }> {
  const db = new DatabaseSync(scene.database, { readOnly: true });
  const depth = db.prepare("select count(*) as depth from jobs where parked_at is null");
  let [slowest, waiting] = [0, 0];
  let flooding = true;
  const others = (async () => {
    while (flooding) {
      slowest = Math.max(slowest, await crossing(scene, quiet, n));
      waiting = Math.max(waiting, Number(depth.get()?.depth));
      await delay(200);
    }
  })();
  const begin = performance.now();
  for (let sent = 0; sent < count; sent += 1) {
    send();
    await delay(Math.max(0, begin + (sent * 1000) / rate - performance.now()));
  }
  flooding = false;
  await others;
  db.close();
  return { slowest, waiting };
}

/** What is wrong of what each of them has to keep, and what is worth telling. */
function measured({ bridge }: Scene, { slowest, waiting }: { slowest: number; waiting: number }) {
  const { peakMb } = usageOf(bridge.pid() ?? 0);
  return {
    broken: [
      ...(peakMb > mostMb ? [`the bridge took ${Math.round(peakMb)} MB`] : []),
      ...(slowest > otherRoomMs ? [`another room took ${Math.round(slowest)} ms`] : []),
    ],
    note: `${Math.round(peakMb)} MB, ${waiting} waited, other room ${Math.round(slowest)} ms`,
  };
}

const overload = (name: string, { side, way, slows, queue, quiet = way, alsoBroken }: Overload): Fault => ({
  name: `overload: ${name}`,
  run: ({ random, scale }) =>
    onStage({ random, conversations: producers + 1, ...(queue && { config: { queue } }) }, async (scene) => {
      const { traffic, start, live } = scene;
      await start();
      await live();
      await acquaint(traffic);
      scene[side].respond((request): Answer => (slows(request) ? { delayMs: lateMs } : undefined));
      const flooded = traffic.all.slice(0, producers);
      const seconds = 5 * scale;
      const plan = { rate: perSecond, count: perSecond * seconds, quiet, n: producers };
      const seen = await flood(scene, plan, () => void traffic[way](random.pick(flooded)));
      const { broken, note } = measured(scene, seen);
      const outcome = await scene.judge({ limitMs: 60_000 + seconds * 20_000 });
      const more = alsoBroken?.(scene, outcome, seen.waiting) ?? [];
      return { ...outcome, broken: [...broken, ...more, ...outcome.broken], note };
    }),
});

const slowProsody = ({ body }: SeenRequest): boolean =>
  /^<message/.test(body) && !body.includes(`romeo${producers}@`);
const slowHomeserver = (request: SeenRequest): boolean =>
  isSend(request) && !(request.query.get("user_id") ?? "").includes(`romeo${producers}=`);

/** Not each message is counted, a transaction brings up to a hundred, and the other network has its own. */
const perNetwork = 300;
const mostWaiting = 2 * perNetwork;

/** A room of XMPP repeats nothing and takes some errors for a departure, so it is never refused anything. */
const room: Fault = {
  name: "overload: an XMPP room says more than the homeserver takes",
  run: ({ random, scale }) =>
    onStage(
      { random, conversations: 1, config: { queue: { perConversation: 5, perNetwork: 20 } } },
      async (scene) => {
        const { traffic, homeserver, prosody, start, live } = scene;
        await start();
        await live();
        await acquaint(traffic);
        const garden = prosody.muc("garden");
        garden.enter(`mercutio@${prosody.domain}/here`, "Mercutio");
        const nurse = homeserver.user("nurse");
        const alias = `#${homeserver.userPrefix}${garden.jid.replace("@", "=40")}:${homeserver.domain}`;
        const roomId = await nurse.joinAlias(alias);
        await waitFor(() => garden.occupants.has("nurse"), "the nurse to be in the room");
        const isGardens = ({ path }: SeenRequest): boolean => path.includes(encodeURIComponent(roomId));
        homeserver.respond(
          (request): Answer => (isSend(request) && isGardens(request) ? { delayMs: 15 } : undefined),
        );
        const sent: string[] = [];
        const column = (): Column => ({
          name: "to Matrix: the room",
          sent,
          told: new Set(),
          arrived: nurse
            .timeline(roomId)
            .filter(({ type }) => type === "m.room.message")
            .map(({ event_id: id, content }) => ({ id, body: String(content.body) })),
          mayDouble: 0,
        });
        const rate = perSecond / 2;
        const plan = { rate, count: rate * 5 * scale, quiet: "toXmpp", n: 0 } as const;
        const seen = await flood(scene, plan, () => {
          sent.push(`r-${sent.length}`);
          garden.say("Mercutio", `r-${sent.length - 1}`);
        });
        const { broken, note } = measured(scene, seen);
        const end = performance.now() + plan.count * 100;
        while (!isComplete(column()) && performance.now() < end) await delay(200);
        const nicks = garden.nicks().join(", ");
        if (nicks !== "Causeway, Mercutio, nurse") broken.push(`in the room were ${nicks}`);
        const outcome = await scene.judge();
        const inRoom = judge(column());
        return {
          toXmpp: outcome.toXmpp,
          toMatrix: sumOf([outcome.toMatrix, inRoom]),
          broken: [...broken, ...inRoom.broken, ...outcome.broken],
          note,
        };
      },
    ),
};

export const overloadFaults: Fault[] = [
  overload("more than Prosody takes", { side: "prosody", way: "toXmpp", slows: slowProsody }),
  overload("more than the homeserver takes", { side: "homeserver", way: "toMatrix", slows: slowHomeserver }),
  overload("more of Matrix than may wait", {
    side: "prosody",
    way: "toXmpp",
    slows: slowProsody,
    queue: { perNetwork },
    // The homeserver has one row for all its rooms.
    quiet: "toMatrix",
    alsoBroken: ({ bridge }, _outcome, waiting) => [
      ...(bridge.log().includes("too much waits") ? [] : ["the homeserver was never told to wait"]),
      ...(waiting > mostWaiting ? [`${waiting} waited, where ${perNetwork} may`] : []),
    ],
  }),
  overload("more of XMPP than may wait in a conversation", {
    side: "homeserver",
    way: "toMatrix",
    slows: slowHomeserver,
    queue: { perConversation: 50 },
    alsoBroken({ traffic }, { toMatrix: { sent, told, arrived } }, waiting) {
      const isOther = (error: { type: string; condition: string }): boolean =>
        error.type !== "wait" || error.condition !== "resource-constraint";
      const others = traffic.all.flatMap(({ romeo }) => romeo.errors().map(readError).filter(isOther));
      return [
        ...(told > 0 ? [] : ["nobody was told to wait"]),
        ...(told + arrived === sent ? [] : [`of ${sent}, ${arrived} arrived and ${told} were refused`]),
        ...(waiting <= producers * 50 + 20 ? [] : [`${waiting} waited, where 50 may in each conversation`]),
        ...others.map(({ type, condition }) => `a message was refused with ${type}/${condition}`),
      ];
    },
  }),
  room,
];
