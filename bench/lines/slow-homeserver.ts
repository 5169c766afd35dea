/** A homeserver that takes its time: rooms have to be kept busy all the while, each in its order. */
import { floodUntilSeen } from "../drive.ts";
import type { Meter } from "../meter.ts";
import { clients } from "../people.ts";
import type { Line } from "../report.ts";

const delays = { least: 5, most: 30 };
const bar = 0.9;
/** Enough to wait in each room that none runs dry. */
const depth = 15;

/** Mulberry32: the same delays in each run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function slowHomeserver(meter: Meter): Promise<Line[]> {
  const { stage, messages } = meter;
  const random = createRandom(1);
  const options = { total: messages, conversations: clients };
  const against = await meter.run("raw callback", { ...options, ordered: false }, (tally) =>
    floodUntilSeen(tally, depth, stage.toRawCallback),
  );
  await stage.runs.start();
  await meter.warmUp();
  stage.stub.slow(() => delays.least + random() * (delays.most - delays.least));
  const tally = await meter.run("to a slow homeserver", options, (one) =>
    floodUntilSeen(one, depth, stage.toBridge),
  );
  const allowed = (clients / stage.stub.meanDelay()) * 1000;
  stage.stub.slow(() => 0);
  const share = tally.perSecond() / allowed;
  return [
    {
      what: `XMPP to Matrix, homeserver taking ${delays.least} to ${delays.most} ms`,
      measured: `${share.toFixed(2)} of one at a time a room`,
      beside: `${tally.perSecond().toFixed(0)} of ${allowed.toFixed(0)}/s; callbacks alone ${against.perSecond().toFixed(0)}/s`,
      bar: `≥ ${bar}, in order`,
      isMet: share >= bar,
    },
  ];
}
