/** How a homeserver calls an application service: Application Service API v1.15, in the manner of Synapse 1.160. */
import { setTimeout as delay } from "node:timers/promises";
import type { RoomEvent } from "./fake-rooms.ts";
import { waitFor } from "./wait-for.ts";

export interface PusherDeps {
  hsToken: string;
  /** Where the application service is now. */
  url(): string | undefined;
}

export interface PushAnswer {
  status: number;
  body: string;
}

// Synapse begins with two seconds and goes on to eight minutes.
const backOff = { first: 20, longest: 200 };
const eventsPerTransaction = 100;

const isJson = (body: string): boolean => {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
};

export function createPusher({ hsToken, url }: PusherDeps) {
  const queue: RoomEvent[] = [];
  const ephemeral: unknown[] = [];
  let nextId = 1;
  let running = false;
  let paused = false;
  let stopped = false;

  /** One request to the application service. @throws where no answer comes. */
  const call = async (method: string, path: string, body?: unknown): Promise<PushAnswer> => {
    const response = await fetch(`${url()}${path}`, {
      method,
      headers: { authorization: `Bearer ${hsToken}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.text() };
  };
  const pushTransaction = (
    id: string,
    events: readonly unknown[],
    told: readonly unknown[] = [],
  ): Promise<PushAnswer> =>
    call("PUT", `/_matrix/app/v1/transactions/${encodeURIComponent(id)}`, {
      events,
      ...(told.length > 0 && { ephemeral: told }),
    });

  const pushUntilTaken = async (
    id: string,
    events: readonly RoomEvent[],
    told: readonly unknown[],
  ): Promise<void> => {
    for (let wait = backOff.first; !stopped; wait = Math.min(wait * 2, backOff.longest)) {
      try {
        const { status, body } = await pushTransaction(id, events, told);
        if (status >= 200 && status < 300 && isJson(body)) return;
      } catch {
        // Down: the same again after a while.
      }
      await delay(wait);
    }
  };

  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (queue.length + ephemeral.length > 0 && !paused && !stopped) {
      await pushUntilTaken(String(nextId++), queue.splice(0, eventsPerTransaction), ephemeral.splice(0));
    }
    running = false;
  };
  const wake = (): void => {
    if (url() !== undefined) void run();
  };

  return {
    call,
    pushTransaction,
    add(event: RoomEvent): void {
      queue.push(event);
      wake();
    },
    tell(...entries: object[]): void {
      ephemeral.push(...entries);
      wake();
    },
    /** Keeps events back, so that a test can decide what crosses with what. */
    pause: (): void => {
      paused = true;
    },
    resume: (): void => {
      paused = false;
      void run();
    },
    /** What waits behind a transaction is held in memory, and gone after a restart: COMPAT(Synapse 1.160). */
    loseQueue: (): void => {
      queue.length = 0;
    },
    /** Resolves once everything that has happened so far was taken. */
    drained: (): Promise<true> =>
      waitFor(() => !running && queue.length === 0, "the application service to take every event"),
    stop: (): void => {
      stopped = true;
    },
  };
}
