/** The middle, put together: all that stands between the two edges, over clients and a store that are given. */
import { createHash, randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Config } from "../config/schema.ts";
import { createAddresses } from "../mapping/addresses.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { domainOf, type UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { createIqAnswers } from "../xmpp/iq.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import { createCatchUp } from "./catch-up.ts";
import { createDirectRooms } from "./direct-rooms.ts";
import { createDispatcher } from "./dispatcher.ts";
import { createFromMatrix } from "./from-matrix.ts";
import { createFromXmpp } from "./from-xmpp.ts";
import { createGhosts } from "./ghosts.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createPresence } from "./presence.ts";
import { createFollowUps } from "./tell.ts";

export interface BridgeDeps {
  config: Config;
  store: Store;
  matrix: MatrixClient;
  xmpp: XmppClient;
  log: Log;
  /** Unix time in milliseconds. */
  now: () => number;
  /** Of Causeway, as others are told it. */
  version: string;
}

export interface Bridge extends Pick<Inbox, "acceptTransaction" | "receiveStanza"> {
  answerIq: ReturnType<typeof createIqAnswers>;
  /** Whether there is such a ghost, made now if it can be. */
  userExists(userId: UserId): Promise<boolean>;
  /** Events may have been lost on their way here. */
  suspectLoss(): void;
  /** A far side has come back: what waits to be tried again is tried now. */
  retryNow(): void;
  /** Takes up whatever an earlier run has left. */
  start(): Promise<void>;
  /** Starts nothing new and resolves when what runs is done. */
  stop(): Promise<void>;
}

const sha256 = (text: string) => createHash("sha256").update(text);
// Synapse takes one transaction ID by two ghosts for one and the same, so the ghost is part of it.
const txnId = (cause: string, part: string): string => sha256(`${cause}\n${part}`).digest("base64url");

export function createBridge({ config, store, matrix, xmpp, log, now, version }: BridgeDeps): Bridge {
  const { homeserver, appservice, xmpp: prosody, permissions, delivery } = config;
  const startedAt = now();
  const addresses = createAddresses({
    homeserverDomain: homeserver.domain,
    component: prosody.component,
    userPrefix: appservice.userPrefix,
    digest: (text) => sha256(text).digest("hex"),
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

  return {
    acceptTransaction: inbox.acceptTransaction,
    receiveStanza: inbox.receiveStanza,
    answerIq,
    async userExists(userId) {
      const jid = await ghosts.jidOf(userId);
      if (jid) await ghosts.ensure(jid);
      return jid !== undefined;
    },
    suspectLoss: () => catchUp.suspect(),
    retryNow: () => dispatcher.retryNow(),
    start: () => dispatcher.start(),
    async stop() {
      catchUp.stop();
      await dispatcher.stop();
    },
  };
}
