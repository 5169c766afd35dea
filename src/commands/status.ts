/** What an administrator asks the bridge about itself. */
import type { ParkedJob } from "../store/store.ts";
import type { Command } from "./command.ts";

export interface StatusDeps {
  /** The parts of the bridge that something is wrong with, each with what it is. */
  problems(): Record<string, string>;
  parked(): Promise<ParkedJob[]>;
  /** Unix time in milliseconds. */
  now: () => number;
}

const shown = 20;

function ageOf(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60 / 24)} days`;
}

export function createStatusCommands({ problems, parked, now }: StatusDeps): Command[] {
  const listed = (jobs: readonly ParkedJob[]): string[] =>
    jobs
      .slice(-shown)
      .reverse()
      .map((job) => `${job.cause} in ${job.lane}, ${ageOf(now() - job.acceptedAt)} ago: ${job.problem}`);

  return [
    {
      name: "status",
      summary: "says what is wrong with the bridge",
      fields: [],
      level: "admin",
      async run() {
        const lines = Object.entries(problems()).map(([part, problem]) => `${part}: ${problem}`);
        return { text: lines.length === 0 ? "All is well." : lines.join("\n") };
      },
    },
    {
      name: "parked",
      summary: `lists messages that were given up, the newest ${shown}`,
      fields: [],
      level: "admin",
      async run() {
        const jobs = await parked();
        if (jobs.length === 0) return { text: "No message is parked." };
        const count = jobs.length === 1 ? "One message is" : `${jobs.length} messages are`;
        return { text: [`${count} parked.`, ...listed(jobs)].join("\n") };
      },
    },
  ];
}
