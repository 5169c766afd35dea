/** A log for unit tests that keeps each line as "level message", so that a test can assert what was told. */
import type { Log } from "../../src/ops/log.ts";

export function createLogLines(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const log: Log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  return { log, lines };
}
