/** Bounds what waits to be delivered: more of it is refused, so that whoever sends keeps it or is told. */
import { createRateLimit } from "../http/rate-limit.ts";
import type { Log } from "../ops/log.ts";
import type { Lanes, NewJob } from "../store/store.ts";
import type { StanzaError } from "../xmpp/stanza.ts";

export interface PushbackDeps {
  lanes: Pick<Lanes, "add" | "addWithin" | "isDeep">;
  /** Jobs that may wait in one lane. */
  perConversation: number;
  /** Jobs that may wait of what one network has sent. */
  perNetwork: number;
  /** Told of each transaction of the homeserver, and each message that Prosody handed over, that was refused. */
  onRefused(side: "homeserver" | "prosody"): void;
  log: Log;
}

export interface Pushback {
  /** Stores a job of XMPP. @returns false, and stores nothing, where it may be refused and too much waits. */
  add(job: NewJob, mayRefuse: boolean): Promise<boolean>;
  /** Whether the homeserver may hand over more. */
  takesTransaction(): boolean;
  /** So many jobs were stored. */
  noted(count: number): void;
  start(): Promise<void>;
  stop(): void;
}

/** What the sender on XMPP is told. */
export const tooMuch: StanzaError = {
  type: "wait",
  condition: "resource-constraint",
  text: "The bridge cannot deliver messages as fast as they come, so this one was not taken. Send it again later.",
};

/** Counting takes time, so how much waits is looked at so often, or when so much of a network's bound has come since. */
const lookMs = 1000;
const step = 0.1;

export function createPushback(deps: PushbackDeps): Pushback {
  const { lanes, perConversation, perNetwork, onRefused, log } = deps;
  const full = new Set<string>();
  /** One conversation is worth one line a minute. */
  const lines = createRateLimit({ points: 1, seconds: 60 });
  let fresh = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const look = async (): Promise<void> => {
    clearTimeout(timer);
    [timer, fresh] = [undefined, 0];
    for (const from of ["matrix", "xmpp"]) {
      const wasFull = full.has(from);
      // There has to be some room before more is taken.
      const isFull = await lanes.isDeep(`${from} `, Math.ceil(perNetwork * (wasFull ? 1 - step : 1)));
      if (isFull === wasFull) continue;
      if (isFull) {
        full.add(from);
        log.warn("too much waits, so what comes is refused for now", { from, jobs: perNetwork });
      } else {
        full.delete(from);
        log.info("there is room again for what comes", { from });
      }
    }
  };
  const lookAgain = (): void => {
    look()
      .catch((error) => log.error("could not look how much waits", { error }))
      .finally(() => full.size > 0 && noted(0));
  };
  const noted = (count: number): void => {
    fresh += count;
    if (stopped) return;
    if (fresh >= perNetwork * step) lookAgain();
    else timer ??= setTimeout(lookAgain, lookMs);
  };

  return {
    async add(job, mayRefuse) {
      // Nothing is waited for before it is stored, or others would overtake it.
      const isStored = !mayRefuse
        ? await lanes.add([job]).then(() => true)
        : !full.has("xmpp") && (await lanes.addWithin(perConversation, job));
      if (isStored) {
        noted(1);
        return true;
      }
      onRefused("prosody");
      const { lane } = job;
      const isSaid = (await lines.take(lane)) !== undefined;
      if (!isSaid) log.warn("refused for now: too much waits already", { lane });
      return false;
    },
    takesTransaction() {
      if (!full.has("matrix")) return true;
      onRefused("homeserver");
      return false;
    },
    noted,
    async start() {
      await look();
      if (full.size > 0) noted(0);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
