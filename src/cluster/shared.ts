/** A bridge of several processes on one PostgreSQL: a lead that is leased, heartbeats, and mail. */
import { hostname } from "node:os";
import type { Log } from "../ops/log.ts";
import type { Postgres } from "../store/postgres/connection.ts";
import { type Beat, beat, channel, leave, tellAll } from "./beat.ts";
import { type Answer, type Cluster, LeadLostError } from "./cluster.ts";
import { createPost } from "./post.ts";
import { createRounds } from "./rounds.ts";

export interface SharedDeps {
  db: Postgres;
  /** Names this process; another one each time it is started. */
  self: string;
  version: string;
  /** Unix time in milliseconds. */
  now: () => number;
  /** Told after each heartbeat what is wrong with the database, or undefined. */
  onHeartbeat: (problem: string | undefined) => void;
  log: Log;
  times?: typeof usual;
}

/** In milliseconds. */
const usual = {
  beat: 1000,
  /** How long the lead is had without being renewed, by the clock of the database. */
  lease: 5000,
  /** How long the one that leads counts on that, by its own: less, so that at no time two do. */
  trust: 4000,
  /** After how long a silent process is shown no longer. */
  dead: 5000,
  /** After how long nothing is kept of it. */
  forget: 60_000,
  /** How long a question waits for one that leads. */
  wait: 10_000,
};

const clock = (): number => performance.now();

export function createShared(deps: SharedDeps): Cluster {
  const { db, self, version, now, onHeartbeat, log, times = usual } = deps;
  const startedAt = now();
  let answers: Record<string, Answer> = {};
  let lead = async (): Promise<void> => undefined;
  let lost = async (): Promise<void> => undefined;
  let report: Record<string, number> = {};

  let last: Beat | undefined;
  let lastAt = 0;
  /** While the database was away nobody's heartbeats reached it, so silence counts from there. */
  let backAt = Number.NEGATIVE_INFINITY;
  /** The term of the lease while the database says that it is this process's, and how long to count on that. */
  let leased: number | undefined;
  let trustedUntil = 0;
  /** The term for which this process does what the one that leads does, and whether it has begun all of that. */
  let led: number | undefined;
  let isReady = false;
  let isChanging = false;
  /** Another process is to have the chance first. */
  let standsBackUntil = 0;
  /** What was wrong with the last heartbeat. */
  let problem: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopping = false;
  let stopped: Promise<void> | undefined;
  let changed = Promise.withResolvers<void>();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);

  const tellChange = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const hasLead = (): boolean => led !== undefined && led === leased && clock() < trustedUntil;
  /** The term of whichever process leads, as far as is known. */
  const knownTerm = (): number | undefined =>
    last && clock() < lastAt + last.leftMs ? last.term : undefined;

  /** Whether it has been silent for too long, as far as this process can tell. */
  const isDead = ({ silentMs }: Beat["processes"][number]): boolean =>
    silentMs > times.dead && clock() - lastAt < times.dead / 2 && clock() - backAt > times.dead;

  const isAlone = (): boolean => !last || last.processes.every(({ id }) => id === self);

  const post = createPost({
    db,
    self,
    answerOf: (kind) => answers[kind],
    term: () => (isReady && hasLead() ? led : undefined),
    log,
  });
  /** What could not be looked at is, with the next heartbeat. */
  const look = (): void => {
    if (!isStopping) post.look().catch(() => undefined);
  };

  const begin = async (term: number): Promise<void> => {
    led = term;
    try {
      await lead();
      isReady = true;
      log.info("this process leads", { process: self, term });
      look();
      // Whoever waits for one that leads need not wait for the next heartbeat.
      tellAll(db).catch(() => undefined);
    } catch (error) {
      log.error("this process could not begin to lead", { process: self, error });
      failure.reject(error);
      standsBackUntil = clock() + times.lease;
      leased = undefined;
      await round().catch(() => undefined);
    }
  };
  const end = async (): Promise<void> => {
    log.warn("this process leads no longer", { process: self, leads: last?.holder });
    isReady = false;
    await lost().catch((error) => log.error("not all could be let go of", { process: self, error }));
    led = undefined;
  };
  /** Makes what this process does follow who has the lease. */
  const follow = async (): Promise<void> => {
    if (isChanging) return;
    isChanging = true;
    while (led !== leased && !isStopping) {
      if (led !== undefined) await end();
      else if (leased !== undefined) await begin(leased);
      tellChange();
    }
    isChanging = false;
  };

  const noteDatabase = (found: string | undefined): void => {
    if (found !== undefined && problem === undefined)
      log.warn("no heartbeat reached the database", { problem: found });
    if (found === undefined && problem !== undefined) log.info("heartbeats reach the database again");
    problem = found;
    onHeartbeat(found);
  };

  const round = createRounds(async () => {
    if (isStopping) return;
    const sentAt = clock();
    // While it lets go of one term, it does not ask for another.
    const wantsLead = led === leased && sentAt >= standsBackUntil;
    const me = { id: self, host: hostname(), version, startedAt, report, wantsLead };
    let seen: Beat;
    try {
      seen = await beat(db, me, { leaseMs: times.lease, forgetMs: times.forget });
    } catch (error) {
      noteDatabase(`no heartbeat reached it: ${(error as Error).message}`);
      throw error;
    }
    noteDatabase(undefined);
    if (isStopping) return;
    if (last && sentAt - lastAt > times.dead / 2) backAt = sentAt;
    last = seen;
    // As if the answer had taken no time: it is only ever too soon.
    lastAt = sentAt;
    leased = seen.holder === self && seen.leftMs > 0 ? seen.term : undefined;
    if (leased !== undefined && wantsLead) trustedUntil = sentAt + times.trust;
    post.lose(knownTerm());
    post.reached();
    void follow();
    tellChange();
    look();
  });

  const tick = (): void => {
    if (knownTerm() === undefined) post.lose(undefined);
    tellChange();
    round().catch(() => undefined);
  };

  const ask = async (kind: string, payload: unknown): Promise<unknown> => {
    const until = clock() + times.wait;
    while (!isStopping) {
      const isOwn = led !== undefined && led === leased;
      const term = knownTerm();
      if (isOwn && isReady && hasLead()) return answers[kind]?.(payload);
      if (!isOwn && term !== undefined && last?.holder !== self) return post.ask(kind, payload, term);
      // To begin to lead takes as long as it takes.
      if (!(isOwn && !isReady) && clock() > until) break;
      await changed.promise;
    }
    throw new LeadLostError("no process leads");
  };

  const stop = async (): Promise<void> => {
    isStopping = true;
    clearInterval(timer);
    leased = undefined;
    tellChange();
    post.lose(undefined);
    await round().catch(() => undefined);
    await leave(db, self).catch(() => undefined);
  };

  return {
    self,
    isLead: hasLead,
    isAlone,

    processes: async () =>
      (last?.processes ?? [])
        .filter((process) => process.id === self || !isDead(process))
        .map(({ id, host, version, startedAt, report: told }) => ({
          id,
          host,
          version,
          startedAt,
          isLead: id === self ? hasLead() : id === last?.holder && knownTerm() !== undefined,
          report: id === self ? report : told,
        })),

    async others() {
      await round();
      return (last?.processes ?? []).flatMap((one) => (one.id === self || isDead(one) ? [] : [one.id]));
    },

    async tell(to, kind, payload) {
      if (to === self) await answers[kind]?.(payload);
      else if (to === "lead" && hasLead()) await ask(kind, payload);
      else await post.tell(to, kind, payload);
    },

    ask,

    caughtUp: async () => {
      if (!isAlone()) await post.caughtUp();
    },

    async start(given, becomesLead, letsGo) {
      // Who asks this is known from then on to the one that leads.
      answers = { ...given, hello: round };
      lead = becomesLead;
      lost = letsGo;
      await db.listen(
        channel,
        (whom) => {
          if (whom === "beat") tick();
          else if (whom === self || whom === "others" || (whom === "lead" && leased !== undefined)) look();
        },
        () => {
          post.doubt(times.lease);
          tick();
        },
      );
      await round();
      timer = setInterval(tick, times.beat);
      const hello = async (): Promise<void> => {
        for (;;) {
          try {
            await ask("hello", undefined);
            return;
          } catch (error) {
            if (!(error instanceof LeadLostError) || isStopping) throw error;
          }
        }
      };
      await Promise.race([hello(), failure.promise]);
    },

    report(numbers) {
      report = numbers;
    },

    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
