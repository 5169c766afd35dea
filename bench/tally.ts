/** Counts what is sent and what arrives, notes when, and sees that each conversation stays in order and complete. */
import { performance } from "node:perf_hooks";

export interface Tally {
  name: string;
  total: number;
  /** Message `index` belongs to conversation `index % conversations`. */
  conversations: number;
  textOf(index: number): string;
  sent(index: number): void;
  /** Texts of another run are none of this tally's business. */
  arrived(text: string): void;
  /** Resolves once that message has arrived. */
  seen(index: number): Promise<void>;
  /** Nothing more can come of this run. */
  fail(problem: string): void;
  /** Resolves once all have arrived. @throws Error that names what went wrong. */
  complete(): Promise<void>;
  /** From the first sent to the last arrived. */
  perSecond(): number;
  /** Milliseconds from sent to arrived, of the conversations asked for. */
  times(isWanted?: (conversation: number) => boolean): number[];
}

const limitMs = 90_000;

/** @param share 0.5 for the median, 0.99 for what all but one in a hundred keep to. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export interface TallyOptions {
  total: number;
  conversations: number;
  /** Whether a message that overtakes another of its conversation is a fault. Default: true. */
  ordered?: boolean;
}

let runs = 0;

export function createTally(name: string, options: TallyOptions): Tally {
  const { total, conversations, ordered = true } = options;
  const label = `${name} ${++runs}`;
  const starts: number[] = [];
  const ends: number[] = [];
  const newest = new Map<number, number>();
  const waiting = new Map<number, () => void>();
  const faults: string[] = [];
  let count = 0;
  const { promise: over, resolve: done } = Promise.withResolvers<void>();

  return {
    name,
    total,
    conversations,
    textOf: (index) => `${label} #${index}`,
    sent: (index) => {
      starts[index] = performance.now();
    },
    arrived(text) {
      if (!text.startsWith(`${label} #`)) return;
      const index = Number(text.slice(label.length + 2));
      const conversation = index % conversations;
      const before = newest.get(conversation) ?? conversation - conversations;
      if (ends[index] !== undefined) faults.push(`${text} came twice`);
      else if (ordered && index !== before + conversations) faults.push(`${text} came after #${before}`);
      newest.set(conversation, index);
      ends[index] ??= performance.now();
      waiting.get(index)?.();
      waiting.delete(index);
      count += 1;
      if (count === total) done();
    },
    seen: (index) =>
      new Promise((resolve) => {
        if (ends[index] === undefined && faults.length === 0) waiting.set(index, resolve);
        else resolve();
      }),
    fail(problem) {
      faults.push(problem);
      for (const resolve of waiting.values()) resolve();
      done();
    },
    async complete() {
      const late = setTimeout(() => {
        faults.push(`only ${count} of ${total} came within ${limitMs} ms`);
        done();
      }, limitMs);
      await over;
      clearTimeout(late);
      if (faults.length > 0) throw new Error(`${label}: ${faults.slice(0, 5).join("; ")}`);
    },
    perSecond() {
      const last = ends.reduce((latest, end) => Math.max(latest, end), 0);
      return (total / (last - (starts[0] ?? Number.NaN))) * 1000;
    },
    times: (isWanted = () => true) =>
      ends.flatMap((end, index) =>
        isWanted(index % conversations) ? [end - (starts[index] ?? Number.NaN)] : [],
      ),
  };
}
