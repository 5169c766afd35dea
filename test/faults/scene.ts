/** The stage of the fault suite: the bridge as a process between two stand-ins, each link through a proxy, and people who write. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { type BridgeProcess, type Circumstances, createBridgeProcess } from "../servers/bridge-process.ts";
import { freePort } from "../servers/free-port.ts";
import { type FakeHomeserver, startFakeHomeserver } from "../support/fake-homeserver.ts";
import { type FakeProsody, startFakeProsody } from "../support/fake-prosody.ts";
import { waitFor } from "../support/wait-for.ts";
import { type Column, isComplete, judge, sumOf, type Verdict } from "./ledger.ts";
import { type Link, startProxy } from "./proxy.ts";
import type { Random } from "./random.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

export interface Scene {
  random: Random;
  homeserver: FakeHomeserver;
  prosody: FakeProsody;
  bridge: BridgeProcess;
  database: string;
  /** A folder of this scene's own. */
  folder: string;
  links: Record<"toHomeserver" | "toProsody" | "fromHomeserver" | "fromProsody", Link>;
  traffic: Traffic;
  /** Starts the bridge and does not wait. */
  start(circumstances?: Circumstances): Promise<void>;
  /** Resolves once it listens. */
  live(): Promise<unknown>;
  /** SIGKILL, and a start at once. */
  restart(circumstances?: Circumstances): Promise<void>;
  kill(): Promise<void>;
  /** Something was cut off: in each conversation one message may be on its way for the second time. */
  interrupted(): void;
  /** Waits until all has come that is to come, stops the bridge, looks into its database and judges. */
  judge(options?: { limitMs?: number; parked?: number }): Promise<Outcome>;
}

export interface Outcome {
  toXmpp: Verdict;
  toMatrix: Verdict;
  /** Promises broken, of the bridge as a whole too. */
  broken: string[];
  /** Worth a word in the table. */
  note?: string;
}

export interface SceneOptions {
  random: Random;
  conversations?: number;
  config?: Record<string, unknown>;
  /** Where the database is to be; the scene's folder by default. */
  databaseFolder?: string;
}

/** Node's own cache of what it compiled and stripped of types makes a start three times as fast. */
const cacheFolder = join(tmpdir(), "causeway-faults-compile-cache");

const valueIn = (db: DatabaseSync, sql: string): unknown => Object.values(db.prepare(sql).get() ?? {})[0];
const countWaiting = (db: DatabaseSync): number =>
  Number(valueIn(db, "select count(*) from jobs where parked_at is null"));

/** Besides messages there is other work, as the comparing of rooms after a restart. */
function isWorkLeft(path: string): boolean {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return countWaiting(db) > 0;
  } finally {
    db.close();
  }
}

function problemsOfDatabase(path: string, expectedParked: number): string[] {
  const db = new DatabaseSync(path);
  const value = (sql: string): unknown => valueIn(db, sql);
  const integrity = value("pragma integrity_check");
  const waiting = countWaiting(db);
  const parked = Number(value("select count(*) from jobs where parked_at is not null"));
  db.close();
  return [
    ...(integrity === "ok" ? [] : [`the database is broken: ${integrity}`]),
    ...(waiting === 0 ? [] : [`${waiting} jobs were left`]),
    ...(parked === expectedParked
      ? []
      : [`${parked} messages were parked, where ${expectedParked} are right`]),
  ];
}

/** Runs `work` on a fresh stage, and takes the stage down whatever happens. */
export async function onStage<T>(options: SceneOptions, work: (scene: Scene) => Promise<T>): Promise<T> {
  const { random, conversations = 8, config } = options;
  const folder = mkdtempSync(join(tmpdir(), "causeway-faults-"));
  const database = join(options.databaseFolder ?? folder, "causeway.db");
  const [homeserver, prosody] = [await startFakeHomeserver(), await startFakeProsody()];
  const [port, adminPort] = [await freePort(), await freePort()];
  const portOf = (url: string) => () => Number(new URL(url).port);
  const links = {
    toHomeserver: await startProxy(portOf(homeserver.url)),
    toProsody: await startProxy(portOf(prosody.restUrl)),
    fromHomeserver: await startProxy(() => port),
    fromProsody: await startProxy(() => port),
  };
  const configFile = join(folder, "config.json");
  const written = {
    homeserver: { url: links.toHomeserver.url, domain: homeserver.domain },
    appservice: {
      id: homeserver.appserviceId,
      url: links.fromHomeserver.url,
      asToken: homeserver.asToken,
      hsToken: homeserver.hsToken,
      userPrefix: homeserver.userPrefix,
    },
    xmpp: {
      component: prosody.component,
      restUrl: `${links.toProsody.url}/rest`,
      restAuth: { username: prosody.component, password: prosody.secret },
      callbackSecret: prosody.callbackSecret,
    },
    listen: { host: "127.0.0.1", port },
    admin: { host: "127.0.0.1", port: adminPort },
    publicUrl: links.fromHomeserver.url,
    database: `sqlite:${database}`,
    permissions: { "*": "user" },
    ...config,
  };
  writeFileSync(configFile, JSON.stringify(written), { mode: 0o600 });
  homeserver.connect(links.fromHomeserver.url);
  prosody.connect(links.fromProsody.url);
  const bridge = createBridgeProcess({
    configFile,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    logFile: join(folder, "causeway.log"),
  });
  const traffic = createTraffic({ homeserver, prosody, random, conversations });
  let interruptions = 0;

  const start = (circumstances: Circumstances = {}): Promise<void> => {
    const environment = { NODE_COMPILE_CACHE: cacheFolder, ...circumstances.environment };
    return bridge.start(false, { ...circumstances, environment });
  };
  const isLive = (): Promise<boolean> =>
    fetch(`${bridge.adminUrl}/health/live`).then(
      ({ ok }) => ok,
      () => false,
    );
  const kill = async (): Promise<void> => {
    interruptions += 1;
    await bridge.kill();
  };
  const columns = (): Record<"toXmpp" | "toMatrix", Column[]> => traffic.columns(interruptions);

  const scene: Scene = {
    random,
    homeserver,
    prosody,
    bridge,
    database,
    folder,
    links,
    traffic,
    start,
    live: () => waitFor(isLive, "the bridge to listen"),
    kill,
    async restart(circumstances) {
      await kill();
      await start(circumstances);
    },
    interrupted: () => {
      interruptions += 1;
    },
    async judge({ limitMs = 70_000, parked = 0 } = {}) {
      const end = performance.now() + limitMs;
      await traffic.stop();
      const isOver = (): boolean => Object.values(columns()).flat().every(isComplete);
      while (!isOver() && performance.now() < end) await delay(50);
      while (isWorkLeft(database) && performance.now() < end) await delay(100);
      // What is not to come twice gets a moment to do so.
      await delay(300);
      const code = await bridge.stop();
      const { toXmpp, toMatrix } = columns();
      const [there, back] = [sumOf(toXmpp.map(judge)), sumOf(toMatrix.map(judge))];
      return {
        toXmpp: there,
        toMatrix: back,
        broken: [
          ...there.broken,
          ...back.broken,
          ...traffic.strayRooms(),
          ...(code === 0 ? [] : [`the bridge ended with ${code}`]),
          ...problemsOfDatabase(database, parked),
        ],
      };
    },
  };
  try {
    return await work(scene);
  } catch (error) {
    const log = bridge.log().trimEnd().split("\n").slice(-15).join("\n");
    throw new Error(`${(error as Error).stack}\nThe bridge's last lines:\n${log}`);
  } finally {
    await traffic.stop();
    await bridge.kill();
    for (const link of Object.values(links)) link.close();
    await Promise.all([homeserver.close(), prosody.stop()]);
    if (process.env.FAULTS_KEEP !== "1") rmSync(folder, { recursive: true, force: true });
  }
}
