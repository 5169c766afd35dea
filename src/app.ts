/** The composition root: the only place that knows all parts and puts them together. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createBridge } from "./bridge/bridge.ts";
import { createHomeserverCheck, createProsodyCheck } from "./bridge/checks.ts";
import { createJobOutcomes } from "./bridge/job-outcomes.ts";
import { createSeal, sealCluster } from "./bridge/sealed.ts";
import { createSideBySide } from "./bridge/side-by-side.ts";
import { createStrays } from "./bridge/strays.ts";
import { callbackPath } from "./config/prosody.ts";
import type { Config } from "./config/schema.ts";
import { createFarSides } from "./far-sides.ts";
import { createPublicApp } from "./http/public-app.ts";
import { type Listener, listen } from "./http/server.ts";
import { createStrangers } from "./http/strangers.ts";
import { appserviceRoutes } from "./matrix/appservice.ts";
import { slowStrangers } from "./matrix/homeserver-token.ts";
import { standardErrors, unknownEndpoint } from "./matrix/http-api.ts";
import type { RoomAlias, UserId } from "./matrix/ids.ts";
import { pushGatewayRoutes } from "./matrix/push-gateway.ts";
import { mediaPath } from "./media/links.ts";
import { createMedia } from "./media/media.ts";
import { openStore } from "./open-store.ts";
import { createAdminApp, createHealth, wholeProcess } from "./ops/health.ts";
import { unlessAborted } from "./ops/lifecycle.ts";
import type { Log } from "./ops/log.ts";
import { createMetrics } from "./ops/metrics.ts";
import { metricsRoutes } from "./ops/metrics-routes.ts";
import { createProbe } from "./ops/probe.ts";
import { statusRoutes } from "./ops/status/routes.ts";
import { createThroughput, isMessage } from "./ops/throughput.ts";
import { createArrivalOrder } from "./xmpp/arrival-order.ts";
import { callbackRoutes } from "./xmpp/callback.ts";
import { createIqRequests } from "./xmpp/requests.ts";
import { type Element, parseStanza, serialize } from "./xmpp/stanza.ts";

export interface AppDeps {
  config: Config;
  log: Log;
  /** Unix time in milliseconds. */
  clock: () => number;
  /** Aborted when it is to stop before it has started. */
  givenUp?: AbortSignal;
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
/** How long replies, edits and the like find their message without asking the homeserver. */
const messagesMs = 365 * day;
const [finishWithinMs, reportMs] = [5000, 1000];

/** An error with a body would be sent on as an empty message (docs/servers.md, "Callbacks of mod_rest"). */
const isCallback = (path: string): boolean => path.startsWith(callbackPath);

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** The parts of which health tells. */
const parts = ["homeserver", "prosody", "database"];

/** @throws Error if the database or a port cannot be had, and where it is given up. */
export async function startApp({ config, log, clock: now, givenUp }: AppDeps): Promise<App> {
  const { homeserver, appservice, xmpp: prosody } = config;
  const health = createHealth();
  health.set(wholeProcess, "it is starting");
  const metrics = createMetrics({
    version,
    parts,
    problems: health.problems,
    readings: () => bridge.overview.counts(),
    lanes: () => bridge.overview.states(),
    iqsOutstanding: () => requests.outstanding(),
    cluster: { isLead: () => cluster.isLead(), processes: () => cluster.processes() },
  });
  const throughput = createThroughput(() => performance.now());
  const jobs = createJobOutcomes({
    onDone(done) {
      metrics.done(done);
      if (isMessage(done)) throughput.count(done.direction);
    },
    onRetry: metrics.retried,
    now,
  });
  const { store, cluster: open } = await openStore({
    database: config.database,
    installation: { homeserver: homeserver.domain, component: prosody.component },
    version,
    now,
    log,
    onCommit(problem, { seconds, isDurable }) {
      health.set("database", problem);
      metrics.committed(seconds, isDurable);
    },
    onHeartbeat(problem) {
      health.set("database", problem);
      if (problem !== undefined) bridge.databaseLost();
    },
  });
  const cluster = sealCluster(open, createSeal(appservice.asToken));
  const strays = createStrays({ cluster, newId: randomUUID, log });
  const farSides = createFarSides({
    config,
    metrics,
    jobs,
    now,
    onContact: (part, problem) => (part === "homeserver" ? homeserverProbe : prosodyProbe).note(problem),
  });
  const { homeserverHttp, matrix, xmpp, xmppForIqs } = farSides;
  const requests = createIqRequests({ xmpp: xmppForIqs, component: prosody.component, newId: strays.newId });

  const homeserverCheck = createHomeserverCheck({ matrix, url: homeserver.url, newId: strays.newId, log });
  const prosodyCheck = createProsodyCheck({
    xmpp: xmppForIqs,
    component: prosody.component,
    hasCredentials: prosody.restAuth !== undefined,
    newId: strays.newId,
  });
  const probe = { health, log };
  const homeserverProbe = createProbe({
    ...probe,
    part: "homeserver",
    check: homeserverCheck.run,
    onRecovery: () => bridge.homeserverReached(),
  });
  const prosodyProbe = createProbe({
    ...probe,
    part: "prosody",
    onRecovery: () => bridge.prosodyReached(),
    check: prosodyCheck.run,
  });

  const { media, routes: mediaRoutes } = createMedia({
    ...config.media,
    homeserver: { url: homeserver.url, asToken: appservice.asToken },
    publicUrl: config.publicUrl,
    secrets: [appservice.asToken, appservice.hsToken, prosody.callbackSecret],
    now,
    log,
  });

  const bridge = createSideBySide({
    cluster,
    component: prosody.component,
    makeBridge: (role) =>
      createBridge({
        ...role,
        config,
        store,
        matrix,
        media,
        homeserverHttp,
        xmpp,
        requests,
        log,
        now,
        version,
        problems: health.problems,
        jobs,
        onPushedBack: metrics.pushedBack,
      }),
    problems: health.problems,
    answers: {
      iqAnswer: async (text) => requests.settle(parseStanza(String(text))),
      homeserverPing: async (id) => homeserverCheck.seen(String(id)),
      prosodyMessage: async (text) => void prosodyCheck.seen(parseStanza(String(text))),
    },
    stopWithinMs: finishWithinMs,
    onLead: () => prune(),
    now,
    log,
  });
  const isOthersCheck = (stanza: Element): boolean =>
    stanza.attrs.from === prosody.component &&
    strays.passOn(stanza.attrs.id, "prosodyMessage", () => serialize(stanza));
  const order = createArrivalOrder({
    now: () => performance.now(),
    onTurn: metrics.callback,
    onPassedOver: metrics.passedOver,
  });
  const strangers = createStrangers(log, metrics.strangerRefused);
  const app = createPublicApp(config.listen.trustedProxies ?? []);
  app.use((req, _res, next) => {
    if (req.path !== callbackPath) order.ignore(req.socket);
    next();
  });
  app.use(
    callbackPath,
    callbackRoutes({
      secret: prosody.callbackSecret,
      order,
      strangers,
      log,
      receive: async (stanza) =>
        prosodyCheck.seen(stanza) || isOthersCheck(stanza) ? undefined : bridge.receiveStanza(stanza),
      answerIq: bridge.answerIq,
      onIqAnswer(answer) {
        if (!strays.passOn(answer.attrs.id, "iqAnswer", () => serialize(answer))) requests.settle(answer);
      },
      onProsodyStart: () => {
        log.info("Prosody has loaded mod_rest");
        prosodyProbe.now();
        bridge.prosodyStarted();
      },
    }),
  );
  app.use("/_matrix/push", pushGatewayRoutes({ log, notify: bridge.notify }));
  app.use(mediaPath, mediaRoutes);
  app.use(slowStrangers({ hsToken: appservice.hsToken, strangers }));
  app.use(
    appserviceRoutes({
      hsToken: appservice.hsToken,
      log,
      isOurs: bridge.isOurs,
      accept: bridge.acceptTransaction,
      takesTransaction: bridge.takesTransaction,
      onEphemeral: bridge.takeEphemeral,
      onPing(id) {
        if (!strays.passOn(id, "homeserverPing", () => id)) homeserverCheck.seen(id);
      },
      onNewConnection: () => bridge.suspectLoss(),
      userExists: (userId) => bridge.userExists(userId as UserId),
      aliasExists: (alias) => bridge.aliasExists(alias as RoomAlias),
      thirdParty: bridge.thirdParty,
      now,
    }),
  );
  app.use(unknownEndpoint);
  app.use(standardErrors(log));

  const admin = createAdminApp(
    health,
    metricsRoutes(metrics, log),
    statusRoutes({
      token: config.admin.token,
      version,
      parts,
      problems: health.problems,
      throughput,
      overview: bridge.overview,
      cluster,
      now,
      log,
    }),
  );

  const report = (): void => {
    const [lanes, rates] = [bridge.overview.states(), throughput.read()];
    cluster.report({ ...lanes, toMatrix: rates.to_matrix.lastMinute, toXmpp: rates.to_xmpp.lastMinute });
  };
  const prune = (): void => {
    if (!cluster.isLead()) return;
    store
      .prune(now() - memoryMs, now() - messagesMs)
      .catch((error) => log.warn("what is old could not be forgotten, and will be tomorrow", { error }));
  };
  const repeated = [setInterval(report, reportMs), setInterval(prune, day)];
  const listeners: Listener[] = [];
  try {
    listeners.push(await listen(app, { ...config.listen, prepare: order.watch, isBodiless: isCallback }));
    listeners.push(await listen(admin, config.admin));
    await unlessAborted(bridge.start(), givenUp);
    health.set(wholeProcess, undefined);
  } catch (error) {
    repeated.forEach(clearInterval);
    // Requests that wait for the start end with it.
    await cluster.stop();
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
      health.set(wholeProcess, "it is stopping");
      repeated.forEach(clearInterval);
      homeserverProbe.stop();
      prosodyProbe.stop();
      const breakOff = setTimeout(() => {
        media.close();
        farSides.close();
        void cluster.stop();
      }, finishWithinMs);
      requests.close();
      const stopped = bridge.stop();
      await Promise.all(listeners.map((listener) => listener.stop()));
      await stopped;
      clearTimeout(breakOff);
      farSides.close();
      await cluster.stop();
      await store.close();
    },
  };
}
