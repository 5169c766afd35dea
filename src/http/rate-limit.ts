/** How often a source may ask for something: token counters in constant memory per source. */
import { RateLimiterMemory } from "rate-limiter-flexible";

export interface RateLimit {
  /** Counts one more for the key. @returns undefined where it is within the limit, else milliseconds to wait. */
  take(key: string): Promise<number | undefined>;
  /** As `take`, but counts nothing. */
  peek(key: string): Promise<number | undefined>;
}

/** @param points how many within `seconds`, for each key by itself. */
export function createRateLimit({ points, seconds }: { points: number; seconds: number }): RateLimit {
  const limiter = new RateLimiterMemory({ points, duration: seconds });
  const waitOf = (answer: { consumedPoints: number; msBeforeNext: number } | null): number | undefined =>
    answer && answer.consumedPoints > points ? answer.msBeforeNext : undefined;
  return {
    take: async (key) => waitOf(await limiter.penalty(key)),
    peek: async (key) => {
      const answer = await limiter.get(key);
      return answer && answer.consumedPoints >= points ? answer.msBeforeNext : undefined;
    },
  };
}
