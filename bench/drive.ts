/** The ways in which the benchmark sends: as fast as it is taken, in transactions, and at a steady pace. */
import { setTimeout as delay } from "node:timers/promises";
import { clients } from "./people.ts";
import type { Tally } from "./tally.ts";

/** Resolves when the message counts as taken, which makes room for the next. */
export type Send = (conversation: number, text: string, index: number) => Promise<void> | void;
export type SendMany = (messages: readonly { conversation: number; text: string }[]) => Promise<void>;

/** Each client on its own, with at most `depth` messages of its conversations that are not yet taken. */
export async function flood(tally: Tally, depth: number, send: Send): Promise<void> {
  const { total, conversations } = tally;
  const write = async (client: number): Promise<void> => {
    const open: (Promise<void> | void)[] = [];
    for (let index = client; index < total; index += clients) {
      if (open.length >= depth) await open.shift();
      tally.sent(index);
      open.push(send(index % conversations, tally.textOf(index), index));
    }
    await Promise.all(open);
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => write(client)));
}

/** As `flood`, with the next message sent when the one before has arrived, and not when the client's socket took it. */
export const floodUntilSeen = (tally: Tally, depth: number, send: Send): Promise<void> =>
  flood(tally, depth, async (conversation, text, index) => {
    await send(conversation, text, index);
    await tally.seen(index);
  });

/** One batch after the other, as a homeserver sends its transactions. */
export async function inBatches(tally: Tally, size: number, send: SendMany): Promise<void> {
  for (let first = 0; first < tally.total; first += size) {
    const length = Math.min(size, tally.total - first);
    const indexes = Array.from({ length }, (_, n) => first + n);
    for (const index of indexes) tally.sent(index);
    await send(
      indexes.map((index) => ({ conversation: index % tally.conversations, text: tally.textOf(index) })),
    );
  }
}

export interface Flow {
  tally: Tally;
  send: Send;
}

/**
 * Starts one message of each flow every `1000 / perSecond` ms, evenly spread over that time, whatever became of the
 * ones before: flows side by side see the same moments of the machine.
 */
export async function paced(perSecond: number, flows: readonly Flow[]): Promise<void> {
  const [first] = flows;
  const gap = 1000 / perSecond / flows.length;
  const sending: (Promise<void> | void)[] = [];
  const begin = performance.now();
  for (let n = 0; n < (first?.tally.total ?? 0) * flows.length; n += 1) {
    await delay(Math.max(0, begin + n * gap - performance.now()));
    const [index, flow] = [Math.floor(n / flows.length), flows[n % flows.length]];
    if (!flow) continue;
    flow.tally.sent(index);
    sending.push(flow.send(index % flow.tally.conversations, flow.tally.textOf(index), index));
  }
  await Promise.all(sending);
}
