/** Whether a message costs more where more is known, and whether what is old is forgotten without a pause. */
import { ageHalf, hasOld } from "../fill.ts";
import type { Meter } from "../meter.ts";
import { clients, conversationsOfClients } from "../people.ts";
import type { Line } from "../report.ts";
import { quantile } from "../tally.ts";

const remembered = 1_000_000;
/** How far the same measure differs from run to run. */
const noise = 1.1;
const pauseMs = 10;

/** The bridge's processor time for a message, both ways taken together. */
async function cost(meter: Meter, conversations: number): Promise<number> {
  const there = await meter.withCpu(() => meter.toXmpp(meter.messages, 100, conversations));
  const back = await meter.withCpu(() => meter.toMatrix(meter.messages, conversations));
  return (there.cpuMs + back.cpuMs) / 2;
}

async function settledCost(meter: Meter, database?: string, conversations = clients): Promise<number> {
  await meter.stage.runs.start(database);
  await meter.stage.runs.settled();
  await meter.warmUp();
  return cost(meter, conversations);
}

/** @returns the p99 of a steady flow to Matrix. */
async function steady(meter: Meter): Promise<number> {
  const options = { total: Math.round(meter.messages / 8), conversations: clients };
  const [tally] = await meter.steady(50, [{ name: "to Matrix", options, send: meter.stage.toBridge }]);
  return quantile(tally?.times() ?? [], 0.99);
}

/** @param database the one that the bridge is running on. */
async function forgetting(meter: Meter, database: string): Promise<Line> {
  const { runs } = meter.stage;
  const before = await steady(meter);
  await runs.stop();
  ageHalf(database);
  const startMs = await runs.start(database);
  await meter.warmUp();
  const during = await steady(meter);
  const isUnderWay = hasOld(database);
  return {
    what: "forgetting 500,000 of them meanwhile: p99, 50/s to Matrix",
    measured: isUnderWay ? `${during.toFixed(1)} ms` : "over too soon",
    beside: `${before.toFixed(1)} ms before, start to ready ${(startMs / 1000).toFixed(2)} s`,
    bar: "no pause",
    isMet: isUnderWay && during <= before + pauseMs,
  };
}

export async function size(meter: Meter): Promise<Line[]> {
  const { runs } = meter.stage;
  const few = await settledCost(meter);
  const many = await runs.manyKnown();
  const known = await settledCost(meter, many);
  const spread = await cost(meter, conversationsOfClients);
  await runs.stop();
  await runs.remember(many, remembered);
  const full = await settledCost(meter, many);
  const lineOf = (what: string, ms: number, against: string, than: number): Line => ({
    what: `CPU a message, both ways, ${what}`,
    measured: `${ms.toFixed(2)} ms`,
    beside: `${than.toFixed(2)} ms ${against}`,
    bar: "the same",
    isMet: ms <= than * noise,
  });
  return [
    lineOf("50,000 conversations known", known, "with 20", few),
    lineOf("10,000 of these in turn", spread, "with 20", few),
    lineOf("1,000,000 messages remembered", full, "without", known),
    await forgetting(meter, many),
  ];
}
