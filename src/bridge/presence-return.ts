/** What a restart of Prosody makes its contacts forget, that Matrix users are online, told to them again. */
import { NoAnswerError } from "../http/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Subscriber, Subscribers } from "../store/store.ts";

export interface PresenceReturnDeps {
  subscribers: Pick<Subscribers, "all">;
  /** Whether there is still such a user. */
  isThere(userId: UserId): Promise<boolean>;
  /** Tells one subscriber that a Matrix user is online. */
  announce(subscriber: Subscriber): Promise<void>;
  log: Log;
}

export interface PresenceReturn {
  /** What Prosody and its contacts knew is lost; to be told as soon as both can be reached. */
  lost(): void;
  /** Prosody can be reached. */
  reached(): void;
  /** Resolves once nothing more will be sent. */
  stop(): Promise<void>;
}

export function createPresenceReturn(deps: PresenceReturnDeps): PresenceReturn {
  const { subscribers, isThere, announce, log } = deps;
  // Prosody may have been restarted while the bridge was away.
  let due = true;
  let stopped = false;
  let running: Promise<void> | undefined;

  /** One after the other, so that messages pass in between. */
  const tell = async (): Promise<void> => {
    const all = await subscribers.all();
    let told = 0;
    for (const subscriber of all) {
      if (stopped || due) return;
      // Where the homeserver cannot say, they are taken to be there.
      if (!(await isThere(subscriber.userId).catch(() => true))) continue;
      try {
        await announce(subscriber);
        told += 1;
      } catch (error) {
        if (error instanceof NoAnswerError) throw error;
        log.debug("presence was not taken", { jid: subscriber.jid, error });
      }
    }
    if (all.length > 0) log.info("told subscribers again who is online", { told, of: all.length });
  };

  const run = async (): Promise<void> => {
    while (due && !stopped) {
      due = false;
      try {
        await tell();
      } catch (error) {
        // Prosody has gone again; whoever finds it back calls again.
        due = true;
        log.info("broke off telling subscribers who is online", { error });
        break;
      }
    }
    running = undefined;
  };

  const start = (): void => {
    if (due && !stopped) running ??= run();
  };

  return {
    lost() {
      due = true;
    },
    reached: start,
    async stop() {
      stopped = true;
      await running;
    },
  };
}
