/** More than the far side takes: it waits on disk, and neither memory nor other conversations pay for it. */
import { setTimeout as delay } from "node:timers/promises";
import { usageOf } from "../../bench/process-usage.ts";
import { isSend } from "../flow/scene.ts";
import type { Fault as Answer, SeenRequest } from "../support/fake-server.ts";
import type { Fault } from "./fault.ts";
import { onStage, type Scene } from "./scene.ts";

const mostMb = 250;
const producers = 4;
const perSecond = 300;

interface Overload {
  side: "homeserver" | "prosody";
  way: "toXmpp" | "toMatrix";
  /** Whether the request is one of those that the far side is slow with. */
  slows(request: SeenRequest): boolean;
}

const lateMs = 60;
/** Generous: the machine does other things too. */
const otherRoomMs = 2000;

/** How long a message of a conversation that nobody floods takes. */
async function crossing({ traffic }: Scene, way: Overload["way"], n: number): Promise<number> {
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

const overload = (name: string, { side, way, slows }: Overload): Fault => ({
  name: `overload: ${name}`,
  run: ({ random, scale }) =>
    onStage({ random, conversations: producers + 1 }, async (scene) => {
      const { bridge, traffic, start, live, judge } = scene;
      await start();
      await live();
      for (const conversation of traffic.all) traffic.toMatrix(conversation);
      await delay(1000);
      for (const conversation of traffic.all) traffic.toXmpp(conversation);
      await delay(500);
      scene[side].respond((request): Answer => (slows(request) ? { delayMs: lateMs } : undefined));
      const flooded = traffic.all.slice(0, producers);
      const seconds = 5 * scale;
      let slowest = 0;
      let flooding = true;
      const quiet = (async () => {
        while (flooding) {
          slowest = Math.max(slowest, await crossing(scene, way, producers));
          await delay(200);
        }
      })();
      const begin = performance.now();
      for (let sent = 0; sent < perSecond * seconds; sent += 1) {
        traffic[way](random.pick(flooded));
        await delay(Math.max(0, begin + (sent * 1000) / perSecond - performance.now()));
      }
      flooding = false;
      await quiet;
      const { peakMb } = usageOf(bridge.pid() ?? 0);
      const outcome = await judge({ limitMs: 60_000 + seconds * 20_000 });
      const broken = [
        ...(peakMb > mostMb ? [`the bridge took ${Math.round(peakMb)} MB`] : []),
        ...(slowest > otherRoomMs ? [`another room took ${Math.round(slowest)} ms`] : []),
      ];
      const note = `${Math.round(peakMb)} MB, other room ${Math.round(slowest)} ms`;
      return { ...outcome, broken: [...broken, ...outcome.broken], note };
    }),
});

export const overloadFaults: Fault[] = [
  overload("more than Prosody takes", {
    side: "prosody",
    way: "toXmpp",
    slows: ({ body }) => /^<message/.test(body) && !body.includes(`romeo${producers}@`),
  }),
  overload("more than the homeserver takes", {
    side: "homeserver",
    way: "toMatrix",
    slows: (request) =>
      isSend(request) && !(request.query.get("user_id") ?? "").includes(`romeo${producers}=`),
  }),
];
