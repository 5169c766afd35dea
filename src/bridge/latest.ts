/** Follows what changes quickly: one step at a time for each key, and none for what has changed again meanwhile. */

export interface Latest<K, V> {
  set(key: K, value: V): void;
}

export interface LatestDeps<K, V> {
  show(key: K, value: V): Promise<void>;
  /** What fails is forgotten: the next change brings the key up to date. */
  onError(key: K, error: unknown): void;
}

export function createLatest<K, V>({ show, onError }: LatestDeps<K, V>): Latest<K, V> {
  /** Keys for which something is under way. */
  const running = new Map<K, { value: V }>();

  const follow = async (key: K, state: { value: V }): Promise<void> => {
    let shown: V;
    do {
      shown = state.value;
      try {
        await show(key, shown);
      } catch (error) {
        onError(key, error);
      }
    } while (state.value !== shown);
    running.delete(key);
  };

  return {
    set(key, value) {
      const state = running.get(key);
      if (state) {
        state.value = value;
        return;
      }
      const fresh = { value };
      running.set(key, fresh);
      void follow(key, fresh);
    },
  };
}
