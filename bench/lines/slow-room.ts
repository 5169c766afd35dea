/** One room that is slow, and whether the others notice. */
import type { Meter } from "../meter.ts";
import { clients } from "../people.ts";
import type { Line } from "../report.ts";
import { quantile } from "../tally.ts";

const perSecond = 50;
const rounds = 3;
const slowMs = 1000;
const isOther = (conversation: number): boolean => conversation !== 0;
/** Differences below that are the machine's, however even its runs were. */
const noiseMs = 1;

const ways = ["XMPP to Matrix", "Matrix to XMPP"] as const;

/** Both ways at once. @returns the times of the other rooms' messages, for each way. */
async function flow(meter: Meter, isSlow: boolean): Promise<number[][]> {
  const { stage, messages } = meter;
  const options = { total: Math.round(messages / 10), conversations: clients };
  // What waits in the slow room when all is sent is not what is measured, so it goes fast then.
  const end = performance.now() + (options.total / perSecond) * 1000;
  stage.stub.slow((conversation) =>
    isSlow && !isOther(conversation) && performance.now() < end ? slowMs : 0,
  );
  const tallies = await meter.steady(perSecond, [
    { name: ways[0], options, send: stage.toBridge },
    { name: ways[1], options, send: (conversation, text) => stage.transaction([{ conversation, text }]) },
  ]);
  stage.stub.slow(() => 0);
  return tallies.map((tally) => tally.times(isOther));
}

export async function slowRoom(meter: Meter): Promise<Line[]> {
  await meter.stage.runs.start();
  await meter.warmUp();
  const runs: { without: number[][]; beside: number[][] }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    runs.push({ without: await flow(meter, false), beside: await flow(meter, true) });
  }
  return ways.map((way, index) => {
    const p99 = (times: number[] | undefined): number => quantile(times ?? [], 0.99);
    const each = runs.map(({ without }) => p99(without[index]));
    const noise = Math.max(noiseMs, Math.max(...each) - Math.min(...each));
    const without = p99(runs.flatMap((run) => run.without[index] ?? []));
    const beside = p99(runs.flatMap((run) => run.beside[index] ?? []));
    return {
      what: `${way}, 50/s, beside a room that takes ${slowMs / 1000} s a message: p99 of the others`,
      measured: `${beside.toFixed(1)} ms`,
      beside: `${without.toFixed(1)} ms without it, in ${rounds} runs within ${noise.toFixed(1)} ms`,
      bar: "unchanged within noise",
      isMet: beside - without <= noise,
    };
  });
}
