/** Asks the process that leads, and asks again while another one takes over. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, LeadLostError } from "../cluster/cluster.ts";

export interface AskingDeps {
  cluster: Pick<Cluster, "ask">;
  /** This process is being stopped, and has no time to wait for another one. */
  isLeaving(): boolean;
  /** How long to go on, in milliseconds: longer than it takes another process to lead. */
  patienceMs?: number;
}

/** What the process that leads says. */
export interface Said {
  value?: unknown;
  /** It is being stopped, and has begun nothing. */
  isLeaving?: true;
}

/** Asked twice they come to the same, or to what their askers would do. */
const repeatable: ReadonlySet<string> = new Set([
  ...["aliasExists", "hostedRooms", "iqGet", "linkedRooms", "notify", "stanzas", "userExists"],
]);
const pauseMs = 50;

/** Nothing was begun, so anything may be asked again. */
class NotBegunError extends LeadLostError {}

export function createAsk({ cluster, isLeaving, patienceMs = 12_000 }: AskingDeps): Cluster["ask"] {
  const askOnce = async (kind: string, payload: unknown): Promise<unknown> => {
    const said = ((await cluster.ask(kind, payload)) ?? {}) as Said;
    if (said.isLeaving) throw new NotBegunError("the process that leads is being stopped");
    return said.value;
  };
  const mayRepeat = (kind: string, error: unknown): boolean =>
    error instanceof NotBegunError ||
    (error instanceof LeadLostError && repeatable.has(kind) && !isLeaving());

  return async (kind, payload) => {
    const until = performance.now() + patienceMs;
    for (;;) {
      try {
        return await askOnce(kind, payload);
      } catch (error) {
        if (!mayRepeat(kind, error) || performance.now() > until) throw error;
      }
      await sleep(pauseMs);
    }
  };
}
