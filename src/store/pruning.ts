/** Forgetting by age, a slice at a time, so that no message waits for more than one of them. */
import { setTimeout as delay } from "node:timers/promises";
import { statement, type Tables } from "./tables.ts";

export interface Pruning {
  /** As `Store.prune`. */
  prune(before: number, messagesBefore: number): Promise<void>;
  /** What is left is for the next time. */
  stop(): void;
}

/** The rows' places in the indexes are anywhere in the file, so that even as few take milliseconds. */
const slice = 100;
/** Of the time that is spent, so many times as much as for a slice is left to others. */
const othersShare = 4;

const received = [
  { table: "transactions", key: "txn_id, digest", age: "received_at" },
  { table: "seen_events", key: "seq", age: "received_at" },
  { table: "push_deliveries", key: "stanza_id", age: "tried_at" },
  { table: "jobs", key: "id", age: "parked_at" },
];
const said = [
  { table: "messages", key: "seq", age: "noted_at" },
  { table: "reactions", key: "seq", age: "noted_at" },
];

export function createPruning(tables: Tables): Pruning {
  let stopped = false;

  const pruneTable = async ({ table, key, age }: (typeof said)[number], before: number): Promise<void> => {
    const oldest = `select ${key} from ${table} where ${age} < ? order by ${age} limit ${slice}`;
    const sql = `delete from ${table} where (${key}) in (${oldest})`;
    while (!stopped) {
      const begun = performance.now();
      const [removed = 0] = await tables.soon(statement(sql, before));
      if (removed < slice) return;
      await delay((performance.now() - begun) * othersShare);
    }
  };

  return {
    async prune(before, messagesBefore) {
      for (const table of received) await pruneTable(table, before);
      for (const table of said) await pruneTable(table, messagesBefore);
    },
    stop() {
      stopped = true;
    },
  };
}
