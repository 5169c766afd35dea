/** Finds out whether one of the two sides can be reached, and keeps asking while it cannot. */
import type { Health } from "./health.ts";
import type { Log } from "./log.ts";

export interface ProbeDeps {
  /** Names the side in health and log. */
  part: string;
  /** @returns what is wrong, in one line that says what to mend, or undefined. */
  check: () => Promise<string | undefined>;
  /** The side can be reached again, or for the first time. */
  onRecovery: () => void;
  health: Health;
  log: Log;
  intervalMs: number;
}

export interface Probe {
  /** Checks at once, unless a check is under way. */
  now(): void;
  /** What an ordinary call has met: a problem leads to checks until it is gone. */
  note(problem: string | undefined): void;
  stop(): void;
}

export function createProbe({ part, check, onRecovery, health, log, intervalMs }: ProbeDeps): Probe {
  let timer: NodeJS.Timeout | undefined;
  let checking = false;
  let stopped = false;
  let known: string | undefined = "not yet reached";
  health.set(part, known);

  const settle = (problem: string | undefined): void => {
    // The same problem is worth one line, not one a check.
    if (problem !== known && problem !== undefined) log.warn(`${part}: ${problem}`);
    if (problem === undefined && known !== undefined) log.info(`${part}: reached, both ways`);
    const recovered = problem === undefined && known !== undefined;
    known = problem;
    health.set(part, problem);
    if (recovered) onRecovery();
  };

  const now = (): void => {
    if (checking || stopped) return;
    clearTimeout(timer);
    checking = true;
    check()
      .catch((error: Error) => error.message)
      .then((problem) => {
        checking = false;
        if (stopped) return;
        settle(problem);
        if (problem !== undefined) timer = setTimeout(now, intervalMs);
      })
      .catch((error) => log.error(`${part}: the check itself failed`, { error }));
  };

  return {
    now,
    note(problem) {
      if (problem === undefined || known !== undefined || stopped) return;
      settle(problem);
      timer = setTimeout(now, intervalMs);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
