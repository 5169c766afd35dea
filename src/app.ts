/** The composition root: the only place that knows all parts and puts them together. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import express from "express";
import { createBridge } from "./bridge/bridge.ts";
import { checkProsody, createHomeserverCheck } from "./bridge/checks.ts";
import { sqlitePathOf } from "./config/load.ts";
import { callbackPath } from "./config/prosody.ts";
import type { Config } from "./config/schema.ts";
import { createHttp } from "./http/client.ts";
import { type Listener, listen } from "./http/server.ts";
import { appserviceRoutes } from "./matrix/appservice.ts";
import { createMatrixClient } from "./matrix/client.ts";
import type { UserId } from "./matrix/ids.ts";
import { createAdminApp, createHealth } from "./ops/health.ts";
import type { Log } from "./ops/log.ts";
import { createProbe } from "./ops/probe.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import { createArrivalOrder } from "./xmpp/arrival-order.ts";
import { callbackRoutes } from "./xmpp/callback.ts";
import { createXmppClient } from "./xmpp/client.ts";

export interface AppDeps {
  config: Config;
  log: Log;
  /** Unix time in milliseconds. */
  clock: () => number;
}

export interface App {
  /** The ports in use, also when the configuration says 0. */
  port: number;
  adminPort: number;
  /** Takes nothing new, finishes what is under way, or breaks it off after some seconds, to be repeated next time. */
  stop(): Promise<void>;
}

const day = 24 * 60 * 60 * 1000;
/** How long a homeserver may repeat itself and be recognised. */
const memoryMs = 30 * day;
const finishWithinMs = 5000;

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** @throws Error if the database or a port cannot be had. */
export async function startApp({ config, log, clock: now }: AppDeps): Promise<App> {
  const { homeserver, appservice, xmpp: prosody } = config;
  const health = createHealth();
  const store = openSqliteStore({
    path: sqlitePathOf(config.database),
    now,
    onCommit: (problem) => health.set("database", problem),
  });
  const homeserverHttp = createHttp({
    baseUrl: homeserver.url,
    headers: {},
    maxInFlight: 32,
    timeoutMs: 60_000,
  });
  const prosodyHttp = createHttp({
    baseUrl: prosody.restUrl,
    headers: {},
    maxInFlight: 16,
    timeoutMs: 60_000,
    repeatAfterReset: true,
  });
  const matrix = createMatrixClient({
    http: homeserverHttp,
    asToken: appservice.asToken,
    appserviceId: appservice.id,
    now,
    onContact: (problem) => homeserverProbe.note(problem),
  });
  const xmpp = createXmppClient({
    http: prosodyHttp,
    auth: prosody.restAuth,
    onContact: (problem) => prosodyProbe.note(problem),
  });

  const homeserverCheck = createHomeserverCheck({ matrix, url: homeserver.url, newId: randomUUID, log });
  const probe = { health, log };
  const homeserverProbe = createProbe({
    ...probe,
    part: "homeserver",
    check: homeserverCheck.run,
    onRecovery: () => {
      bridge.suspectLoss();
      bridge.retryNow();
    },
  });
  const prosodyProbe = createProbe({
    ...probe,
    part: "prosody",
    onRecovery: () => bridge.retryNow(),
    check: () => checkProsody(xmpp, prosody.component, randomUUID),
  });

  const bridge = createBridge({ config, store, matrix, xmpp, log, now, version });
  const order = createArrivalOrder({ now });
  const app = express();
  app.disable("x-powered-by");
  app.use((req, _res, next) => {
    if (req.path !== callbackPath) order.ignore(req.socket);
    next();
  });
  app.use(
    callbackPath,
    callbackRoutes({
      secret: prosody.callbackSecret,
      order,
      log,
      receive: bridge.receiveStanza,
      answerIq: bridge.answerIq,
      onProsodyStart: () => {
        log.info("Prosody has loaded mod_rest");
        prosodyProbe.now();
        bridge.retryNow();
      },
    }),
  );
  app.use(
    "/_matrix",
    appserviceRoutes({
      hsToken: appservice.hsToken,
      log,
      accept: bridge.acceptTransaction,
      onPing: homeserverCheck.seen,
      onNewConnection: () => bridge.suspectLoss(),
      userExists: (userId) => bridge.userExists(userId as UserId),
    }),
  );
  app.use((_req, res) => {
    res.status(404).json({ errcode: "M_UNRECOGNIZED", error: "There is nothing here." });
  });

  let pruning: NodeJS.Timeout | undefined;
  const listeners: Listener[] = [];
  try {
    listeners.push(await listen(app, config.listen, order.watch));
    listeners.push(await listen(createAdminApp(health), config.admin));
    await store.prune(now() - memoryMs);
    pruning = setInterval(() => void store.prune(now() - memoryMs), day);
    await bridge.start();
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.stop()));
    await store.close();
    throw error;
  }
  const [port = 0, adminPort = 0] = listeners.map((listener) => listener.port);
  log.info("listening", { host: config.listen.host, port, adminPort });
  homeserverProbe.now();
  prosodyProbe.now();

  return {
    port,
    adminPort,
    async stop() {
      clearInterval(pruning);
      homeserverProbe.stop();
      prosodyProbe.stop();
      const breakOff = setTimeout(() => {
        homeserverHttp.close();
        prosodyHttp.close();
      }, finishWithinMs);
      const stopped = bridge.stop();
      await Promise.all(listeners.map((listener) => listener.stop()));
      await stopped;
      clearTimeout(breakOff);
      homeserverHttp.close();
      prosodyHttp.close();
      await store.close();
    },
  };
}
