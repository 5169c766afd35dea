/**
 * Finds events that the homeserver has lost on their way here: what waits behind a transaction is held in memory
 * by some, and gone when they restart (docs/servers.md). So after a sign of a restart each room is compared once.
 */
import type { RoomId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Lanes, NewJob, Transactions } from "../store/store.ts";

export interface CatchUpDeps {
  transactions: Pick<Transactions, "recentRooms">;
  lanes: Pick<Lanes, "add">;
  newId: () => string;
  /** Unix time in milliseconds. */
  now: () => number;
  /** The comparison begins: whatever is remembered of rooms may be old. */
  onBegin: () => void;
  log: Log;
}

export interface CatchUp {
  /** Something may be missing: a new connection of the homeserver, or its return after an outage, which is sure. */
  suspect(isSure?: boolean): void;
  /** As `suspect`, where another process does the comparing: here only what comes next of each room is waited for. */
  forget(): void;
  /** Those of the rooms that have not been compared since the last suspicion; from now on they count as compared. */
  takeUnsure(rooms: Iterable<RoomId>): Set<RoomId>;
  /** They were taken and could not be compared. */
  giveBack(rooms: Iterable<RoomId>): void;
  stop(): void;
}

/** A proxy may open a connection for each transaction, and comparing costs the homeserver a request a room. */
const burst = { size: 6, withinMs: 30_000 };
/** Where the database was away. */
const retryMs = 5000;

export function createCatchUp(deps: CatchUpDeps): CatchUp {
  const { transactions, lanes, newId, now, onBegin, log } = deps;
  const compared = new Set<RoomId>();
  /** When the last comparisons began, oldest first. */
  const begun: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const compare = async (): Promise<void> => {
    const jobs = (await transactions.recentRooms()).map(
      ({ roomId, eventId }): NewJob => ({
        lane: `matrix ${roomId}`,
        cause: `catch-up/${newId()}`,
        work: { kind: "catch-up", roomId, after: eventId },
      }),
    );
    await lanes.add(jobs);
  };

  const begin = (): void => {
    timer = undefined;
    onBegin();
    begun.push(now());
    begun.splice(0, begun.length - burst.size);
    compare().catch((error) => {
      log.error("could not look for lost events", { error });
      // No room has been compared, and nothing else would say so again.
      if (!isStopped) timer ??= setTimeout(begin, retryMs).unref();
    });
  };

  return {
    suspect(isSure = false) {
      // An event that comes before the comparison would hide what was lost ahead of it.
      compared.clear();
      if (isSure) {
        clearTimeout(timer);
        begin();
        return;
      }
      if (timer) return;
      const [oldest = 0] = begun;
      const wait = begun.length < burst.size ? 0 : oldest + burst.withinMs - now();
      if (wait <= 0) begin();
      else timer = setTimeout(begin, wait).unref();
    },
    forget: () => compared.clear(),
    takeUnsure(rooms) {
      const unsure = new Set([...rooms].filter((roomId) => !compared.has(roomId)));
      for (const roomId of unsure) compared.add(roomId);
      return unsure;
    },
    giveBack(rooms) {
      for (const roomId of rooms) compared.delete(roomId);
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
