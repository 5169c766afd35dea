/** `npm run bench`: what one machine carries, each figure beside the bar it is to keep to. */
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { step } from "../scripts/progress.mjs";
import { serversMissing } from "../test/servers/location.ts";
import { latency } from "./lines/latency.ts";
import { memory } from "./lines/memory.ts";
import { processes } from "./lines/processes.ts";
import { size } from "./lines/size.ts";
import { slowHomeserver } from "./lines/slow-homeserver.ts";
import { slowRoom } from "./lines/slow-room.ts";
import { start } from "./lines/start.ts";
import { throughput } from "./lines/throughput.ts";
import { type Active, createMeter, type Meter } from "./meter.ts";
import { type Line, tableOf, writeReport } from "./report.ts";
import { startStage } from "./stage.ts";

const groups: Record<string, (meter: Meter) => Promise<Line[]>> = {
  start,
  memory,
  throughput,
  latency,
  "slow-homeserver": slowHomeserver,
  "slow-room": slowRoom,
  size,
  processes,
};

const usage = `Usage: npm run bench [-- --only WORDS] [--messages N] [--write]

Measures the bridge between a real Prosody and a homeserver that only answers, and prints a table.
  --only WORDS    some of: ${Object.keys(groups).join(", ")}; with commas between them
  --messages N    of a measured run; 4000 unless told, fewer for a quick look
  --write         the table also replaces the one in docs/performance.md
`;

function readArguments(given: string[]) {
  const options = {
    only: { type: "string" },
    messages: { type: "string", default: "4000" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  const { only, messages, write, help } = parseArgs({ args: given, options }).values;
  const names = only?.split(",") ?? Object.keys(groups);
  const unknown = names.find((name) => !Object.hasOwn(groups, name));
  if (unknown !== undefined) throw new Error(`there are no lines called ${unknown}`);
  if (!/^[1-9]\d{2,}$/.test(messages)) throw new Error("--messages takes a number from 100 on");
  if (write && only !== undefined) throw new Error("--write needs all lines");
  return { names, messages: Number(messages), write, help };
}

async function run(names: readonly string[], messages: number): Promise<string> {
  const active: Active = new Set();
  const stage = await step("the build, Prosody and 20 XMPP users", () =>
    startStage({
      onText: (text) => {
        for (const tally of active) tally.arrived(text);
      },
      onProblem: (problem) => {
        for (const tally of active) tally.fail(problem);
      },
    }),
  );
  try {
    const lines: Line[] = [];
    const meter = createMeter(stage, active, messages);
    for (const name of names) {
      lines.push(...(await step(name, async () => (await groups[name]?.(meter)) ?? [])));
    }
    return tableOf(lines);
  } finally {
    await stage.stop();
  }
}

async function main(given: string[]): Promise<number> {
  let wanted: ReturnType<typeof readArguments>;
  try {
    wanted = readArguments(given);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (wanted.help) {
    process.stdout.write(usage);
    return 0;
  }
  const missing = serversMissing();
  if (missing !== undefined) {
    process.stderr.write(`The benchmark needs a real Prosody: ${missing}.\n`);
    return 1;
  }
  const table = await run(wanted.names, wanted.messages);
  const [cpu] = cpus();
  const machine = `${cpus().length} cores (${cpu?.model.trim()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.versions.node}`;
  const today = new Date().toISOString().slice(0, 10);
  const report = `\`npm run bench -- --write\`, ${today}, ${machine}:\n\n${table}`;
  process.stdout.write(`${report}\n`);
  if (wanted.write) writeReport(report);
  return 0;
}

// Ended this way, everything that was started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));
