/** What a fault is to the suite. */
import type { Random } from "./random.ts";
import type { Outcome } from "./scene.ts";

export interface FaultContext {
  random: Random;
  /** 1 in the short form, more where there is more time. */
  scale: number;
}

export interface Fault {
  name: string;
  /** Needs the real servers. */
  real?: boolean;
  /** Takes all that the machine has, as real servers do. */
  alone?: boolean;
  /** Why it cannot be done here. */
  impossible?: () => string | undefined;
  run(context: FaultContext): Promise<Outcome>;
}
