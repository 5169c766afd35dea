/** Messages that break a mapping: they are put aside, and nothing else stops for them. */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { waitFor } from "../support/wait-for.ts";
import type { Fault } from "./fault.ts";
import { onStage } from "./scene.ts";

const preload = fileURLToPath(new URL("poison.ts", import.meta.url));
const operator = "operator";

const poison: Fault = {
  name: "poison: put aside, told, and delivered by retry",
  run: ({ random }) => {
    const permissions = { "*": "user", [`${operator}@xmpp.test`]: "admin" };
    return onStage({ random, config: { permissions } }, async (scene) => {
      const { prosody, traffic, start, live, restart, judge } = scene;
      await start({ nodeArguments: ["--import", preload] });
      await live();
      traffic.start(60);
      await delay(1500);
      const marked = random.shuffled(traffic.all.filter(({ room }) => room !== undefined)).slice(0, 4);
      for (const conversation of marked) {
        traffic.toXmpp(conversation, " poison");
        traffic.toMatrix(conversation, " poison");
      }
      const isPoison = (body: string): boolean => body.includes("poison");
      const tolds = (): number =>
        Object.values(traffic.columns(0))
          .flat()
          .flatMap(({ told }) => [...told])
          .filter(isPoison).length;
      await waitFor(() => tolds() === marked.length * 2, "the senders to be told", 20_000);
      await delay(1000);
      await traffic.stop();
      const broken: string[] = [];
      const person = prosody.user(operator);
      const say = async (text: string, answer: RegExp): Promise<void> => {
        await person.sendText(prosody.component, text);
        await waitFor(() => person.bodies().some((body) => answer.test(body)), `an answer to ${text}`);
      };
      await say("parked", /this message is poison/);
      // The better version.
      await restart();
      await live();
      await say("retry all", new RegExp(`Tried again now: ${marked.length * 2}`));
      const arrived = (): number =>
        Object.values(traffic.columns(0))
          .flat()
          .flatMap((column) => column.arrived)
          .filter(({ body }) => isPoison(body)).length;
      await waitFor(() => arrived() === marked.length * 2, "what was put aside to arrive", 20_000).catch(() =>
        broken.push(`${arrived()} of ${marked.length * 2} arrived after the retry`),
      );
      const outcome = await judge();
      // What was put aside comes later than what was not: that is what putting aside means.
      const rest = outcome.broken.filter((line) => !/reordered/.test(line) || !/poison/.test(line));
      return { ...outcome, broken: [...broken, ...rest] };
    });
  },
};

export const poisonFaults: Fault[] = [poison];
