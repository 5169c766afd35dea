/** Guests whose sessions have ended without a word: their ghosts stay for a while, since most come back and enter again. */
import type { Locks } from "../bridge/locks.ts";
import type { Log } from "../ops/log.ts";
import type { Guest } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { Departure } from "./departure.ts";
import type { GuestRooms } from "./hosted-rooms.ts";

export interface AbsenceDeps {
  rooms: GuestRooms;
  locks: Locks;
  departure: Pick<Departure, "leaveMatrix">;
  /** Rows of those who are away stay, so that another run of the bridge finds them. */
  store: Pick<Store, "guests">;
  /** How long somebody may be away without leaving, in milliseconds. */
  graceMs: number;
  log: Log;
}

export interface Absence {
  /** Nothing reaches this client any more. */
  begin(guest: Guest): void;
  stop(): Promise<void>;
}

const retryMs = 60_000;

export function createAbsence({ rooms, locks, departure, store, graceMs, log }: AbsenceDeps): Absence {
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let isStopping = false;

  const run = (work: () => Promise<void>): void => {
    const done = work()
      .catch((error) => log.warn("could not see to somebody who is away", { error }))
      .finally(() => running.delete(done));
    running.add(done);
  };
  const later = (ms: number, work: () => Promise<void>): void => {
    if (isStopping) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      run(work);
    }, ms);
    timers.add(timer);
  };

  const end = async (guest: Guest): Promise<void> => {
    const { roomId, ghost, jid } = guest;
    try {
      await locks.run(roomId, async () => {
        const sessions = rooms.sessionsOf(roomId, ghost);
        if (sessions.some((session) => session.jid === jid)) return;
        if (sessions.length === 0) await departure.leaveMatrix(roomId, ghost, "Disconnected", true);
        await store.guests.remove(roomId, jid);
        log.info("a guest did not come back", { room: roomId, jid });
      });
    } catch (error) {
      log.warn("a ghost could not leave for now", { room: roomId, ghost, error });
      later(retryMs, () => end(guest));
    }
  };

  return {
    begin: (guest) =>
      run(() =>
        locks.run(guest.roomId, async () => {
          // Whoever has entered again meanwhile is another guest.
          if (rooms.guestAt(guest.address, guest.jid) !== guest) return;
          await rooms.suspend(guest);
          log.info("a guest is away", { room: guest.roomId, jid: guest.jid });
          later(graceMs, () => end(guest));
        }),
      ),
    async stop() {
      isStopping = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}
