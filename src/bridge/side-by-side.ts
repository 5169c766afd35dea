/**
 * The bridge as one of several processes: at its edges nobody can tell which one they have met. What lives in memory is
 * with the one that leads, and the others pass on to it what they cannot do themselves.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Cluster, LeadLostError } from "../cluster/cluster.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { RoomAlias, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, parseStanza, readChild, serialize } from "../xmpp/stanza.ts";
import { createAsk, type Said } from "./asking.ts";
import type { Bridge, BridgeDeps } from "./bridge.ts";
import { createEar } from "./ear.ts";
import type { PassedOn, Taken } from "./follower.ts";
import type { BridgeOverview } from "./overview.ts";

export interface SideBySideDeps {
  cluster: Cluster;
  component: string;
  /** A bridge that has not begun. */
  makeBridge(role: Pick<BridgeDeps, "cluster" | "isLeading" | "leads">): Bridge;
  /** Both sides, each undefined while it cannot be reached. */
  problems(): Record<string, string>;
  /** What is done with more that processes say to each other. */
  answers: Record<string, Answer>;
  /** Unix time in milliseconds. */
  now: () => number;
  /** How long a bridge may take to stop that leads no longer, in milliseconds. */
  stopWithinMs: number;
  /** This process leads, and all has been taken up. */
  onLead(): void;
  log: Log;
}

export interface SideBySide
  extends Omit<
    Bridge,
    | "hear"
    | "keepSecret"
    | "lead"
    | "note"
    | "reconcile"
    | "reloadBlocks"
    | "retryNow"
    | "runFor"
    | "takeStanza"
  > {
  /** The homeserver has come back, or was reached for the first time. */
  homeserverReached(): void;
  /** The database was away, and with it what others have told. */
  databaseLost(): void;
}

/** How long to wait where a bridge could not be begun. */
const retryMs = 1000;

/** What only the process that leads does, by what it is given. */
interface AtLead {
  stanzas(given: PassedOn[]): Promise<Taken[]>;
  iqGet(text: string): Promise<string>;
  iqSet(text: string): Promise<string>;
  job(errand: unknown): Promise<unknown>;
  notify(given: Parameters<Bridge["notify"]>): ReturnType<Bridge["notify"]>;
  userExists(userId: UserId): Promise<boolean>;
  aliasExists(alias: RoomAlias): Promise<boolean>;
  linkedRooms(given: [search: string, limit: number]): ReturnType<BridgeOverview["linkedRooms"]>;
  hostedRooms(given: [search: string, limit: number]): ReturnType<BridgeOverview["hostedRooms"]>;
}
type Asked<K extends keyof AtLead> = Parameters<AtLead[K]>[0];
type Answered<K extends keyof AtLead> = Awaited<ReturnType<AtLead[K]>>;

export function createSideBySide(deps: SideBySideDeps): SideBySide {
  const { component, makeBridge, log } = deps;
  let isLeaving = false;
  let hasBegun = false;
  const begun = Promise.withResolvers<void>();
  begun.promise.catch(() => undefined);

  const ask = createAsk({ cluster: deps.cluster, isLeaving: () => isLeaving });
  const cluster = { ...deps.cluster, ask };
  const ear = createEar({ cluster, now: deps.now, log });
  /** What was made before leads no longer, whatever becomes of this process. */
  const createRole = () => {
    let isLeading = false;
    return {
      leads: () => isLeading && cluster.isLead(),
      isLeading: () => isLeading,
      set(value: boolean) {
        isLeading = value;
      },
    };
  };
  let role = createRole();
  let bridge = makeBridge({ cluster, ...role });

  const tell = (to: string, kind: string, payload?: unknown): void =>
    void cluster
      .tell(to, kind, payload)
      .catch((error) => log.warn("another process was not told", { kind, error }));
  const answerIq = async (text: string): Promise<string> =>
    serialize(await bridge.answerIq(parseStanza(text)));
  const take = async ({ xml, cause }: PassedOn): Promise<Taken> => {
    try {
      const refusal = await bridge.takeStanza(parseStanza(xml), cause);
      return { refusal: refusal && serialize(refusal) };
    } catch (error) {
      if (error instanceof LeadLostError) throw error;
      return { error: String((error as Error)?.message ?? error) };
    }
  };
  /** Done by the process that leads, for all. */
  const atLead: AtLead = {
    stanzas: (given) => Promise.all(given.map(take)),
    iqGet: (text) => answerIq(text),
    iqSet: (text) => answerIq(text),
    job: (errand) => bridge.runFor(errand),
    notify: (given) => bridge.notify(...given),
    userExists: (userId) => bridge.userExists(userId),
    aliasExists: (alias) => bridge.aliasExists(alias),
    linkedRooms: (given) => bridge.overview.linkedRooms(...given),
    hostedRooms: (given) => bridge.overview.hostedRooms(...given),
  };
  const there = async <K extends keyof AtLead>(kind: K, payload: Asked<K>): Promise<Answered<K>> =>
    (await (role.leads() ? atLead[kind](payload as never) : ask(kind, payload))) as Answered<K>;

  /** Where it is answered, so that a process that is asked while it stops has others ask again. */
  const asked = Object.fromEntries(
    Object.entries(atLead).map(([kind, answer]): [string, Answer] => [
      kind,
      async (payload): Promise<Said> =>
        isLeaving ? { isLeaving } : { value: await answer(payload as never) },
    ]),
  );
  const told: Record<string, Answer> = {
    events: async (events) => bridge.note(events as MatrixEvent[]),
    secret: async (event) => bridge.keepSecret(event as MatrixEvent),
    hear: async (text) => bridge.hear(parseStanza(String(text))),
    ephemeral: async (items) => bridge.takeEphemeral(items as Ephemeral[]),
    blocks: () => bridge.reloadBlocks(),
    // One that is not sure is compared less often: each process tells of its own connections.
    loss: async () => bridge.suspectLoss(),
    prosodyStarted: async () => bridge.prosodyStarted(),
    retryNow: async () => bridge.retryNow(),
  };

  const reach = {
    homeserver(): void {
      bridge.suspectLoss(true);
      bridge.retryNow();
      bridge.reconcile();
    },
    prosody: (): void => bridge.prosodyReached(),
  };
  const lead = async (): Promise<void> => {
    await bridge.lead();
    role.set(true);
    // What is found out once a side is reached would never be, where it has been all the time.
    const problems = deps.problems();
    if (!problems.homeserver) reach.homeserver();
    if (!problems.prosody) reach.prosody();
    begun.promise.then(deps.onLead, () => undefined);
  };
  const startAgain = async (): Promise<void> => {
    while (!isLeaving) {
      try {
        return await bridge.start();
      } catch (error) {
        log.error("the bridge could not go on beside the one that leads, and will try again", { error });
        await sleep(retryMs, undefined, { ref: false });
      }
    }
  };
  const lost = async (): Promise<void> => {
    role.set(false);
    const old = bridge;
    role = createRole();
    bridge = makeBridge({ cluster, ...role });
    const stopped = old.stop().catch((error) => log.error("what was led did not stop well", { error }));
    await Promise.race([stopped, sleep(deps.stopWithinMs, undefined, { ref: false })]);
    await startAgain();
  };

  const isPing = (request: Element): boolean =>
    request.attrs.to === component && readChild(request, NS.ping, "ping") !== undefined;
  const overview: BridgeOverview = {
    counts: () => bridge.overview.counts(),
    states: () => bridge.overview.states(),
    lanes: (limit) => bridge.overview.lanes(limit),
    parked: (limit) => bridge.overview.parked(limit),
    linkedRooms: (search, limit) => there("linkedRooms", [search, limit]),
    hostedRooms: (search, limit) => there("hostedRooms", [search, limit]),
    retry: (id) => bridge.overview.retry(id),
    retryAll: () => bridge.overview.retryAll(),
    retryNow() {
      bridge.retryNow();
      tell("others", "retryNow");
    },
    drop: (id) => bridge.overview.drop(id),
  };

  /** Before it has begun nobody knows what is whose. */
  const onceBegun =
    <A extends unknown[], R>(work: (...given: A) => Promise<R>) =>
    (...given: A): Promise<R> =>
      hasBegun ? work(...given) : begun.promise.then(() => work(...given));

  return {
    acceptTransaction: onceBegun((transaction) => bridge.acceptTransaction(transaction)),
    receiveStanza: onceBegun((stanza) => ear.hear(() => bridge.receiveStanza(stanza))),
    takesTransaction: () => bridge.takesTransaction(),
    isOurs: (userId) => bridge.isOurs(userId),
    answerIq: onceBegun(async (request) => {
      // By pings each process sees whether Prosody can reach it, whoever leads.
      if (role.leads() || isPing(request)) return bridge.answerIq(request);
      return parseStanza(await there(request.attrs.type === "get" ? "iqGet" : "iqSet", serialize(request)));
    }),
    takeEphemeral: (items) => (role.leads() ? bridge.takeEphemeral(items) : tell("lead", "ephemeral", items)),
    notify: onceBegun((...given) => there("notify", given)),
    userExists: onceBegun((userId) => there("userExists", userId)),
    aliasExists: onceBegun((alias) => there("aliasExists", alias)),
    get thirdParty() {
      return bridge.thirdParty;
    },
    suspectLoss(isSure) {
      bridge.suspectLoss(isSure);
      tell("others", "loss");
    },
    homeserverReached: reach.homeserver,
    prosodyReached: reach.prosody,
    databaseLost: ear.doubt,
    prosodyStarted() {
      bridge.prosodyStarted();
      tell("others", "prosodyStarted");
    },
    overview,
    async start() {
      try {
        await cluster.start({ ...deps.answers, ...ear.answers, ...told, ...asked }, lead, lost);
        await bridge.start();
      } catch (error) {
        begun.reject(error);
        throw error;
      }
      hasBegun = true;
      begun.resolve();
    },
    async stop() {
      isLeaving = true;
      await bridge.stop();
    },
  };
}
