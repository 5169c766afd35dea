/** What the bridge adds to the time that a message takes, at a steady pace. */
import type { Send } from "../drive.ts";
import type { Meter } from "../meter.ts";
import { clients } from "../people.ts";
import type { Line } from "../report.ts";
import { quantile } from "../tally.ts";

const perSecond = 50;
const bars = [
  { name: "p50", share: 0.5, most: 1 },
  { name: "p99", share: 0.99, most: 5 },
];

/** The raw call and the bridge side by side, each message in the middle between two of the other kind. */
async function compare(meter: Meter, what: string, raw: Send, bridged: Send): Promise<Line[]> {
  const options = { total: Math.round(meter.messages / 4), conversations: clients };
  const tallies = await meter.steady(perSecond, [
    { name: `${what} raw`, options: { ...options, ordered: false }, send: raw },
    { name: what, options, send: bridged },
  ]);
  const [rawTimes = [], times = []] = tallies.map((tally) => tally.times());
  return bars.map(({ name, share, most }) => {
    const [before, after] = [quantile(rawTimes, share), quantile(times, share)];
    return {
      what: `${what}, ${perSecond}/s: ${name} added`,
      measured: `${(after - before).toFixed(1)} ms`,
      beside: `${after.toFixed(1)} over ${before.toFixed(1)} ms`,
      bar: `≤ ${most} ms`,
      isMet: after - before <= most,
    };
  });
}

export async function latency(meter: Meter): Promise<Line[]> {
  const { stage } = meter;
  await stage.runs.start();
  await meter.warmUp();
  const one: Send = (conversation, text) => stage.transaction([{ conversation, text }]);
  return [
    ...(await compare(meter, "Matrix to XMPP", stage.postRest, one)),
    ...(await compare(meter, "XMPP to Matrix", stage.toRawCallback, stage.toBridge)),
  ];
}
