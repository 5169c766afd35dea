/** Messages of ours that an XMPP room has not given back yet: until it does, nobody knows what it calls them. */
import type { BareJid } from "../xmpp/jid.ts";

/** Longer than a message takes; a room may be one that gives nothing back. */
const usualPatienceMs = 3000;
/** Of one room; more are forgotten, the oldest first. */
const most = 1000;

export interface Reflections {
  /** @param id of a stanza that is about to be sent. */
  expect(muc: BareJid, id: string): void;
  note(muc: BareJid, id: string): void;
  /** Resolves when those that are meant have come back, or are not worth waiting for any more. */
  settled(muc: BareJid, isMeant: (id: string) => boolean): Promise<void>;
}

export function createReflections(patienceMs = usualPatienceMs): Reflections {
  /** Those who wait, by stanza. */
  const rooms = new Map<BareJid, Map<string, Set<() => void>>>();

  const note = (muc: BareJid, id: string): void => {
    const expected = rooms.get(muc);
    const waiting = expected?.get(id);
    expected?.delete(id);
    if (expected?.size === 0) rooms.delete(muc);
    for (const resolve of waiting ?? []) resolve();
  };

  return {
    note,
    expect(muc, id) {
      const expected = rooms.get(muc) ?? new Map<string, Set<() => void>>();
      rooms.set(muc, expected);
      if (!expected.has(id)) expected.set(id, new Set());
      const [oldest] = expected.keys();
      if (expected.size > most && oldest !== undefined) note(muc, oldest);
    },
    async settled(muc, isMeant) {
      const meant = [...(rooms.get(muc) ?? [])].filter(([id]) => isMeant(id));
      const each = meant.map(
        ([id, waiting]) =>
          new Promise<void>((resolve) => {
            const timer = setTimeout(() => note(muc, id), patienceMs);
            waiting.add(() => {
              clearTimeout(timer);
              resolve();
            });
          }),
      );
      await Promise.all(each);
    },
  };
}
