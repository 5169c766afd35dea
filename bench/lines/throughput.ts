/** How many messages a second, beside what mod_rest alone manages, and what each costs the bridge. */
import { flood, floodUntilSeen } from "../drive.ts";
import type { Meter } from "../meter.ts";
import { clients } from "../people.ts";
import type { Line } from "../report.ts";
import { median, type Tally } from "../tally.ts";

const rounds = 3;
const bars = { hundred: 0.9, single: 0.6, toMatrix: 0.9, cpuMs: 0.3 };

const rate = (perSecond: number): string => `${perSecond.toFixed(0)}/s`;

interface Measured {
  rates: number[];
  ratios: number[];
  cpus: number[];
}

const nothing = (): Measured => ({ rates: [], ratios: [], cpus: [] });

function linesOf(what: string, { rates, ratios, cpus }: Measured, bar: number): Line[] {
  const [ratio, cpuMs] = [median(ratios), median(cpus)];
  return [
    {
      what,
      measured: `${ratio.toFixed(2)} of raw`,
      beside: rate(median(rates)),
      bar: `≥ ${bar} of raw`,
      isMet: ratio >= bar,
    },
    {
      what: `${what}: CPU of the bridge`,
      measured: `${cpuMs.toFixed(2)} ms a message`,
      bar: `≤ ${bars.cpuMs} ms`,
      isMet: cpuMs <= bars.cpuMs,
    },
  ];
}

export async function throughput(meter: Meter): Promise<Line[]> {
  const { stage, messages, toXmpp, toMatrix } = meter;
  const options = { total: messages, conversations: clients };
  const raw = {
    rest: () => meter.run("raw rest", options, (tally) => flood(tally, 1, stage.postRest)),
    // Prosody writes to its connections in any order; the bridge is what puts them right.
    callback: () =>
      meter.run("raw callback", { ...options, ordered: false }, (tally) =>
        floodUntilSeen(tally, 5, stage.toRawCallback),
      ),
  };
  const note = (into: Measured, { tally, cpuMs }: { tally: Tally; cpuMs: number }, against: Tally): void => {
    into.rates.push(tally.perSecond());
    into.ratios.push(tally.perSecond() / against.perSecond());
    into.cpus.push(cpuMs);
  };

  await stage.runs.start();
  await meter.warmUp();
  await raw.rest();
  await raw.callback();
  const [hundred, single, back] = [nothing(), nothing(), nothing()];
  const rawRates: { rest: number[]; callback: number[] } = { rest: [], callback: [] };
  // The machine drifts, so each run stands beside the raw one next to it.
  for (let round = 0; round < rounds; round += 1) {
    const byHundred = await meter.withCpu(() => toXmpp(messages, 100));
    const rest = await raw.rest();
    const one = await meter.withCpu(() => toXmpp(messages, 1));
    const callback = await raw.callback();
    const returned = await meter.withCpu(() => toMatrix(messages));
    note(hundred, byHundred, rest);
    note(single, one, rest);
    note(back, returned, callback);
    rawRates.rest.push(rest.perSecond());
    rawRates.callback.push(callback.perSecond());
  }
  return [
    { what: "`POST /rest` alone, 20 in flight", measured: rate(median(rawRates.rest)) },
    ...linesOf("Matrix to XMPP, transactions of 100", hundred, bars.hundred),
    ...linesOf("Matrix to XMPP, transactions of 1", single, bars.single),
    { what: "mod_rest's callback alone, 100 in flight", measured: rate(median(rawRates.callback)) },
    ...linesOf("XMPP to Matrix", back, bars.toMatrix),
  ];
}
