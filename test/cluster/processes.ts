/** Processes of a cluster, as objects in one process: each with a connection of its own that a test can cut. */
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { type Answer, type Cluster, LeadLostError } from "../../src/cluster/cluster.ts";
import { createShared, type SharedDeps } from "../../src/cluster/shared.ts";
import { createLog } from "../../src/ops/log.ts";
import { connectPostgres, type Postgres } from "../../src/store/postgres/connection.ts";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { newDatabase } from "../support/postgres.ts";

export interface Process {
  cluster: Cluster;
  /** Each time it began or ceased to lead. */
  turns: ("leads" | "lost")[];
  health: { problem: string | undefined };
  start(answers?: Record<string, Answer>, lead?: () => Promise<void>): Promise<void>;
  /** From now on it reaches the database no longer, as if it had died. */
  cut(): void;
  mend(): void;
  /** Ends its connections, as PostgreSQL does when it restarts. */
  db: Postgres;
}

const times = { beat: 40, lease: 1200, trust: 1000, dead: 1200, forget: 10_000, wait: 5000 };

/** How the database is reached. */
export interface Way {
  isCut: boolean;
  /** Waits before and after each thing that is asked. */
  pause?: () => Promise<void>;
}

function overWay(db: Postgres, way: Way): Postgres {
  const through = async <T>(ask: () => Promise<T>): Promise<T> => {
    await way.pause?.();
    if (way.isCut) throw new Error("the database is away: cut off");
    const result = await ask();
    await way.pause?.();
    if (way.isCut) throw new Error("the database is away: cut off");
    return result;
  };
  return {
    ...db,
    all: (...args) => through(() => db.all(...args)),
    alone: (...args) => through(() => db.alone(...args)),
    commit: (work, isDurable) => through(() => db.commit(work, isDurable)),
    listen: (channel, onPayload, onAgain) =>
      db.listen(
        channel,
        (payload) => void (way.isCut || onPayload(payload)),
        () => void (way.isCut || onAgain()),
      ),
  };
}

/** @returns what makes processes on one fresh database, or undefined where the test is skipped. */
export async function newProcesses(
  t: TestContext,
  log = createLog({ level: "error", format: "text", now: Date.now }),
) {
  const database = await newDatabase(t);
  if ("missing" in database) {
    t.skip(database.missing);
    return undefined;
  }
  const first = connectPostgres(database.url);
  await migrate(first, { homeserver: "hs.test", component: "matrix.xmpp.test" });
  t.after(() => first.close());

  return {
    db: first,
    newProcess(given: Partial<SharedDeps> = {}, way: Way = { isCut: false }): Process {
      const db = connectPostgres(database.url);
      const turns: Process["turns"] = [];
      const health: Process["health"] = { problem: undefined };
      const cluster = createShared({
        db: overWay(db, way),
        self: randomBytes(4).toString("hex"),
        version: "1.2.3",
        now: Date.now,
        onHeartbeat: (problem) => {
          health.problem = problem;
        },
        log,
        times,
        ...given,
      });
      t.after(async () => {
        await cluster.stop();
        await db.close();
      });
      return {
        cluster,
        turns,
        health,
        db,
        start: (answers = {}, lead = async () => undefined) =>
          cluster.start(
            answers,
            async () => {
              turns.push("leads");
              await lead();
            },
            async () => void turns.push("lost"),
          ),
        cut: () => {
          way.isCut = true;
        },
        mend: () => {
          way.isCut = false;
        },
      };
    },
  };
}

export const isLeadLost = (error: unknown): boolean => error instanceof LeadLostError;
