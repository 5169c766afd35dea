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
  /** Milliseconds between checks while something is wrong, and while nothing is. */
  intervals?: { broken: number; well: number };
}

const usual = { broken: 5000, well: 60_000 };

export interface Probe {
  /** Checks at once, unless a check is under way. */
  now(): void;
  /** What an ordinary call has met: a problem leads to checks until it is gone. */
  note(problem: string | undefined): void;
  stop(): void;
}

export function createProbe(deps: ProbeDeps): Probe {
  const { part, check, onRecovery, health, log, intervals = usual } = deps;
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
        timer = setTimeout(now, problem === undefined ? intervals.well : intervals.broken);
      })
      .catch((error) => log.error(`${part}: the check itself failed`, { error }));
  };

  return {
    now,
    note(problem) {
      if (problem === undefined || known !== undefined || stopped) return;
      settle(problem);
      clearTimeout(timer);
      timer = setTimeout(now, intervals.broken);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
