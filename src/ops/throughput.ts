/** How much crosses now, for people who look: deliveries of the last minute, and of each minute of the last hour. */
import type { Direction, Done } from "./metrics.ts";

export interface Throughput {
  count(direction: Direction): void;
  read(): Record<Direction, Rates>;
}

export interface Rates {
  lastMinute: number;
  lastHour: number;
  /** Oldest first; the last one is the minute that goes on now. */
  minutes: number[];
}

const counted = new Set(["message", "reaction", "redaction"]);

/** Whether it is what people would call a message. */
export const isMessage = ({ kind, outcome }: Done): boolean => outcome === "delivered" && counted.has(kind);

const slotMs = 10_000;
const slotsPerMinute = 6;
const slots = 60 * slotsPerMinute;

/** @param now milliseconds that never go back. */
export function createThroughput(now: () => number): Throughput {
  const counts = { to_matrix: new Array<number>(slots).fill(0), to_xmpp: new Array<number>(slots).fill(0) };
  let current = Math.floor(now() / slotMs);

  /** @returns the place of the slot that counts now; those in between were silent. */
  const advance = (): number => {
    const target = Math.floor(now() / slotMs);
    const silent = Math.min(target - current, slots);
    for (let step = 0; step < silent; step += 1) {
      counts.to_matrix[(target - step) % slots] = 0;
      counts.to_xmpp[(target - step) % slots] = 0;
    }
    current = target;
    return target % slots;
  };

  const ratesOf = (ring: readonly number[]): Rates => {
    const at = advance();
    const oldestFirst = [...ring.slice(at + 1), ...ring.slice(0, at + 1)];
    const sum = (some: readonly number[]): number => some.reduce((total, count) => total + count, 0);
    const minutes = Array.from({ length: slots / slotsPerMinute }, (_, minute) =>
      sum(oldestFirst.slice(minute * slotsPerMinute, (minute + 1) * slotsPerMinute)),
    );
    return { lastMinute: minutes.at(-1) ?? 0, lastHour: sum(minutes), minutes };
  };

  return {
    count(direction) {
      const at = advance();
      const ring = counts[direction];
      ring[at] = (ring[at] ?? 0) + 1;
    },
    read: () => ({ to_matrix: ratesOf(counts.to_matrix), to_xmpp: ratesOf(counts.to_xmpp) }),
  };
}
