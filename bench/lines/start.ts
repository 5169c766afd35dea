/** From the start of the process until it is ready. */
import type { Meter } from "../meter.ts";
import type { Line } from "../report.ts";
import { median } from "../tally.ts";

const times = 3;

async function started(meter: Meter, what: string, mostMs: number, database?: string): Promise<Line> {
  const taken: number[] = [];
  while (taken.length < times) taken.push(await meter.stage.runs.start(database));
  const middle = median(taken);
  return {
    what: `start to ready, ${what}`,
    measured: `${(middle / 1000).toFixed(2)} s`,
    beside: taken.map((one) => (one / 1000).toFixed(2)).join(", "),
    bar: `≤ ${mostMs / 1000} s`,
    isMet: middle <= mostMs,
  };
}

export async function start(meter: Meter): Promise<Line[]> {
  return [
    await started(meter, "empty", 400),
    await started(meter, "50,000 conversations", 1000, await meter.stage.runs.manyKnown()),
  ];
}
