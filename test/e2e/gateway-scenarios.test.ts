/** The gateway's rooms as XEP-0045 has them: performs test/scenarios with real clients between real servers. */
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Cast, createCast } from "../scenario/run.ts";
import { parseScenario } from "../scenario/script.ts";
import { serversMissing } from "../servers/location.ts";
import { type Stage, startStage } from "../servers/stage.ts";

const skip = serversMissing() ?? false;
const folder = new URL("../scenarios/", import.meta.url);
let stage: Stage;
let cast: Cast;

before(async () => {
  if (skip) return;
  // The same few people enter a room in each scenario.
  stage = await startStage({
    adjust: (config) => ({ ...config, rooms: { ...config.rooms, maxPerUser: 1000 } }),
  });
  cast = await createCast(stage);
});
after(async () => {
  await stage?.stop();
});

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith(".txt"))
  .sort()) {
  const scenario = parseScenario(readFileSync(new URL(file, folder), "utf8"));
  test(`${scenario.title} (${file})`, { skip, timeout: 60_000 }, () => cast.perform(scenario));
}
