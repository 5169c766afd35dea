/** The network's bad days, on one link or on all. */
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "./fault.ts";
import type { Weather } from "./proxy.ts";
import type { Scene } from "./scene.ts";
import { during } from "./server-faults.ts";

type Name = keyof Scene["links"];

const every: readonly Name[] = ["toHomeserver", "toProsody", "fromHomeserver", "fromProsody"];

const set = (scene: Scene, links: readonly Name[], weather: Weather): void => {
  for (const link of links) scene.links[link].weather(weather);
};
const cut = (scene: Scene, links: readonly Name[]): void => {
  for (const link of links) scene.links[link].cut();
  scene.interrupted();
};

const cutOff = (name: string, links: readonly Name[]): Fault =>
  during(`network: ${name}`, async (scene, lasts) => {
    for (let n = 0; n < lasts / 1000; n += 1) {
      set(scene, links, { refuse: true });
      cut(scene, links);
      await delay(scene.random.whole(100, 800));
      set(scene, links, {});
      await delay(400);
    }
  });

const badly = (name: string, weather: Weather, perSecond?: number): Fault =>
  during(
    `network: ${name}`,
    async (scene, lasts) => {
      set(scene, every, weather);
      await delay(lasts);
      set(scene, every, {});
    },
    perSecond,
  );

export const networkFaults: Fault[] = [
  cutOff("cut between bridge and homeserver", ["toHomeserver", "fromHomeserver"]),
  cutOff("cut between bridge and Prosody", ["toProsody", "fromProsody"]),
  cutOff("cut on all sides", every),
  cutOff("cut from the bridge only", ["toHomeserver", "toProsody"]),
  cutOff("cut to the bridge only", ["fromHomeserver", "fromProsody"]),
  badly("200 ms of latency", { latencyMs: 200 }),
  badly("three bytes at a time", { crumbs: 3 }, 15),
  during("network: connections reset at any moment", async (scene, lasts) => {
    for (let n = 0; n < lasts / 50; n += 1) {
      await delay(50);
      cut(scene, [scene.random.pick(every)]);
    }
  }),
  {
    // Nothing comes over the connections of that time any more, which only a time limit can tell.
    name: "network: half-open connections",
    run: (context) =>
      during("", async (scene, lasts) => {
        set(scene, every, { swallow: true });
        await delay(lasts / 3);
        set(scene, every, {});
        scene.interrupted();
        // The stand-in for the homeserver has no time limit of its own, and Synapse's is a minute.
        await delay(1000);
        cut(scene, ["fromHomeserver", "fromProsody"]);
      }).run(context),
  },
];
