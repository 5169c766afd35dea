/**
 * Compares, once after a start, what the bridge remembers of rooms with what the homeserver knows: either may have been
 * restored from an older copy, and what happened while the bridge was away is not always handed over.
 */
import pLimit from "p-limit";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { localpartOf, type RoomId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { DirectRoom, DirectRooms as StoredRooms } from "../store/store.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { BotRooms } from "./bot-rooms.ts";
import type { DirectRooms } from "./direct-rooms.ts";

export interface ReconcileDeps {
  addresses: Addresses;
  /** The network of the room directory that the application service has on the homeserver. */
  directory: { appserviceId: string; networkId: string };
  store: Pick<StoredRooms, "ofNext">;
  directRooms: DirectRooms;
  botRooms: BotRooms;
  /** Gives the bot the name and picture that it lacks. */
  completeBot(): Promise<void>;
  matrix: MatrixClient;
  log: Log;
}

export interface Reconciliation {
  /** In the background; once it has succeeded, further calls do nothing. */
  begin(): void;
  stop(): Promise<void>;
}

/** Ghosts that are looked at together: the homeserver has more important things to do. */
const concurrency = 2;
/** Ghosts whose rooms are held in memory meanwhile. */
const atOnce = 100;

export function createReconciliation(deps: ReconcileDeps): Reconciliation {
  const { addresses, directory, store, directRooms, botRooms, completeBot, matrix, log } = deps;
  const limit = pLimit(concurrency);
  let running: Promise<void> | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;

  const ofGhost = async (jid: Jid, rooms: readonly DirectRoom[]) => {
    const ghost = addresses.ghostOf(jid);
    // What is stored from now on is newer than the answer, and none of it is touched.
    const joined = await matrix.joinedRooms(ghost);
    const lost = rooms.flatMap(({ roomId }) => (roomId && !joined.includes(roomId) ? [roomId] : []));
    for (const roomId of lost) await directRooms.noteMembership(roomId, ghost, "leave");
    const stored = new Set(rooms.map(({ roomId }) => roomId));
    let takenBack = 0;
    for (const roomId of joined.filter((room) => !stored.has(room))) {
      if (await directRooms.takeBack(ghost, jid, roomId)) takenBack += 1;
    }
    return { forgotten: lost.length, takenBack };
  };

  const ofGhosts = async () => {
    const sum = { forgotten: 0, takenBack: 0 };
    const add = async (jid: Jid, rooms: readonly DirectRoom[]): Promise<void> => {
      if (signal.aborted) return;
      try {
        const { forgotten, takenBack } = await ofGhost(jid, rooms);
        sum.forgotten += forgotten;
        sum.takenBack += takenBack;
      } catch (error) {
        log.warn("a ghost's rooms could not be compared", { jid, error });
      }
    };
    let last: Jid | undefined;
    while (!signal.aborted) {
      const byJid = Map.groupBy(await store.ofNext(atOnce, last), ({ jid }) => jid);
      if (byJid.size === 0) break;
      await Promise.all([...byJid].map(([jid, rooms]) => limit(add, jid, rooms)));
      last = [...byJid.keys()].at(-1);
    }
    return sum;
  };

  /** No room is published yet, so whatever stands in the directory was left there by something else. */
  const ofDirectory = async (): Promise<number> => {
    const { appserviceId, networkId } = directory;
    let listed: RoomId[];
    try {
      listed = await matrix.publishedRooms(`${appserviceId}|${networkId}`);
    } catch (error) {
      // Not every homeserver keeps a directory for each network.
      if (error instanceof MatrixError && error.status < 500) return 0;
      throw error;
    }
    for (const roomId of listed) await matrix.unpublish(networkId, roomId);
    return listed.length;
  };

  const run = async (): Promise<void> => {
    // Not every homeserver makes the bot when it reads the registration, and nobody else can act as it.
    await matrix.register(localpartOf(addresses.botUserId));
    await completeBot().catch((error) => log.info("the bot has no name or picture yet", { error }));
    const bot = await botRooms.reconcile(signal);
    const ghosts = await ofGhosts();
    if (signal.aborted) return;
    const unpublished = await ofDirectory();
    log.info("compared the rooms that are remembered with those of the homeserver", {
      botRoomsFound: bot.found,
      botRoomsForgotten: bot.forgotten,
      roomsForgotten: ghosts.forgotten,
      roomsTakenBack: ghosts.takenBack,
      unpublished,
    });
  };

  return {
    begin() {
      if (running || signal.aborted) return;
      running = run().catch((error) => {
        running = undefined;
        if (!signal.aborted) log.warn("the rooms that are remembered could not be compared", { error });
      });
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
