/**
 * Slows down sources whose requests come to nothing. Only refusals count: homeserver and Prosody may share the
 * address of an attacker, behind a proxy or on loopback, and are never slowed down.
 */
import type { Request } from "express";
import type { Log } from "../ops/log.ts";
import { createRateLimit } from "./rate-limit.ts";
import { sourceOf } from "./source.ts";

export interface Strangers {
  /**
   * Counts a request that is about to be refused, and logs why, once a minute for each source.
   * @returns milliseconds to wait, where its source has been refused too often.
   */
  refused(req: Request, why: string): Promise<number | undefined>;
}

const perMinute = 20;

/** @param onRefused told of each. */
export function createStrangers(log: Log, onRefused: () => void = () => undefined): Strangers {
  const refusals = createRateLimit({ points: perMinute, seconds: 60 });
  const lines = createRateLimit({ points: 1, seconds: 60 });
  return {
    async refused(req, why) {
      onRefused();
      const from = sourceOf(req);
      // A line for each request would be an attack of its own.
      if ((await lines.take(`${from} ${why}`)) === undefined) log.warn(why, { path: req.path, from });
      return refusals.take(from);
    },
  };
}
