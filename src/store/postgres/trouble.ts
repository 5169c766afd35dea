/** Tells a database that is away, full or busy from one that was asked something wrong. */

/** Whoever asked will be answered once the database is back. */
export class DatabaseAwayError extends Error {
  override readonly name = "DatabaseAwayError";
  /** @param cause is left out: nothing of how the connection was made belongs in a log. */
  constructor(cause: unknown) {
    super(`the database is away: ${wordsOf(cause)}`);
  }
}

/** Node's own error has no words where several addresses of a host were tried. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(wordsOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}

/** Classes of SQLSTATE: connection, resources, intervention by an operator, system, inside; and read-only, collisions. */
const ofTheServer = /^(08|53|57|58|XX|25006|25P0[23]|40001|40P01|55P03)/;
/** The driver gives these no code. */
const ofTheDriver =
  /^(Connection terminated|Query read timeout|Client (was closed|has encountered)|Cannot use a pool after|cached plan must not change)/;

/** Whether it is the server, the way to it or its end that is wrong. */
export function isPostgresTrouble(error: unknown): boolean {
  if (error instanceof DatabaseAwayError) return true;
  if (!(error instanceof Error)) return false;
  if (ofTheDriver.test(error.message)) return true;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  if (typeof code !== "string") return false;
  return severity === undefined ? /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET)/.test(code) : ofTheServer.test(code);
}

/** Two transactions were in each other's way: this one has been undone, and may be done again. */
export const isCollision = (error: unknown): boolean =>
  /^(40001|40P01)$/.test(String((error as { code?: unknown }).code));

/** Whether the connection is of no more use, so that nobody knows what became of the last that was asked of it. */
export function isCutOff(error: unknown): boolean {
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  if (!isPostgresTrouble(error)) return false;
  return (
    severity === undefined || severity === "FATAL" || severity === "PANIC" || /^(08|57P)/.test(String(code))
  );
}

/** Whether the other end has closed the connection, and another one may do. */
export const isHungUp = (error: unknown): boolean =>
  isCutOff(error) &&
  !(error instanceof DatabaseAwayError) &&
  (error as Error).message !== "Query read timeout";
