/** Counts what is sent and what arrives, notes when, and sees that each conversation stays in order and complete. */
import { performance } from "node:perf_hooks";

export interface Figures {
  /** From the first sent to the last arrived. */
  perSecond: number;
  /** Milliseconds from sent to arrived. */
  p50: number;
  p99: number;
}

export interface Tally {
  total: number;
  /** What the message with this index says; message `index` belongs to conversation `index % conversations`. */
  textOf(index: number): string;
  sent(index: number): void;
  /** Texts of another run are none of this tally's business. */
  arrived(text: string): void;
  /** Resolves once that message has arrived. */
  seen(index: number): Promise<void>;
  /** Resolves once all have arrived. @throws Error that names what went wrong. */
  figures(): Promise<Figures>;
}

const limitMs = 60_000;

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

export interface TallyOptions {
  total: number;
  conversations: number;
  /** Whether a message that overtakes another of its conversation is a fault. Default: true. */
  ordered?: boolean;
}

export function createTally(label: string, options: TallyOptions): Tally {
  const { total, conversations, ordered = true } = options;
  const starts: number[] = [];
  const ends: number[] = [];
  const newest = new Map<number, number>();
  const waiting = new Map<number, () => void>();
  const faults: string[] = [];
  let count = 0;
  let done: () => void = () => undefined;
  const complete = new Promise<void>((resolve) => {
    done = resolve;
  });

  return {
    total,
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
      count += 1;
      if (count === total) done();
    },
    seen: (index) =>
      new Promise((resolve) => {
        if (ends[index] === undefined) waiting.set(index, resolve);
        else resolve();
      }),
    async figures() {
      const late = setTimeout(() => {
        faults.push(`only ${count} of ${total} came within ${limitMs} ms`);
        done();
      }, limitMs);
      await complete;
      clearTimeout(late);
      if (faults.length > 0) throw new Error(`${label}: ${faults.slice(0, 5).join("; ")}`);
      const times = ends.map((end, index) => end - (starts[index] ?? Number.NaN)).sort((a, b) => a - b);
      const spanMs = Math.max(...ends) - Math.min(...starts);
      return { perSecond: (total / spanMs) * 1000, p50: at(times, 0.5), p99: at(times, 0.99) };
    },
  };
}
