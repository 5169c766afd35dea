/** The commands about messages on their way: what waits, what was given up, and what shall become of it. */
import type { Lanes, ParkedJob, WaitingJob } from "../store/store.ts";
import { bareOf, fullJid, type Jid } from "../xmpp/jid.ts";
import { parseStanza } from "../xmpp/stanza.ts";
import { written } from "./chat.ts";
import { type Caller, type Command, CommandRefusal } from "./command.ts";
import { ageOf, listOf } from "./lists.ts";

export interface QueueCommandsDeps {
  lanes: Pick<Lanes, "queued" | "parked" | "unpark" | "drop">;
  /** There is something to do in these lanes again. */
  wake(lanes: Iterable<string>): void;
  /** What waits for its next attempt is tried at once. */
  retryNow(): void;
  /** Unix time in milliseconds. */
  now: () => number;
}

const fromOf = (xml: string): Jid | undefined => {
  try {
    return parseStanza(xml).attrs.from as Jid;
  } catch {
    return undefined;
  }
};

/** Whether it is a message of the caller's own. */
function isOwn(caller: Caller, { work }: WaitingJob): boolean {
  if (caller.network === "matrix") return work.kind === "event" && work.event.sender === caller.userId;
  const from = work.kind === "stanza" ? fromOf(work.xml) : undefined;
  const { occupant, place } = caller;
  // All who are in a room share its bare JID.
  if (occupant && place?.muc) return from === fullJid(place.muc, occupant.nick);
  return from !== undefined && bareOf(from) === bareOf(caller.jid);
}

/** Whether it is on its way to or from the room where the command is given; what is private there is nobody's business. */
export function isOfPlace({ place }: Caller, lane: string): boolean {
  const [, room, ...others] = lane.split(" ");
  return room !== undefined && others.length === 0 && (room === place?.roomId || room === place?.muc);
}

export function createQueueCommands({ lanes, wake, retryNow, now }: QueueCommandsDeps): Command[] {
  const isSeen = (caller: Caller, job: WaitingJob): boolean =>
    caller.place
      ? isOfPlace(caller, job.lane) || isOwn(caller, job)
      : caller.level === "admin" || isOwn(caller, job);
  const line = ({ id, lane, cause, acceptedAt, problem }: WaitingJob): string =>
    `${id}: ${cause} in ${lane}, ${ageOf(now() - acceptedAt)} ago${problem ? `: ${problem}` : ""}`;

  const waiting = async (caller: Caller): Promise<WaitingJob[]> =>
    // The command itself is one of them.
    (await lanes.queued()).filter((job) => isSeen(caller, job) && (job.attempts > 0 || isOld(job)));
  const isOld = ({ acceptedAt }: WaitingJob): boolean => now() - acceptedAt > 10_000;
  const parked = async (caller: Caller): Promise<ParkedJob[]> =>
    (await lanes.parked()).filter((job) => isSeen(caller, job)).reverse();

  const queue: Command = {
    name: "queue",
    summary: "lists messages that wait to be delivered: yours, this room’s, or all for administrators",
    fields: [],
    examples: ["queue"],
    async run(caller) {
      const jobs = await waiting(caller);
      if (jobs.length === 0) return { text: "No message waits." };
      return {
        text: `${listOf("On their way:", jobs.map(line))}\nTo try now: ${written(caller, "retry all")}`,
      };
    },
  };

  const parkedCommand: Command = {
    name: "parked",
    summary: "lists messages that were given up, the newest first",
    fields: [],
    examples: ["parked"],
    async run(caller) {
      const jobs = await parked(caller);
      if (jobs.length === 0) return { text: "No message is parked." };
      return {
        text: `${listOf("Given up:", jobs.map(line))}\nTo try again: ${written(caller, "retry NUMBER")}. To forget: ${written(caller, "drop NUMBER")}`,
      };
    },
  };

  const which = { name: "which", label: "Number of the message, or all", required: true };
  const chosenOf = <T extends WaitingJob>(jobs: readonly T[], text: string): T[] =>
    text.toLowerCase() === "all" ? [...jobs] : jobs.filter(({ id }) => String(id) === text.replace(/^#/, ""));

  const noSuch = (text: string): CommandRefusal =>
    new CommandRefusal(
      text.toLowerCase() === "all"
        ? "There is none."
        : "There is no such message of yours; parked and queue list what there is.",
    );

  const retry: Command = {
    name: "retry",
    summary: "tries again to deliver a message that was given up, or all",
    fields: [which],
    examples: ["retry 12", "retry all"],
    async run(caller, { which: text = "" }) {
      const chosen = chosenOf(await parked(caller), text);
      const waits = chosenOf(await waiting(caller), text);
      if (chosen.length + waits.length === 0) throw noSuch(text);
      for (const { id } of chosen) await lanes.unpark(id);
      wake(new Set(chosen.map(({ lane }) => lane)));
      if (waits.length > 0) retryNow();
      return {
        text: `Tried again now: ${chosen.length + waits.length}. What fails again is listed by: ${written(caller, "parked")}`,
      };
    },
  };

  const drop: Command = {
    name: "drop",
    summary: "forgets a message that waits or was given up, or all that were given up",
    fields: [which],
    examples: ["drop 12", "drop all"],
    async run(caller, { which: text = "" }) {
      const isAll = text.toLowerCase() === "all";
      const all = [...(await parked(caller)), ...(isAll ? [] : await waiting(caller))];
      const chosen = chosenOf(all, text).filter((job) => caller.level === "admin" || isOwn(caller, job));
      if (chosen.length === 0) throw noSuch(text);
      for (const { id } of chosen) await lanes.drop(id);
      return { text: `Forgotten: ${chosen.length}. Nobody will get what was in there.` };
    },
  };

  return [queue, parkedCommand, retry, drop];
}
