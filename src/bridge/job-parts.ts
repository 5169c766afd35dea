/** All that jobs go through, put together: accepted at the edges, kept in lanes, done here or at the process that leads. */
import { LRUCache } from "lru-cache";
import { type Cluster, LeadLostError } from "../cluster/cluster.ts";
import type { Config } from "../config/schema.ts";
import type { Element } from "../xmpp/stanza.ts";
import { createCatchUp } from "./catch-up.ts";
import { createDispatcher, type Dispatcher } from "./dispatcher.ts";
import { createErrands, type Errands } from "./errands.ts";
import { createFollower, type Follower } from "./follower.ts";
import type { Ground } from "./ground.ts";
import { createInbox, type Inbox, type InboxDeps } from "./inbox.ts";
import type { JobOutcomes } from "./job-outcomes.ts";
import { createPlainlyDirect } from "./plainly-direct.ts";
import { createPushback, type Pushback, type PushbackDeps } from "./pushback.ts";
import { createFollowUps, type TellDeps } from "./tell.ts";

type Made = "pushback" | "catchUp";

export interface JobPartsDeps
  extends Ground,
    Omit<InboxDeps, Made | keyof Ground>,
    Pick<TellDeps, "mucOf" | "hostOf" | "isMuc"> {
  config: Pick<Config, "delivery" | "queue">;
  cluster: Pick<Cluster, "ask" | "caughtUp" | "tell">;
  /** As `leads`, and still so while the database is away: what is learned only once is not to be lost for that. */
  isLeading(): boolean;
  jobs: Pick<JobOutcomes, "run" | "over" | "retried" | "sent" | "hasSent">;
  onPushedBack: PushbackDeps["onRefused"];
}

export interface JobParts extends Pick<Inbox, "acceptTransaction" | "note"> {
  receiveStanza(stanza: Element): Promise<Element | undefined>;
  /**
   * As `receiveStanza`, for a stanza that another process has taken.
   * @param cause by which it is known, and not stored again.
   */
  takeStanza(stanza: Element, cause: string): Promise<Element | undefined>;
  takesTransaction: Pushback["takesTransaction"];
  /** Events may have been lost on their way here, as after each outage of the homeserver. */
  suspectLoss(isSure?: boolean): void;
  runFor: Errands["runFor"];
  dispatcher: Pick<Dispatcher, "lanes" | "wake" | "retryNow">;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** While others may ask again what they have passed on, as they did not learn what came of it. */
const remembered = { max: 10_000, ttl: 60_000 };

export function createJobParts(deps: JobPartsDeps): JobParts {
  const { addresses, cluster, leads, store, traffic, signals, jobs, newId, now, log } = deps;
  const { delivery, queue } = deps.config;

  const catchUp = createCatchUp({ ...store, newId, now, onBegin: () => deps.roomStates.doubt(), log });
  const pushback = createPushback({ lanes: store.lanes, ...queue, onRefused: deps.onPushedBack, log });
  const inbox = createInbox({
    ...deps,
    pushback,
    catchUp,
    signals: {
      ...signals,
      hear: (stanza) => (leads() ? signals.hear(stanza) : follower.hear(stanza)),
    },
  });
  const plain = createPlainlyDirect({
    addresses,
    homeserverDomain: deps.homeserverDomain,
    store,
    isForRoom: (stanza) => traffic.some((candidate) => candidate.concerns(stanza)),
  });
  const follower: Follower = createFollower({
    cluster,
    store,
    isOurs: (userId) => userId === addresses.botUserId || addresses.isGhost(userId),
    inbox,
    plain,
    newId,
    log,
  });
  const errands = createErrands({
    cluster,
    leads,
    isPlain: plain.isJob,
    handle: inbox.handle,
    followUps: createFollowUps(deps),
    jobs,
    log,
  });
  const dispatcher = createDispatcher({
    lanes: store.lanes,
    handle: errands.handle,
    onDone: jobs.over,
    onRetry: jobs.retried,
    followUps: errands.followUps,
    log,
    now,
    random: Math.random,
    giveUpAfterMs: delivery.giveUpAfterHours * 60 * 60 * 1000,
    maxConcurrentLanes: delivery.maxConcurrentLanes,
  });

  const taken = new LRUCache<string, ReturnType<Inbox["receiveStanza"]>>(remembered);
  /** Takes what another process has passed on. */
  const takeOnce = (stanza: Element, cause: string): ReturnType<Inbox["receiveStanza"]> => {
    const before = taken.get(cause);
    if (before) return before;
    const taking = inbox.receiveStanza(stanza, cause);
    taken.set(cause, taking);
    taking.catch(() => taken.delete(cause));
    return taking;
  };

  return {
    acceptTransaction: (transaction) => (leads() ? inbox : follower).acceptTransaction(transaction),
    receiveStanza: (stanza) =>
      (leads() && !follower.isBehind(stanza) ? inbox : follower).receiveStanza(stanza),
    async takeStanza(stanza, cause) {
      if (!leads()) throw new LeadLostError("the lead was lost meanwhile");
      return takeOnce(stanza, cause);
    },
    note: inbox.note,
    takesTransaction: pushback.takesTransaction,
    suspectLoss: (isSure) => (deps.isLeading() ? catchUp.suspect(isSure) : catchUp.forget()),
    runFor: errands.runFor,
    dispatcher,
    async start() {
      await pushback.start();
      await dispatcher.start();
    },
    async stop() {
      catchUp.stop();
      pushback.stop();
      await dispatcher.stop();
      await errands.idle();
    },
  };
}
