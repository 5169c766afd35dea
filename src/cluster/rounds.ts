/** Work of which one round serves everybody who asked for it before the round began. */

/** @returns what asks: it resolves when a round is over that began after the asking; rounds never overlap. */
export function createRounds(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        running = work();
        return running;
      });
    return next;
  };
}
