/** The middle, put together: all that stands between the two edges, over clients and a store that are given. */
import { randomBytes } from "node:crypto";
import { isServiceAllowed, levelOf } from "../config/permissions.ts";
import { createDirectory } from "../gateway/directory.ts";
import type { Http } from "../http/client.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { RoomAlias, UserId } from "../matrix/ids.ts";
import type { ThirdParty } from "../matrix/third-party.ts";
import { createPush, type Push } from "../push/push.ts";
import { createIqAnswers } from "../xmpp/iq.ts";
import { NS } from "../xmpp/namespaces.ts";
import { createBotParts } from "./bot-parts.ts";
import { createBotProfile } from "./bot-profile.ts";
import { createCatchUp } from "./catch-up.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createFromMatrix } from "./from-matrix.ts";
import { createFromXmpp } from "./from-xmpp.ts";
import { createGround, type GroundDeps } from "./ground.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import type { JobOutcomes } from "./job-outcomes.ts";
import { createMessageParts } from "./message-parts.ts";
import { type BridgeOverview, createOverview } from "./overview.ts";
import { createPeople } from "./people.ts";
import { createPresence } from "./presence.ts";
import { createPresenceReturn } from "./presence-return.ts";
import { createPushback, type PushbackDeps } from "./pushback.ts";
import { createReconciliation } from "./reconcile.ts";
import { createRoomParts } from "./room-parts.ts";
import { createSignals, type Signals } from "./signals.ts";
import { createFollowUps } from "./tell.ts";
import { createThirdParty } from "./third-party.ts";
import { txnId } from "./txn-id.ts";

export interface BridgeDeps extends GroundDeps {
  /** Calls to the homeserver without any credentials. */
  homeserverHttp: Http;
  /** Of Causeway, as others are told it. */
  version: string;
  /** The parts that something is wrong with, each with what it is. */
  problems(): Record<string, string>;
  jobs: Pick<JobOutcomes, "run" | "over" | "retried">;
  onPushedBack: PushbackDeps["onRefused"];
}

export interface Bridge
  extends Pick<Inbox, "acceptTransaction" | "receiveStanza">,
    Pick<Signals, "takeEphemeral"> {
  answerIq: ReturnType<typeof createIqAnswers>;
  /** Whether there is room for more of what the homeserver hands over. */
  takesTransaction(): boolean;
  /** Whether a user is the bot or one of the ghosts. */
  isOurs(userId: UserId): boolean;
  /** Takes what a homeserver sends to the push gateway. */
  notify: Push["notify"];
  thirdParty: ThirdParty;
  /** Whether there is such a ghost, or the bot, made now if it can be. */
  userExists(userId: UserId): Promise<boolean>;
  /** Whether the alias is one of a portal, made now if it can be. */
  aliasExists(alias: RoomAlias): Promise<boolean>;
  /** Events may have been lost on their way here, as after each outage of the homeserver. */
  suspectLoss(isSure?: boolean): void;
  /** A far side has come back: what waits to be tried again is tried now. */
  retryNow(): void;
  /** The homeserver answers: what is remembered of rooms is compared with what it knows, once. */
  reconcile(): void;
  /** Prosody was started, and has forgotten what it knew before. */
  prosodyStarted(): void;
  prosodyReached(): void;
  overview: BridgeOverview;
  /** Takes up whatever an earlier run has left. */
  start(): Promise<void>;
  /** Starts nothing new and resolves when what runs is done. */
  stop(): Promise<void>;
}

export function createBridge(deps: BridgeDeps): Bridge {
  const { config, homeserverHttp, version, problems, jobs } = deps;
  const { appservice, xmpp: prosody, delivery, privacy } = config;
  const ground = createGround(deps);
  const { addresses, component, permissions, directRooms, ghosts, profiles, store, matrix, xmpp } = ground;
  const { requests, newId, now, log } = ground;
  const startedAt = now();

  const push = createPush({
    ...ground,
    bridgeJid: component,
    gatewayUrl: `${config.publicUrl}/_matrix/push/v1/notify`,
    homeserver: homeserverHttp,
    async showPresence(jid) {
      const subscriber = { userId: addresses.botUserId, jid };
      if (await store.subscribers.has(subscriber.userId, jid)) await presence.announce(subscriber);
    },
    stanzaId: txnId,
    randomBytes,
  });
  const people = createPeople({
    ...ground,
    bridgeJid: component,
    searches: createRateLimit({ points: 20, seconds: 60 }),
  });
  const botParts = createBotParts({
    ...ground,
    config,
    push,
    rooms: () => roomParts.rooms,
    gateway: () => roomParts.gateway,
    searchUsers: people.search,
    problems,
    signingSecret: prosody.callbackSecret,
    wake: (lanes) => dispatcher.wake(lanes),
    retryNow: () => dispatcher.retryNow(),
    newId,
    newCode: () => randomBytes(4).toString("hex").slice(0, 6).toUpperCase(),
  });
  const { bot, botRooms } = botParts;
  const botProfile = createBotProfile({ ...ground, bot: addresses.botUserId });
  const reconciliation = createReconciliation({
    ...ground,
    completeBot: botProfile.complete,
    directory: { appserviceId: appservice.id, networkId: "xmpp" },
    store: store.directRooms,
    botRooms,
  });

  const signals = createSignals({
    ...ground,
    privacy,
    statusEvents: delivery.statusEvents,
    photoOf: people.photoOf,
  });
  const messages = createMessageParts({ ...ground, xhtmlIm: prosody.xhtmlIm });
  const fromXmpp = createFromXmpp({ ...ground, ...messages, bot, onOwnError: push.refused });
  const roomParts = createRoomParts({
    ...ground,
    ...people,
    ...fromXmpp,
    config: config.rooms,
    messages,
    writeDirect: fromXmpp.handle,
    answerOwn: (request) => answerIq(request),
    showsTyping: privacy.typing,
  });
  const { rooms, gateway } = roomParts;
  const traffic = [botParts.mucCommands, ...roomParts.traffic];
  const fromMatrix = createFromMatrix({
    ...ground,
    ...messages,
    bot,
    botRooms,
    traffic,
    wayToOccupant: rooms.wayToOccupant,
    onInvitedAmongOthers: gateway.onGhostInvited,
    xmpp: { ...xmpp, send: signals.send },
  });
  const permits = (jid: string): boolean => levelOf(permissions, jid) !== "block";
  const presence = createPresence({
    ...ground,
    bridgeJid: component,
    permits,
    userExists: async (userId) => (await profiles.of(userId)) !== undefined,
    subscribers: store.subscribers,
    presenceOf: signals.presenceOf,
    asksBack: privacy.presence,
    onHidden: signals.forgetPresence,
    statusOf: push.statusOf,
  });
  const presenceReturn = createPresenceReturn({
    subscribers: store.subscribers,
    isThere: async (userId) => userId === addresses.botUserId || profiles.isThere(userId),
    announce: presence.announce,
    log,
  });
  const catchUp = createCatchUp({
    ...store,
    newId,
    now,
    onBegin: () => ground.roomStates.doubt(),
    log,
  });
  const pushback = createPushback({
    lanes: store.lanes,
    ...config.queue,
    onRefused: deps.onPushedBack,
    log,
  });
  const inbox = createInbox({
    ...ground,
    pushback,
    fromMatrix,
    fromXmpp,
    traffic,
    presence,
    signals,
    secrets: botParts.secrets,
    catchUp,
  });
  const dispatcher = createDispatcher({
    lanes: store.lanes,
    handle: (job, mayRepeat) => jobs.run(job, () => inbox.handle(job, mayRepeat)),
    onDone: jobs.over,
    onRetry: jobs.retried,
    followUps: createFollowUps({
      addresses,
      directRooms,
      mucOf: (roomId) => rooms.links.ofRoom(roomId)?.muc,
      hostOf: gateway.hostOf,
      isMuc: rooms.isMuc,
    }),
    log,
    now,
    random: Math.random,
    giveUpAfterMs: delivery.giveUpAfterHours * 60 * 60 * 1000,
    maxConcurrentLanes: delivery.maxConcurrentLanes,
  });
  const directory = createDirectory({
    addresses,
    matrix,
    permits: gateway.permits,
    allowsServer: (server) => isServiceAllowed(config.rooms.homeservers, server),
    isLinked: rooms.isLinked,
  });
  const answerIq = createIqAnswers({
    ...people,
    search: directory.withRooms(people.search),
    rooms: directory.rooms,
    permits,
    contact: prosody.contact,
    version,
    now,
    startedAt,
    handlers: { [`${NS.commands} command`]: botParts.adHoc.answer },
    features: [NS.commands],
    discover: botParts.adHoc.discover,
  });

  return {
    acceptTransaction: inbox.acceptTransaction,
    receiveStanza: inbox.receiveStanza,
    takesTransaction: pushback.takesTransaction,
    answerIq: (request) => (gateway.isRoom(request.attrs.to) ? gateway : { answerIq }).answerIq(request),
    isOurs: (userId) => userId === addresses.botUserId || addresses.isGhost(userId),
    takeEphemeral(items) {
      signals.takeEphemeral(items);
      gateway.takeEphemeral(items);
    },
    notify: push.notify,
    thirdParty: createThirdParty({ ...ground, icon: botProfile.icon }),
    userExists: ghosts.exists,
    aliasExists: rooms.aliasExists,
    suspectLoss: catchUp.suspect,
    retryNow: () => dispatcher.retryNow(),
    reconcile: () => reconciliation.begin(),
    prosodyStarted() {
      requests.abandon();
      presenceReturn.lost();
      presenceReturn.reached();
      rooms.prosodyStarted();
      botParts.prosodyReached();
      gateway.prosodyStarted();
      dispatcher.retryNow();
    },
    prosodyReached() {
      // COMPAT(mod_rest of 2019-12-30): does not tell of a start, so after each absence there may have been one.
      if (prosody.restAuth === undefined) presenceReturn.lost();
      presenceReturn.reached();
      rooms.prosodyReached();
      botParts.prosodyReached();
      dispatcher.retryNow();
    },
    overview: createOverview({ ...ground, links: () => rooms.links, dispatcher }),
    async start() {
      await pushback.start();
      await roomParts.start();
      await botParts.start();
      await dispatcher.start();
    },
    async stop() {
      botParts.stop();
      signals.stop();
      catchUp.stop();
      pushback.stop();
      await reconciliation.stop();
      await presenceReturn.stop();
      await roomParts.stop();
      await dispatcher.stop();
    },
  };
}
