/** Resident memory: at rest, after work, and with much to know. */
import { setTimeout as delay } from "node:timers/promises";
import type { Meter } from "../meter.ts";
import type { Line } from "../report.ts";

const settleMs = 3000;

function lineOf(meter: Meter, what: string, most: number): Line {
  const { residentMb, peakMb } = meter.stage.runs.usage();
  return {
    what: `resident memory ${what}`,
    measured: `${residentMb.toFixed(0)} MiB`,
    beside: `${peakMb.toFixed(0)} MiB at most until then`,
    bar: `≤ ${most} MiB`,
    isMet: residentMb <= most,
  };
}

export async function memory(meter: Meter): Promise<Line[]> {
  const { runs } = meter.stage;
  await runs.start();
  await runs.settled();
  const idle = lineOf(meter, "idle", 80);
  await meter.warmUp();
  await meter.toXmpp(meter.messages, 100);
  await meter.toMatrix(meter.messages);
  await delay(settleMs);
  const flooded = lineOf(meter, "after a flood", 130);
  await runs.start(await runs.manyKnown());
  await runs.settled();
  return [idle, flooded, lineOf(meter, "with 50,000 conversations", 130)];
}
