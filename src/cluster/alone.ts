/** A bridge of one process: it leads, and has nobody to talk to. */
import { hostname } from "node:os";
import type { Answer, Cluster } from "./cluster.ts";

export interface AloneDeps {
  version: string;
  /** Unix time in milliseconds. */
  now: () => number;
}

export function createAlone({ version, now }: AloneDeps): Cluster {
  const startedAt = now();
  let answers: Record<string, Answer> = {};
  let report: Record<string, number> = {};
  const self = "alone";
  return {
    self,
    isLead: () => true,
    isAlone: () => true,
    processes: async () => [{ id: self, host: hostname(), version, startedAt, isLead: true, report }],
    others: async () => [],
    tell: async (to, kind, payload) => {
      if (to !== "others") await answers[kind]?.(payload);
    },
    ask: async (kind, payload) => answers[kind]?.(payload),
    caughtUp: async () => undefined,
    start: async (given, lead) => {
      answers = given;
      await lead();
    },
    report(numbers) {
      report = numbers;
    },
    stop: async () => undefined,
  };
}
