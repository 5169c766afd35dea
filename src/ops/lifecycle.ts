/** From the start of a process to its end: signals ask it to stop, once gladly and then at once. */
import type { EventEmitter } from "node:events";
import type { Log } from "./log.ts";

export interface Running {
  stop(): Promise<void>;
}

export interface LifecycleDeps {
  /** May reject with the signal's reason once that is aborted. */
  start: (givenUp: AbortSignal) => Promise<Running>;
  log: Log;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Emits "SIGTERM" and "SIGINT". */
  signals: Pick<EventEmitter, "on">;
  /** Ends the process. */
  exit: (code: number) => void;
  /** How long stopping may take, in milliseconds. */
  limitMs?: number;
}

// Ctrl-C goes to every process of the terminal and launchers pass it on too: that is still one wish to stop.
const sameSignalMs = 1000;

/** Resolves once started or given up. Exits with 0 after a clean stop, with 1 if starting fails, stopping fails or takes too long. */
export async function runUntilStopped(deps: LifecycleDeps): Promise<void> {
  const { start, log, now, signals, exit, limitMs = 10_000 } = deps;
  const givingUp = new AbortController();
  const starting = start(givingUp.signal);
  let askedAt: number | undefined;

  const stop = async (signal: string): Promise<void> => {
    if (askedAt !== undefined) {
      if (now() - askedAt < sameSignalMs) return;
      log.error("stopping at once: asked again", { signal });
      exit(1);
      return;
    }
    askedAt = now();
    log.info("stopping", { signal });
    const limit = setTimeout(() => {
      log.error("stopping at once: the work in hand took too long", { limitMs });
      exit(1);
    }, limitMs);
    try {
      givingUp.abort();
      const running = await starting.catch((error) => {
        if (error !== givingUp.signal.reason) throw error;
      });
      await running?.stop();
      log.info("stopped");
      exit(0);
    } catch (error) {
      log.error("could not stop cleanly", { error });
      exit(1);
    } finally {
      clearTimeout(limit);
    }
  };
  for (const signal of ["SIGTERM", "SIGINT"]) signals.on(signal, () => void stop(signal));

  try {
    await starting;
  } catch (error) {
    if (error === givingUp.signal.reason) return;
    log.error("could not start", { error });
    exit(1);
  }
}

/** @throws the signal's reason as soon as it is aborted; what becomes of the work then is for somebody else. */
export async function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
