/** Keeps those of ours in linked rooms who belong there: looks after each restart, each outage and now and then. */
import { LRUCache } from "lru-cache";
import pLimit, { type LimitFunction } from "p-limit";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { type BareJid, domainOf } from "../xmpp/jid.ts";
import type { Joining } from "./joining.ts";
import type { Links } from "./links.ts";
import type { Seats } from "./seats.ts";
import type { createSelfPing, Whereabouts } from "./self-ping.ts";

export interface StayingDeps {
  links: Pick<Links, "all" | "ofMuc">;
  seats: Seats;
  joining: Pick<Joining, "enter" | "enterAgain">;
  /** Whether the Matrix room says that they belong there. */
  isMember(link: RoomLink, userId: UserId): Promise<boolean>;
  ping: ReturnType<typeof createSelfPing>;
  bot: UserId;
  log: Log;
  /** Milliseconds between looks. */
  intervalMs?: number;
  /** Milliseconds until each further attempt to be back. */
  pauses?: readonly number[];
}

export interface Staying {
  /** Looks at every room. @param anew what is known of who is there may be old, too. */
  look(anew: boolean): void;
  /** Somebody was lost: they are to be back soon. */
  lost(muc: BareJid, userId: UserId): void;
  /** Has somebody enter when it is their turn. */
  enterSoon(link: RoomLink, userId: UserId): void;
  start(): void;
  stop(): void;
}

/** Services see a crowd come in, not a flood; and one that does not answer holds up no other. */
const atOnce = 4;
/** Who is lost once more before that comes back more slowly. */
const steadyAfterMs = 60 * 60_000;
const usualIntervalMs = 12 * 60_000;
const usualPauses = [1000, 5000, 20_000, 60_000, 240_000];

export function createStaying(deps: StayingDeps): Staying {
  const { links, seats, joining, ping, bot, log } = deps;
  const { intervalMs = usualIntervalMs, pauses = usualPauses } = deps;
  const services = new Map<string, LimitFunction>();
  const timers = new Set<NodeJS.Timeout>();
  /** Those who wait for the next attempt, by room and user. */
  const returning = new Set<string>();
  /** How often somebody was lost lately: a room that lets them in and puts them out is not asked every second. */
  const losses = new LRUCache<string, number>({ max: 10_000, ttl: steadyAfterMs });
  let due: "anew" | "ping" | undefined;
  let running = false;
  let stopped = false;

  const later = (ms: number, work: () => void): void => {
    if (stopped) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer.unref());
  };

  const inTurn = <T>(muc: BareJid, work: () => Promise<T>): Promise<T> => {
    const service = domainOf(muc);
    const limit = services.get(service) ?? pLimit(atOnce);
    services.set(service, limit);
    return limit(work);
  };

  const enter = (link: RoomLink, userId: UserId): Promise<void> =>
    inTurn(link.muc, async () => {
      // It may have been unlinked, and they may have left, while others had their turn.
      if (stopped || !links.ofMuc(link.muc)) return;
      if (userId === bot || (await deps.isMember(link, userId))) await joining.enter(link, userId);
      else await seats.remove(link.muc, userId);
    });

  const isWanted = (muc: BareJid, userId: UserId): boolean => seats.of(muc, userId)?.state === "out";

  const comeBack = (muc: BareJid, userId: UserId, attempt = 0): void => {
    const key = `${muc} ${userId}`;
    const pause = pauses[attempt];
    if (pause === undefined || returning.has(key)) return;
    returning.add(key);
    later(pause, () => {
      returning.delete(key);
      const link = links.ofMuc(muc);
      if (!link || !isWanted(muc, userId)) return;
      enter(link, userId).catch((error) => {
        log.info("is not back in a room yet", { muc, user: userId, error });
        comeBack(muc, userId, attempt + 1);
      });
    });
  };

  const lookAfter = async (link: RoomLink, userId: UserId): Promise<Whereabouts> => {
    const { muc } = link;
    const seat = seats.of(muc, userId);
    if (seat?.state === "in") {
      const where = await inTurn(muc, () => ping(muc, userId, seat.nick));
      if (where !== "out" || seat.state !== "in") return where;
      log.info("is in a room no longer, and comes back", { muc, user: userId });
      seats.gone(muc, userId, "out");
    }
    if (isWanted(muc, userId)) await enter(link, userId);
    return "in";
  };

  const lookAt = async (link: RoomLink, anew: boolean): Promise<void> => {
    const { muc } = link;
    const botSeat = seats.of(muc, bot);
    // Whoever is unwanted stays away; the others are in only where the bot is.
    if (botSeat?.state === "kicked" || botSeat?.state === "banned") return;
    if (anew || botSeat === undefined) await inTurn(muc, () => joining.enterAgain(link, bot));
    // Where nothing answers the bot, nothing answers the others.
    else if ((await lookAfter(link, bot)) === "unknown") return;
    const users = seats.all(muc).flatMap(({ userId }) => (userId === bot ? [] : [userId]));
    const looks = users.map((userId) =>
      lookAfter(link, userId).catch((error) => {
        log.info("could not be brought back into a room", { muc, user: userId, error });
      }),
    );
    await Promise.all(looks);
  };

  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (due && !stopped) {
      const anew = due === "anew";
      due = undefined;
      const looks = links.all().map((link) =>
        lookAt(link, anew).catch((error) => {
          log.info("could not look after a room", { muc: link.muc, error });
          if (anew || isWanted(link.muc, bot)) retryRoom(link.muc, anew);
        }),
      );
      await Promise.all(looks);
    }
    running = false;
  };

  const retryRoom = (muc: BareJid, anew: boolean, attempt = 0): void => {
    const pause = pauses[attempt];
    if (pause === undefined) return;
    later(pause, () => {
      const link = links.ofMuc(muc);
      if (link) lookAt(link, anew).catch(() => retryRoom(muc, anew, attempt + 1));
    });
  };

  const look: Staying["look"] = (anew) => {
    if (stopped) return;
    due = anew || due === "anew" ? "anew" : "ping";
    run().catch((error) => log.error("could not look after rooms", { error }));
  };

  const tick = (): void =>
    later(intervalMs, () => {
      look(false);
      tick();
    });

  return {
    look,
    lost(muc, userId) {
      const key = `${muc} ${userId}`;
      const before = losses.get(key) ?? 0;
      losses.set(key, before + 1);
      comeBack(muc, userId, Math.min(before, pauses.length - 1));
    },
    enterSoon(link, userId) {
      enter(link, userId).catch((error) => {
        log.info("could not enter a room", { muc: link.muc, user: userId, error });
      });
    },
    start: tick,
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      for (const limit of services.values()) limit.clearQueue();
    },
  };
}
