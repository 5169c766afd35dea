/** Keeps what arrives in order and lets a test wait for one of it, whether it is there already or still to come. */
export interface Inbox<T> {
  /** Everything so far, oldest first. */
  items: T[];
  add: (item: T) => void;
  /** The first item that matches, past ones included; rejects with all items in the message after `timeoutMs`. */
  waitFor: (matches: (item: T) => boolean, timeoutMs?: number) => Promise<T>;
}

export function createInbox<T>(name: string, describe: (item: T) => string): Inbox<T> {
  const items: T[] = [];
  const listeners = new Set<(item: T) => void>();
  return {
    items,
    add: (item) => {
      items.push(item);
      for (const listener of [...listeners]) listener(item);
    },
    waitFor: (matches, timeoutMs = 30_000) => {
      const known = items.find(matches);
      if (known !== undefined) return Promise.resolve(known);
      // Captured here: a stack made inside the timer would not lead to the waiting test.
      const late = new Error();
      return new Promise((resolve, reject) => {
        const settle = () => {
          clearTimeout(limit);
          listeners.delete(listener);
        };
        const listener = (item: T) => {
          if (!matches(item)) return;
          settle();
          resolve(item);
        };
        const limit = setTimeout(() => {
          settle();
          const seen = items.map(describe).join("\n") || "nothing";
          late.message = `${name}: not received within ${timeoutMs} ms; received:\n${seen}`;
          reject(late);
        }, timeoutMs);
        listeners.add(listener);
      });
    },
  };
}
