/** The middle, put together: all that stands between the two edges, over clients and a store that are given. */
import { randomBytes, randomUUID } from "node:crypto";
import { createNotifyCommands } from "../commands/notify.ts";
import { createStatusCommands } from "../commands/status.ts";
import { createWhois } from "../commands/whois.ts";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Http } from "../http/client.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import { createAddresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { ThirdParty } from "../matrix/third-party.ts";
import type { Media } from "../media/media.ts";
import type { Log } from "../ops/log.ts";
import { createPush, type Push } from "../push/push.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { createIqAnswers } from "../xmpp/iq.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { createAvatars } from "./avatars.ts";
import { createBotParts } from "./bot-parts.ts";
import { createBotProfile } from "./bot-profile.ts";
import { createCatchUp } from "./catch-up.ts";
import { createDirectRooms } from "./direct-rooms.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createFromMatrix } from "./from-matrix.ts";
import { createFromXmpp } from "./from-xmpp.ts";
import { createGhosts } from "./ghosts.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createMatrixProfiles } from "./matrix-profiles.ts";
import { createMessageParts } from "./message-parts.ts";
import { createPeople } from "./people.ts";
import { createPresence } from "./presence.ts";
import { createPresenceReturn } from "./presence-return.ts";
import { createReconciliation } from "./reconcile.ts";
import { createSignals, type Signals } from "./signals.ts";
import { createFollowUps } from "./tell.ts";
import { createThirdParty } from "./third-party.ts";
import { sha256, txnId } from "./txn-id.ts";

export interface BridgeDeps {
  config: Config;
  store: Store;
  matrix: MatrixClient;
  media: Media;
  /** Calls to the homeserver without any credentials. */
  homeserverHttp: Http;
  xmpp: XmppClient;
  /** IQs to XMPP users and servers. */
  requests: IqRequests;
  log: Log;
  /** Unix time in milliseconds. */
  now: () => number;
  /** Of Causeway, as others are told it. */
  version: string;
  /** The parts that something is wrong with, each with what it is. */
  problems(): Record<string, string>;
}

export interface Bridge
  extends Pick<Inbox, "acceptTransaction" | "receiveStanza">,
    Pick<Signals, "takeEphemeral"> {
  answerIq: ReturnType<typeof createIqAnswers>;
  /** Whether a user is the bot or one of the ghosts. */
  isOurs(userId: UserId): boolean;
  /** Takes what a homeserver sends to the push gateway. */
  notify: Push["notify"];
  thirdParty: ThirdParty;
  /** Whether there is such a ghost, or the bot, made now if it can be. */
  userExists(userId: UserId): Promise<boolean>;
  /** Events may have been lost on their way here, as after each outage of the homeserver. */
  suspectLoss(isSure?: boolean): void;
  /** A far side has come back: what waits to be tried again is tried now. */
  retryNow(): void;
  /** The homeserver answers: what is remembered of rooms is compared with what it knows, once. */
  reconcile(): void;
  /** Prosody was started, and has forgotten what it knew before. */
  prosodyStarted(): void;
  prosodyReached(): void;
  /** Takes up whatever an earlier run has left. */
  start(): Promise<void>;
  /** Starts nothing new and resolves when what runs is done. */
  stop(): Promise<void>;
}

export function createBridge(deps: BridgeDeps): Bridge {
  const { config, store, matrix, media, homeserverHttp, xmpp, requests, log, now, version, problems } = deps;
  const { homeserver, appservice, xmpp: prosody, permissions, delivery } = config;
  const startedAt = now();
  const addresses = createAddresses({
    homeserverDomain: homeserver.domain,
    component: prosody.component,
    userPrefix: appservice.userPrefix,
    digest: (text) => sha256(text).digest("hex"),
  });

  const profiles = createMatrixProfiles({ homeserverDomain: homeserver.domain, matrix });
  const { of: profileOf } = profiles;

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

  const push = createPush({
    permissions,
    bridgeJid,
    gatewayUrl: `${config.publicUrl}/_matrix/push/v1/notify`,
    store,
    xmpp,
    homeserver: homeserverHttp,
    async showPresence(jid) {
      const subscriber = { userId: addresses.botUserId, jid };
      if (await store.subscribers.has(subscriber.userId, jid)) await presence.announce(subscriber);
    },
    stanzaId: txnId,
    randomBytes,
    newId: randomUUID,
    now,
    log,
  });
  const { bot, botRooms, adHoc, secrets } = createBotParts({
    commands: [
      createWhois({
        addresses,
        component: bridgeJid,
        homeserverDomain: homeserver.domain,
        jidOfGhost: ghosts.jidOf,
        profileOf,
        ask: (to, payload) => requests.request({ from: bridgeJid, to, payload, timeoutSeconds: 5 }),
      }),
      ...createNotifyCommands({ push, homeserverDomain: homeserver.domain }),
      ...createStatusCommands({ problems, parked: store.lanes.parked, now }),
    ],
    addresses,
    component: bridgeJid,
    permissions,
    signingSecret: prosody.callbackSecret,
    directRooms,
    store: store.botRooms,
    matrix,
    xmpp,
    txnId,
    newId: randomUUID,
    log,
  });
  const avatars = createAvatars({ url: homeserver.url, asToken: appservice.asToken });
  const botProfile = createBotProfile({ bot: addresses.botUserId, matrix, avatars });
  const reconciliation = createReconciliation({
    completeBot: botProfile.complete,
    addresses,
    directory: { appserviceId: appservice.id, networkId: "xmpp" },
    store: store.directRooms,
    directRooms,
    botRooms,
    matrix,
    log,
  });

  const people = createPeople({
    addresses,
    bridgeJid,
    homeserverDomain: homeserver.domain,
    matrix,
    profileOf,
    searches: createRateLimit({ points: 20, seconds: 60 }),
    log,
  });
  const shared = { addresses, permissions, directRooms, bot, botRooms, matrix, media, xmpp, txnId, log };
  const signals = createSignals({
    ...shared,
    privacy: config.privacy,
    statusEvents: delivery.statusEvents,
    profiles,
    photoOf: people.photoOf,
    requests,
    store,
    avatars,
    now,
  });
  const { toXmpp, toMatrix, changes } = createMessageParts({
    ...shared,
    store,
    xhtmlIm: prosody.xhtmlIm,
    profileOf,
    now,
  });
  const fromMatrix = createFromMatrix({ ...shared, ghosts, toXmpp, xmpp: { ...xmpp, send: signals.send } });
  const fromXmpp = createFromXmpp({
    ...shared,
    toMatrix,
    changes,
    component: prosody.component,
    onOwnError: push.refused,
    now,
  });
  const presence = createPresence({
    addresses,
    bridgeJid,
    permits: (jid) => levelOf(permissions, jid) !== "block",
    userExists: async (userId) => (await profileOf(userId)) !== undefined,
    subscribers: store.subscribers,
    presenceOf: signals.presenceOf,
    asksBack: config.privacy.presence,
    onHidden: signals.forgetPresence,
    statusOf: push.statusOf,
    xmpp,
    log,
  });
  const presenceReturn = createPresenceReturn({
    subscribers: store.subscribers,
    isThere: async (userId) => userId === addresses.botUserId || profiles.isThere(userId),
    announce: presence.announce,
    log,
  });
  const onStored = (lanes: string[]) => dispatcher.wake(lanes);
  const catchUp = createCatchUp({ ...store, newId: randomUUID, now, onStored, log });
  const inbox = createInbox({
    store,
    fromMatrix,
    fromXmpp,
    presence,
    signals,
    secrets,
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
  const answerIq = createIqAnswers({
    ...people,
    permits: (from) => levelOf(permissions, from) !== "block",
    contact: prosody.contact,
    version,
    now,
    startedAt,
    handlers: { [`${NS.commands} command`]: adHoc.answer },
    features: [NS.commands],
    discover: adHoc.discover,
  });

  return {
    acceptTransaction: inbox.acceptTransaction,
    receiveStanza: inbox.receiveStanza,
    answerIq,
    isOurs: (userId) => userId === addresses.botUserId || addresses.isGhost(userId),
    takeEphemeral: signals.takeEphemeral,
    notify: push.notify,
    thirdParty: createThirdParty({
      addresses,
      component: prosody.component,
      ghosts,
      icon: botProfile.icon,
    }),
    userExists: ghosts.exists,
    suspectLoss: catchUp.suspect,
    retryNow: () => dispatcher.retryNow(),
    reconcile: () => reconciliation.begin(),
    prosodyStarted() {
      requests.abandon();
      presenceReturn.lost();
      presenceReturn.reached();
      dispatcher.retryNow();
    },
    prosodyReached() {
      // COMPAT(mod_rest of 2019-12-30): does not tell of a start, so after each absence there may have been one.
      if (prosody.restAuth === undefined) presenceReturn.lost();
      presenceReturn.reached();
      dispatcher.retryNow();
    },
    start: () => dispatcher.start(),
    async stop() {
      signals.stop();
      catchUp.stop();
      await reconciliation.stop();
      await presenceReturn.stop();
      await dispatcher.stop();
    },
  };
}
