/** Waits for what is to become true, so that no test or demonstration has to guess how long something takes. */
import { setTimeout as delay } from "node:timers/promises";

/**
 * Resolves with the first value of `look` that is neither false nor undefined.
 * @param what named in the error, with whatever `look` threw last.
 */
export async function waitFor<T>(
  look: () => T | false | undefined | Promise<T | false | undefined>,
  what: string,
  limitMs = 20_000,
): Promise<T> {
  const late = new Error(`waited ${limitMs} ms in vain for ${what}`);
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== false && found !== undefined) return found;
    if (Date.now() > end) throw late;
    await delay(5);
  }
}
