/** Joins what is asked for one by one into one work of the next commit, since each statement is a way to the server and back. */
import type { Postgres, Transaction } from "./connection.ts";
import { isPostgresTrouble } from "./trouble.ts";

interface Asked<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * @param work does all of them, and has a result for each.
 * @returns a function that has one of them done.
 */
export function createBatches<Item, Result>(
  db: Postgres,
  isDurable: boolean,
  work: (tx: Transaction, items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let asked: Asked<Item, Result>[] = [];

  const settle = async (batch: () => readonly Asked<Item, Result>[]): Promise<void> => {
    try {
      const items = () => batch().map(({ item }) => item);
      const results = await db.commit((tx) => work(tx, items()), isDurable);
      batch().forEach(({ resolve }, at) => {
        resolve(results[at] as Result);
      });
    } catch (error) {
      // One caller's mistake must not undo the others of its batch.
      const isOfOne = batch().length > 1 && !isPostgresTrouble(error);
      for (const one of batch()) {
        if (isOfOne) await settle(() => [one]);
        else one.reject(error);
      }
    }
  };

  return (item) =>
    new Promise((resolve, reject) => {
      if (asked.push({ item, resolve, reject }) > 1) return;
      let taken: readonly Asked<Item, Result>[] | undefined;
      // Taken when its turn comes, and the same again where that is undone.
      const take = (): readonly Asked<Item, Result>[] => {
        if (!taken) {
          taken = asked;
          asked = [];
        }
        return taken;
      };
      void settle(take);
    });
}
