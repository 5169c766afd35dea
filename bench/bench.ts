/** `npm run bench`: how fast messages cross the bridge, beside what Prosody's HTTP interface manages without it. */
import { step } from "../scripts/progress.mjs";
import { serversMissing } from "../test/servers/location.ts";
import { type BenchStage, conversations, startBenchStage } from "./bench-stage.ts";
import { flood, inBatches, paced, type Send } from "./drive.ts";
import { usageOf } from "./process-usage.ts";
import { type Row, tableOf, writeReport } from "./report.ts";
import { createTally, type Figures, type Tally } from "./tally.ts";

const usage = `Usage: npm run bench [-- --write]

Measures messages per second and latency each way, beside those of mod_rest alone, and prints a table. With --write
the table also replaces the one in docs/performance.md.
`;

const messages = 3000;
const pace = { perSecond: 50, messages: 400 };

let current: Tally | undefined;

/** One run: sends `total` messages with `drive` and waits until each has arrived, once and in order. */
async function measure(
  label: string,
  total: number,
  drive: (tally: Tally) => Promise<void>,
  ordered = true,
): Promise<Figures> {
  const tally = createTally(label, { total, conversations, ordered });
  current = tally;
  return step(label, async () => {
    await drive(tally);
    return tally.figures();
  });
}

async function run(stage: BenchStage): Promise<string> {
  const pid = stage.bridge.pid();
  if (pid === undefined) throw new Error("the bridge is not running");
  const cpu = (): number => usageOf(pid).cpuMs;
  // One message at a time makes room for the next when it has arrived, and not when the client's socket took it.
  const untilSeen =
    (send: Send): Send =>
    async (index, text) => {
      await send(index, text);
      await current?.seen(index);
    };
  const one: Send = (index, text) => stage.transaction([{ index, text }]);
  const steady = (label: string, send: Send, ordered = true): Promise<Figures> =>
    measure(
      `${label}, ${pace.perSecond}/s`,
      pace.messages,
      (tally) => paced(tally, pace.perSecond, send),
      ordered,
    );
  const flooded = async (label: string, drive: (tally: Tally) => Promise<void>) => {
    const before = cpu();
    const figures = await measure(label, messages, drive);
    return { flood: figures, cpuMs: (cpu() - before) / messages };
  };

  const idle = usageOf(pid);
  await measure("first message to Matrix", conversations, (tally) =>
    flood(tally, conversations, 1, stage.toBridge),
  );
  await measure("first message to XMPP", conversations, (tally) => inBatches(tally, 1, stage.transaction));

  const rest: Row = {
    name: "`POST /rest` alone, 20 in flight",
    flood: await measure("raw rest", messages, (tally) => flood(tally, conversations, 1, stage.postRest)),
    paced: await steady("raw rest", stage.postRest),
  };
  const callback: Row = {
    name: "mod_rest's callback alone",
    // Prosody writes to its connections in any order; the bridge is what puts them right.
    flood: await measure(
      "raw callback",
      messages,
      (tally) => flood(tally, conversations, 5, untilSeen(stage.toRawCallback)),
      false,
    ),
    paced: await steady("raw callback", stage.toRawCallback, false),
  };
  const hundred = await flooded("to XMPP by hundreds", (tally) => inBatches(tally, 100, stage.transaction));
  const single = await flooded("to XMPP one by one", (tally) => inBatches(tally, 1, stage.transaction));
  const toXmpp = await steady("to XMPP", one);
  const toMatrix = await flooded("to Matrix", (tally) =>
    flood(tally, conversations, 5, untilSeen(stage.toBridge)),
  );
  const rows: Row[] = [
    rest,
    { name: "Matrix to XMPP, 100 events a transaction", ...hundred, raw: rest },
    { name: "Matrix to XMPP, 1 event a transaction", ...single, paced: toXmpp, raw: rest },
    callback,
    { name: "XMPP to Matrix", ...toMatrix, paced: await steady("to Matrix", stage.toBridge), raw: callback },
  ];
  const end = usageOf(pid);
  const memory = `${idle.residentMb.toFixed(0)} MB before the first message, ${end.residentMb.toFixed(0)} MB at the end, ${end.peakMb.toFixed(0)} MB at most`;
  return `${tableOf(rows)}\n\nResident memory of the bridge: ${memory}.`;
}

async function main(given: readonly string[]): Promise<number> {
  const unknown = given.find((argument) => argument !== "--write");
  if (unknown !== undefined) {
    process.stdout.write(usage);
    return unknown === "--help" || unknown === "-h" ? 0 : 2;
  }
  const missing = serversMissing();
  if (missing !== undefined) {
    process.stderr.write(`The benchmark needs a real Prosody: ${missing}.\n`);
    return 1;
  }
  const stage = await step("Prosody, Causeway and 20 XMPP users start", () =>
    startBenchStage((body) => current?.arrived(body)),
  );
  try {
    const report = await run(stage);
    process.stdout.write(`${report}\n`);
    if (given.includes("--write")) writeReport(report);
    return 0;
  } finally {
    await stage.stop();
  }
}

// Ended this way, everything that was started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));
