/** Steps the clock of the process it is loaded into, by `node --import`: as when an operator or NTP sets it. */
import { clockVariable } from "./clock-variable.ts";

const RealDate = globalThis.Date;
let shift = 0;

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(RealDate.now() + shift);
    else super(...(given as [number]));
  }
  static override now(): number {
    return RealDate.now() + shift;
  }
} as DateConstructor;

for (const pair of (process.env[clockVariable] ?? "").split(",")) {
  const [afterMs = 0, shiftMs = 0] = pair.split(":").map(Number);
  const step = (): void => {
    shift = shiftMs;
  };
  if (afterMs > 0) setTimeout(step, afterMs).unref();
  else step();
}
