/** The composition root: the only place that knows all parts and puts them together. */
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import express from "express";
import { LRUCache } from "lru-cache";
import { createCatchUp } from "./bridge/catch-up.ts";
import { checkProsody, createHomeserverCheck } from "./bridge/checks.ts";
import { createDirectRooms } from "./bridge/direct-rooms.ts";
import { createDispatcher } from "./bridge/dispatcher.ts";
import { createFromMatrix } from "./bridge/from-matrix.ts";
import { createFromXmpp } from "./bridge/from-xmpp.ts";
import { createGhosts } from "./bridge/ghosts.ts";
import { createInbox } from "./bridge/inbox.ts";
import { createPresence } from "./bridge/presence.ts";
import { createFollowUps } from "./bridge/tell.ts";
import { sqlitePathOf } from "./config/load.ts";
import { callbackPath } from "./config/prosody.ts";
import type { Config } from "./config/schema.ts";
import { createHttp } from "./http/client.ts";
import { type Listener, listen } from "./http/server.ts";
import { createAddresses } from "./mapping/addresses.ts";
import { appserviceRoutes } from "./matrix/appservice.ts";
import { createMatrixClient, type Profile } from "./matrix/client.ts";
import { domainOf, type UserId } from "./matrix/ids.ts";
import { createAdminApp, createHealth } from "./ops/health.ts";
import type { Log } from "./ops/log.ts";
import { createProbe } from "./ops/probe.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import { createArrivalOrder } from "./xmpp/arrival-order.ts";
import { callbackRoutes } from "./xmpp/callback.ts";
import { createXmppClient } from "./xmpp/client.ts";
import { createIqAnswers } from "./xmpp/iq.ts";
import { type BareJid, bareOf, type Jid } from "./xmpp/jid.ts";

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

const sha256 = (text: string) => createHash("sha256").update(text);
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** @throws Error if the database or a port cannot be had. */
export async function startApp({ config, log, clock: now }: AppDeps): Promise<App> {
  const { homeserver, appservice, xmpp: prosody, permissions, delivery } = config;
  const startedAt = now();
  const health = createHealth();
  const store = openSqliteStore({
    path: sqlitePathOf(config.database),
    now,
    onCommit: (problem) => health.set("database", problem),
  });
  const addresses = createAddresses({
    homeserverDomain: homeserver.domain,
    component: prosody.component,
    userPrefix: appservice.userPrefix,
    digest: (text) => sha256(text).digest("hex"),
  });
  // Synapse takes one transaction ID by two ghosts for one and the same, so the ghost is part of it.
  const txnId = (cause: string, part: string): string => sha256(`${cause}\n${part}`).digest("base64url");

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
      catchUp.suspect();
      dispatcher.retryNow();
    },
  });
  const prosodyProbe = createProbe({
    ...probe,
    part: "prosody",
    onRecovery: () => dispatcher.retryNow(),
    check: () => checkProsody(xmpp, prosody.component, randomUUID),
  });

  const profiles = new LRUCache<UserId, { profile: Profile | undefined }>({ max: 1000, ttl: 60_000 });
  const profileOf = async (userId: UserId): Promise<Profile | undefined> => {
    const known = profiles.get(userId);
    if (known) return known.profile;
    // Other homeservers may keep profiles to themselves, so there only a message will tell.
    const ours = domainOf(userId) === homeserver.domain;
    const profile = ours ? await matrix.profile(userId) : { displayName: undefined };
    profiles.set(userId, { profile });
    return profile;
  };

  const bridgeJid = prosody.component as BareJid;
  const ghosts = createGhosts({ addresses, component: bridgeJid, matrix, store: store.ghosts });
  const directRooms = createDirectRooms({
    addresses,
    homeserverDomain: homeserver.domain,
    ghosts,
    matrix,
    store: store.directRooms,
    log,
  });
  const shared = { addresses, permissions, directRooms, matrix, xmpp, txnId, log };
  const fromMatrix = createFromMatrix({ ...shared, ghosts });
  const fromXmpp = createFromXmpp({ ...shared, component: prosody.component });
  const presence = createPresence({
    addresses,
    bridgeJid,
    userExists: async (userId) => (await profileOf(userId)) !== undefined,
    subscribers: store.subscribers,
    xmpp,
    log,
  });
  const onStored = (lanes: string[]) => dispatcher.wake(lanes);
  const catchUp = createCatchUp({ ...store, newId: randomUUID, now, onStored, log });
  const inbox = createInbox({
    store,
    fromMatrix,
    fromXmpp,
    presence,
    xmpp,
    catchUp,
    onStored,
    newId: randomUUID,
    log,
  });
  const dispatcher = createDispatcher({
    lanes: store.lanes,
    handle: inbox.handle,
    followUps: createFollowUps({ addresses, directRooms }),
    log,
    now,
    random: Math.random,
    giveUpAfterMs: delivery.giveUpAfterHours * 60 * 60 * 1000,
    maxConcurrentLanes: delivery.maxConcurrentLanes,
  });

  const order = createArrivalOrder({ now });
  const answerIq = createIqAnswers({
    version,
    now,
    startedAt,
    async lookUp(to) {
      const jid = bareOf(to as Jid);
      if (jid === bridgeJid) return { kind: "bridge" };
      const userId = addresses.userOfJid(jid);
      const profile = userId && (await profileOf(userId));
      if (!userId || !profile) return undefined;
      return { kind: "user", jid, name: profile.displayName ?? userId, uri: `https://matrix.to/#/${userId}` };
    },
  });

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
      receive: inbox.receiveStanza,
      answerIq,
      onProsodyStart: () => {
        log.info("Prosody has loaded mod_rest");
        prosodyProbe.now();
        dispatcher.retryNow();
      },
    }),
  );
  app.use(
    "/_matrix",
    appserviceRoutes({
      hsToken: appservice.hsToken,
      log,
      accept: inbox.acceptTransaction,
      onPing: homeserverCheck.seen,
      onNewConnection: () => catchUp.suspect(),
      userExists: async (userId) => {
        const jid = await ghosts.jidOf(userId as UserId);
        if (jid) await ghosts.ensure(jid);
        return jid !== undefined;
      },
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
    await dispatcher.start();
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
      catchUp.stop();
      homeserverProbe.stop();
      prosodyProbe.stop();
      const breakOff = setTimeout(() => {
        homeserverHttp.close();
        prosodyHttp.close();
      }, finishWithinMs);
      const stopped = dispatcher.stop();
      await Promise.all(listeners.map((listener) => listener.stop()));
      await stopped;
      clearTimeout(breakOff);
      homeserverHttp.close();
      prosodyHttp.close();
      await store.close();
    },
  };
}
