/** The ways in which the benchmark sends: as fast as it is taken, in transactions, and at a steady pace. */
import { setTimeout as delay } from "node:timers/promises";
import type { Tally } from "./tally.ts";

/** Resolves when the message counts as taken, which makes room for the next. */
export type Send = (index: number, text: string) => Promise<void>;
export type SendMany = (messages: readonly { index: number; text: string }[]) => Promise<void>;

/** Each conversation on its own, with at most `depth` messages that are not yet taken. */
export async function flood(tally: Tally, conversations: number, depth: number, send: Send): Promise<void> {
  const converse = async (conversation: number): Promise<void> => {
    const open: Promise<void>[] = [];
    for (let index = conversation; index < tally.total; index += conversations) {
      if (open.length >= depth) await open.shift();
      tally.sent(index);
      open.push(send(index, tally.textOf(index)));
    }
    await Promise.all(open);
  };
  await Promise.all(Array.from({ length: conversations }, (_, conversation) => converse(conversation)));
}

/** One batch after the other, as a homeserver sends its transactions. */
export async function inBatches(tally: Tally, size: number, send: SendMany): Promise<void> {
  for (let first = 0; first < tally.total; first += size) {
    const length = Math.min(size, tally.total - first);
    const batch = Array.from({ length }, (_, n) => ({ index: first + n, text: tally.textOf(first + n) }));
    for (const { index } of batch) tally.sent(index);
    await send(batch);
  }
}

/** Starts one message every `1000 / perSecond` ms, whatever became of the one before. */
export async function paced(tally: Tally, perSecond: number, send: Send): Promise<void> {
  const begin = performance.now();
  const sending: Promise<void>[] = [];
  for (let index = 0; index < tally.total; index += 1) {
    await delay(Math.max(0, begin + (index * 1000) / perSecond - performance.now()));
    tally.sent(index);
    sending.push(send(index, tally.textOf(index)));
  }
  await Promise.all(sending);
}
