/** Measured runs of messages, each complete before the next begins. */
import { floodUntilSeen, inBatches, paced, type Send } from "./drive.ts";
import { clients } from "./people.ts";
import type { Stage } from "./stage.ts";
import { createTally, type Tally, type TallyOptions } from "./tally.ts";

/** The tallies of what is under way. */
export type Active = Set<Tally>;

/** Messages of one conversation that are under way at once where the homeserver answers at once. */
const depth = 5;
const bareMinimum = 2 * clients;

export interface Meter {
  stage: Stage;
  /** Messages of a measured run. */
  messages: number;
  /** Sends with `drive` and waits until each message has arrived, once and in order. */
  run(name: string, options: TallyOptions, drive: (tally: Tally) => Promise<void>): Promise<Tally>;
  /** As `run`, and the bridge's processor time for each message, in ms. */
  withCpu(run: () => Promise<Tally>): Promise<{ tally: Tally; cpuMs: number }>;
  /** Floods by the ways that several lines have in common. */
  toXmpp(total: number, size: number, conversations?: number): Promise<Tally>;
  toMatrix(total: number, conversations?: number): Promise<Tally>;
  /** A new database's first messages, and enough for the bridge to run as it will: none of it counts. */
  warmUp(): Promise<void>;
  /** As many messages a second of each kind, the kinds side by side. */
  steady(perSecond: number, kinds: readonly Kind[]): Promise<Tally[]>;
}

export interface Kind {
  name: string;
  options: TallyOptions;
  send: Send;
}

export function createMeter(stage: Stage, active: Active, messages: number): Meter {
  const during = async (tallies: readonly Tally[], drive: () => Promise<void>): Promise<void> => {
    for (const tally of tallies) active.add(tally);
    await drive();
    for (const tally of tallies) await tally.complete();
    for (const tally of tallies) active.delete(tally);
  };
  const run: Meter["run"] = async (name, options, drive) => {
    const tally = createTally(name, options);
    await during([tally], () => drive(tally));
    return tally;
  };
  const toXmpp: Meter["toXmpp"] = (total, size, conversations = clients) =>
    run(`to XMPP by ${size}`, { total, conversations }, (one) => inBatches(one, size, stage.transaction));
  const toMatrix: Meter["toMatrix"] = (total, conversations = clients) =>
    run("to Matrix", { total, conversations }, (one) => floodUntilSeen(one, depth, stage.toBridge));

  return {
    stage,
    messages,
    run,
    async withCpu(measured) {
      const before = stage.runs.usage().cpuMs;
      const one = await measured();
      return { tally: one, cpuMs: (stage.runs.usage().cpuMs - before) / one.total };
    },
    toXmpp,
    toMatrix,
    async warmUp() {
      const total = Math.max(bareMinimum, Math.round(messages / 2));
      await toMatrix(total);
      await toXmpp(total, 100);
    },
    async steady(perSecond, kinds) {
      const flows = kinds.map(({ name, options, send }) => ({ tally: createTally(name, options), send }));
      const tallies = flows.map(({ tally }) => tally);
      await during(tallies, () => paced(perSecond, flows));
      return tallies;
    },
  };
}
