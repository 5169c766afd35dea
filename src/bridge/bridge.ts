/** The middle, put together: all that stands between the two edges, over clients and a store that are given. */
import { randomBytes } from "node:crypto";
import type { Cluster } from "../cluster/cluster.ts";
import { loadBlocks } from "../commands/admin.ts";
import { isServiceAllowed, levelOf } from "../config/permissions.ts";
import { createDirectory } from "../gateway/directory.ts";
import type { Http } from "../http/client.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { RoomAlias, UserId } from "../matrix/ids.ts";
import type { ThirdParty } from "../matrix/third-party.ts";
import { createPush, type Push } from "../push/push.ts";
import { createIqAnswers } from "../xmpp/iq.ts";
import { NS } from "../xmpp/namespaces.ts";
import { createBotParts } from "./bot-parts.ts";
import { createBotProfile } from "./bot-profile.ts";
import { createFromMatrix } from "./from-matrix.ts";
import { createFromXmpp } from "./from-xmpp.ts";
import { createGround, type GroundDeps } from "./ground.ts";
import { createJobParts, type JobParts, type JobPartsDeps } from "./job-parts.ts";
import { createMessageParts } from "./message-parts.ts";
import { type BridgeOverview, createOverview } from "./overview.ts";
import { createPeople } from "./people.ts";
import { createPresence } from "./presence.ts";
import { createPresenceReturn } from "./presence-return.ts";
import { createReconciliation } from "./reconcile.ts";
import { createRoomParts } from "./room-parts.ts";
import { createSignals, type Signals } from "./signals.ts";
import { createThirdParty } from "./third-party.ts";
import { txnId } from "./txn-id.ts";

export interface BridgeDeps extends GroundDeps {
  /** Calls to the homeserver without any credentials. */
  homeserverHttp: Http;
  /** Of Causeway, as others are told it. */
  version: string;
  /** The parts that something is wrong with, each with what it is. */
  problems(): Record<string, string>;
  jobs: JobPartsDeps["jobs"];
  onPushedBack: JobPartsDeps["onPushedBack"];
  isLeading: JobPartsDeps["isLeading"];
  cluster: Pick<Cluster, "ask" | "caughtUp" | "processes" | "tell">;
}

export interface Bridge
  extends Omit<JobParts, "dispatcher" | "start" | "stop">,
    Pick<Signals, "takeEphemeral" | "hear"> {
  answerIq: ReturnType<typeof createIqAnswers>;
  /** Whether a user is the bot or one of the ghosts. */
  isOurs(userId: UserId): boolean;
  /** Takes what a homeserver sends to the push gateway. */
  notify: Push["notify"];
  thirdParty: ThirdParty;
  /** Whether there is such a ghost, or the bot, made now if it can be. */
  userExists(userId: UserId): Promise<boolean>;
  /** Whether the alias is one of a portal, made now if it can be. */
  aliasExists(alias: RoomAlias): Promise<boolean>;
  /** An event with a secret, of which another process has stored the rest. */
  keepSecret(event: MatrixEvent): void;
  /** Who is blocked has changed. */
  reloadBlocks(): Promise<void>;
  /** A far side has come back: what waits to be tried again is tried now. */
  retryNow(): void;
  /** The homeserver answers: what is remembered of rooms is compared with what it knows, once. */
  reconcile(): void;
  /** Prosody was started, and has forgotten what it knew before. */
  prosodyStarted(): void;
  prosodyReached(): void;
  overview: BridgeOverview;
  /** Takes in what only the process that leads knows: before `start`, or later. */
  lead(): Promise<void>;
  /** Takes up whatever an earlier run has left. */
  start(): Promise<void>;
  /** Starts nothing new and resolves when what runs is done. */
  stop(): Promise<void>;
}

export function createBridge(deps: BridgeDeps): Bridge {
  const { config, homeserverHttp, version, problems, cluster, leads, isLeading } = deps;
  const { appservice, xmpp: prosody, privacy } = config;
  const ground = createGround(deps);
  const { addresses, component, permissions, ghosts, profiles, store, matrix, xmpp } = ground;
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
    processes: () => cluster.processes(),
    signingSecret: prosody.callbackSecret,
    passOn: (event) => (leads() ? undefined : cluster.tell("lead", "secret", event)),
    onBlocks: () => cluster.tell("others", "blocks", undefined),
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
    statusEvents: config.delivery.statusEvents,
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
  const reloadBlocks = (): Promise<void> =>
    loadBlocks({ permissions, configured: config.permissions, blocks: store.blocks });
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
  const jobParts = createJobParts({
    ...ground,
    ...deps,
    fromMatrix,
    fromXmpp,
    traffic,
    presence,
    signals,
    secrets: botParts.secrets,
    mucOf: (roomId) => rooms.links.ofRoom(roomId)?.muc,
    hostOf: gateway.hostOf,
    isMuc: rooms.isMuc,
  });
  const { dispatcher } = jobParts;
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
    ...jobParts,
    answerIq: (request) => (gateway.isRoom(request.attrs.to) ? gateway : { answerIq }).answerIq(request),
    isOurs: (userId) => userId === addresses.botUserId || addresses.isGhost(userId),
    takeEphemeral(items) {
      signals.takeEphemeral(items);
      gateway.takeEphemeral(items);
    },
    hear: signals.hear,
    keepSecret: botParts.secrets.keep,
    reloadBlocks,
    notify: push.notify,
    thirdParty: createThirdParty({ ...ground, icon: botProfile.icon }),
    userExists: ghosts.exists,
    aliasExists: rooms.aliasExists,
    retryNow: () => dispatcher.retryNow(),
    reconcile: () => (isLeading() ? reconciliation.begin() : botProfile.look()),
    prosodyStarted() {
      requests.abandon();
      if (isLeading()) {
        presenceReturn.lost();
        presenceReturn.reached();
        rooms.prosodyStarted();
        botParts.prosodyReached();
        gateway.prosodyStarted();
      }
      dispatcher.retryNow();
    },
    prosodyReached() {
      if (isLeading()) {
        // COMPAT(mod_rest of 2019-12-30): does not tell of a start, so after each absence there may have been one.
        if (prosody.restAuth === undefined) presenceReturn.lost();
        presenceReturn.reached();
        rooms.prosodyReached();
        botParts.prosodyReached();
      }
      dispatcher.retryNow();
    },
    overview: createOverview({ ...ground, links: () => rooms.links, dispatcher }),
    async lead() {
      await roomParts.start();
      await botParts.start();
    },
    async start() {
      if (!leads()) await reloadBlocks();
      await jobParts.start();
    },
    async stop() {
      botParts.stop();
      signals.stop();
      await reconciliation.stop();
      await presenceReturn.stop();
      await roomParts.stop();
      await jobParts.stop();
    },
  };
}
