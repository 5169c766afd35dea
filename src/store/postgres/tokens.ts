/**
 * The queues of pg-boss: each job that waits has a token there, under its lane, and whoever holds a lane's token has the
 * lane. The queues are strict: of one lane, never more than one token is held over all processes.
 */
import { PgBoss } from "pg-boss";
import type { Log } from "../../ops/log.ts";
import type { Postgres, Transaction } from "./connection.ts";
import { isPostgresTrouble } from "./trouble.ts";

/** What waits for XMPP, and what waits for Matrix. */
export const queues = ["to-xmpp", "to-matrix"] as const;
export type Queue = (typeof queues)[number];

export const queueOf = (lane: string): Queue => (lane.startsWith("matrix ") ? "to-xmpp" : "to-matrix");

export interface NewToken {
  /** A UUID. */
  id: string;
  lane: string;
}

/** A token that this process holds, and which of its holders it is. */
export interface Held {
  id: string;
  retryCount: number;
}

export interface Tokens {
  /** For jobs that are stored in that transaction; of one lane, in their order. */
  insert(tx: Transaction, tokens: readonly NewToken[]): Promise<void>;
  /** Takes tokens that nobody holds, each of another lane. */
  fetch(queue: Queue, most: number): Promise<(Held & { lane: string })[]>;
  /** @returns the IDs of those that are held still; nobody else gets them for `heartbeat` seconds. */
  touch(queue: Queue, held: readonly Held[]): Promise<string[]>;
  /** Takes tokens away: those that nobody holds, and of those that are held the ones given as such. */
  remove(tx: Transaction, queue: Queue, ids: readonly string[], held: readonly Held[]): Promise<void>;
  /** Anybody may take them, and is told. */
  giveBack(queue: Queue, held: readonly Held[]): Promise<void>;
  /** Told where there are tokens to fetch, when that may have been missed, and when the server may have crashed. */
  watch(onNews: (queue: Queue) => void, onAgain: () => void, onLost: () => void): void;
  stop(): Promise<void>;
}

/** Seconds after which a process that is not heard of has lost what it held; pg-boss takes no fewer. */
export const heartbeat = 10;
/** pg-boss would take a token away from one that holds it for so many seconds, and takes no more. */
export const longestHeld = 24 * 60 * 60;
const never = 2_000_000_000;

const schema = "causeway_lanes";

const options = {
  retryLimit: never,
  retryDelay: 0,
  heartbeatSeconds: heartbeat,
  expireInSeconds: longestHeld,
  retentionSeconds: never,
  warningQueueSize: never,
  notify: true,
};

export interface TokensDeps {
  db: Postgres;
  log: Log;
  /** Whether tokens of processes that have died are given to others. */
  supervise?: boolean;
}

/** Makes pg-boss's own tables where they are missing. */
export async function startTokens({ db, log, supervise = true }: TokensDeps): Promise<Tokens> {
  let onNews: (queue: Queue) => void = () => undefined;
  let onAgain = (): void => undefined;
  let onLost = (): void => undefined;
  let channelName: string | undefined;
  const boss = new PgBoss({
    schema,
    schedule: false,
    supervise,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 2,
    flowIntervalSeconds: 600,
    reindex: false,
    monitorVacuum: false,
    warningQueueSize: never,
    useListenNotify: supervise,
    db: {
      executeSql: db.claims.executeSql,
      listen: async (channel) => {
        channelName = channel;
        await db.listen(
          channel,
          (name) => {
            const queue = queues.find((one) => one === name);
            if (queue) onNews(queue);
          },
          () => onAgain(),
          () => onLost(),
        );
        return { close: async () => undefined };
      },
    },
  });
  boss.on("error", (error) => {
    // Of a database that is away others tell.
    if (!isPostgresTrouble(error))
      log.warn("the queues were not looked after, will be tried again", { error });
  });
  const stop = (): Promise<void> => boss.stop({ graceful: false, close: false });
  try {
    await boss.start();
    for (const queue of queues) await boss.createQueue(queue, { policy: "key_strict_fifo", ...options });
  } catch (error) {
    await stop();
    throw error;
  }

  const attempts = (held: readonly Held[]): Held[] => held.map(({ id, retryCount }) => ({ id, retryCount }));

  return {
    async insert(tx, tokens) {
      for (const queue of queues) {
        const those = tokens.filter(({ lane }) => queueOf(lane) === queue);
        if (those.length === 0) continue;
        await boss.insert(
          queue,
          those.map(({ id, lane }) => ({ id, singletonKey: lane })),
          { db: tx },
        );
      }
    },
    async fetch(queue, most) {
      const fetched = await boss.fetch(queue, { batchSize: most, includeMetadata: true });
      return fetched.map(({ id, retryCount, singletonKey }) => ({
        id,
        retryCount,
        lane: String(singletonKey),
      }));
    },
    async touch(queue, held) {
      const { settled } = (await boss.touch(queue, attempts(held), { db: db.touches })) as {
        settled?: string[];
      };
      return settled ?? [];
    },
    async remove(tx, queue, ids, held) {
      if (ids.length > 0) await boss.deleteJob(queue, [...ids], { db: tx });
      if (held.length > 0) await boss.deleteJob(queue, attempts(held), { db: tx });
    },
    async giveBack(queue, held) {
      await boss.fail(queue, attempts(held));
      if (channelName) await db.claims.executeSql("select pg_notify($1, $2)", [channelName, queue]);
    },
    watch(givenNews, givenAgain, givenLost) {
      onNews = givenNews;
      onAgain = givenAgain;
      onLost = givenLost;
    },
    stop,
  };
}
