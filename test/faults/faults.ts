/** `npm run test:faults`: what is lost, doubled or out of order when things break. Nothing is, or it ends with 1. */
import { parseArgs } from "node:util";
import { serversMissing } from "../servers/location.ts";
import { absenceFaults } from "./absence-faults.ts";
import { clusterFaults } from "./cluster-faults.ts";
import type { Fault } from "./fault.ts";
import { kills } from "./kills.ts";
import { machineFaults } from "./machine-faults.ts";
import { networkFaults } from "./network-faults.ts";
import { overloadFaults } from "./overload-faults.ts";
import { poisonFaults } from "./poison-faults.ts";
import { createRandom } from "./random.ts";
import { realFaults } from "./real-faults.ts";
import type { Outcome } from "./scene.ts";
import { homeserverFaults, prosodyFaults } from "./server-faults.ts";
import { headOf, rowOf } from "./table.ts";

const usage = `Usage: npm run test:faults [-- --minutes N] [--seed N] [--only WORDS] [--list]

Breaks things around a running bridge while people write through it, and prints for each fault what was sent, what
arrived, and what was lost, doubled or reordered. Ends with 1 if a promise was broken.

  --minutes N   goes on for so long, with more of everything (by default each fault once)
  --seed N      makes the same choices as the run that printed this seed
  --only WORDS  only faults with these words in their names
  --list        says which faults there are
`;

const faults: Fault[] = [
  ...kills,
  ...homeserverFaults,
  ...prosodyFaults,
  ...networkFaults,
  ...machineFaults,
  ...poisonFaults,
  ...absenceFaults,
  ...overloadFaults,
  ...realFaults,
  ...clusterFaults,
];

const options = {
  minutes: { type: "string" },
  seed: { type: "string" },
  only: { type: "string" },
  list: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Most faults wait more than they work; the others take all that there is. */
const atOnce = 2;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** @returns whether the promise was kept. */
async function provoke(fault: Fault, seed: number, scale: number): Promise<boolean> {
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 1000);
  let outcome: Outcome;
  try {
    outcome = await fault.run({ random: createRandom(seed), scale });
  } catch (error) {
    print(`| ${fault.name} | could not be run, with seed ${seed}, after ${seconds()} s`);
    print((error as Error).stack ?? String(error));
    return false;
  }
  print(rowOf(fault.name, outcome, seconds()));
  for (const broken of outcome.broken) print(`    BROKEN: ${broken}`);
  if (outcome.broken.length > 0)
    print(`    again with: npm run test:faults -- --seed ${seed} --only "${fault.name}"`);
  return outcome.broken.length === 0;
}

async function main(given: string[]): Promise<number> {
  const { values } = parseArgs({ args: given, options });
  if (values.help) return print(usage) ?? 0;
  const chosen = faults.filter(({ name }) => name.toLowerCase().includes((values.only ?? "").toLowerCase()));
  if (values.list) return print(chosen.map(({ name }) => name).join("\n")) ?? 0;
  if (chosen.length === 0) return print(`No fault has “${values.only}” in its name.`) ?? 2;
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const minutes = Number(values.minutes ?? 0);
  const noServers = serversMissing();
  const failed: string[] = [];
  const end = performance.now() + minutes * 60_000;
  print(`Seed ${seed}\n\n${headOf()}`);
  const oneByOne = async (queue: Fault[], round: number): Promise<void> => {
    for (let fault = queue.shift(); fault; fault = queue.shift()) {
      if (round > 0 && performance.now() > end) return;
      const hindrance = fault.real && noServers ? noServers : fault.impossible?.();
      if (hindrance) print(`| ${fault.name} | left out: ${hindrance}`);
      else if (!(await provoke(fault, seed + round, minutes > 0 ? 3 : 1))) failed.push(fault.name);
    }
  };
  for (let round = 0; round === 0 || performance.now() < end; round += 1) {
    const mayShare = ({ real, alone }: Fault): boolean => !real && !alone;
    const queue = chosen.filter(mayShare);
    await Promise.all(Array.from({ length: atOnce }, () => oneByOne(queue, round)));
    await oneByOne(
      chosen.filter((fault) => !mayShare(fault)),
      round,
    );
  }
  print(failed.length === 0 ? "\nEvery promise was kept." : `\nBroken: ${[...new Set(failed)].join("; ")}`);
  return failed.length === 0 ? 0 : 1;
}

// Each bridge wants to be ended with this process.
process.setMaxListeners(0);
// Ended this way, everything that was started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));
