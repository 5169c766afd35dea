/** SIGKILL: at every step of a message's way, and at any moment of a steady flow. */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Circumstances } from "../servers/bridge-process.ts";
import type { Fault } from "./fault.ts";
import { onStage, type Scene } from "./scene.ts";
import { crashVariable, type Step, steps } from "./steps.ts";

const preload = fileURLToPath(new URL("crash-point.ts", import.meta.url));
const perSecond = 60;
/** A step that does not come in this time does not come at all. */
const patienceMs = 20_000;

const crashAt = (step: Step, count: number): Circumstances => ({
  nodeArguments: ["--import", preload],
  environment: { [crashVariable]: `${count} ${step}` },
});

/** Rooms and ghosts are made once a pair, so these need people who have not met. */
const isRare = (step: Step): boolean => /room|registered/.test(step);

/** @returns what the process ended by, or "late". */
async function dieAt(step: Step, { random, bridge, traffic, start, interrupted }: Scene): Promise<unknown> {
  await start(crashAt(step, isRare(step) ? 1 : random.whole(1, 20)));
  if (isRare(step)) traffic.meet();
  const end = await Promise.race([bridge.ended(), delay(patienceMs, "late", { ref: false })]);
  interrupted();
  await bridge.kill();
  return end;
}

const atSteps = (name: string, those: readonly Step[]): Fault => ({
  name,
  run: ({ random, scale }) =>
    onStage({ random, conversations: 6 }, async (scene) => {
      scene.traffic.start(perSecond);
      const missing: string[] = [];
      const inTurn = Array.from({ length: 2 * scale }, () => random.shuffled(those)).flat();
      for (const step of inTurn) {
        const end = await dieAt(step, scene);
        if (end !== "SIGKILL") missing.push(`“${step}” did not come: ${end}`);
      }
      await scene.start();
      const outcome = await scene.judge();
      return { ...outcome, broken: [...missing, ...outcome.broken], note: `${inTurn.length} kills` };
    }),
});

const atRandom: Fault = {
  name: "SIGKILL at random moments",
  run: ({ random, scale }) =>
    onStage({ random, conversations: 8 }, async ({ traffic, start, live, restart, judge }) => {
      await start();
      traffic.start(perSecond);
      const kills = 60 * scale;
      for (let kill = 0; kill < kills; kill += 1) {
        // Some die while they start, most while they work.
        if (!random.chance(0.15)) await live();
        await delay(random.whole(0, 900));
        await restart();
      }
      return { ...(await judge()), note: `${kills} kills` };
    }),
};

export const kills: Fault[] = [
  atSteps("SIGKILL at each step to XMPP", steps.toXmpp),
  atSteps("SIGKILL at each step to Matrix", steps.toMatrix),
  atRandom,
];
