/** Plays the dialogue on a stage and prints who wrote what to whom and how long it took. */
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { dialogue, type Spoken } from "./dialogue.ts";
import type { Person, Stage } from "./stage.ts";
import { faultsOf, shownOnXmpp } from "./verdict.ts";

const timeoutMs = 15_000;
/** A repeat would come later than the first, so the last line is given time for one. */
const settleMs = 500;

const heading = (person: Person, other: Person): string =>
  `${person.name.padEnd(6)} is ${person.address} on ${person.network}; on ${other.network} write to ${person.addressAcross}`;

const wording = (name: string, { manner, text }: Spoken): string => {
  const words = text.replaceAll("\n", `\n${" ".repeat(28)}`);
  if (manner === "emote") return `* ${name} ${words}`;
  return manner === "notice" ? `[notice] ${words}` : words;
};

/** Lines of one speaker in a row, which are sent without waiting for each other. */
const turnsOf = (lines: readonly Spoken[]): Spoken[][] =>
  lines.reduce<Spoken[][]>((turns, line) => {
    const last = turns.at(-1);
    if (last?.[0]?.by === line.by) last.push(line);
    else turns.push([line]);
    return turns;
  }, []);

/** @returns a sentence for each fault; none if every message arrived once and in order. */
export async function converse(stage: Stage, print: (line: string) => void): Promise<string[]> {
  const { juliet, romeo } = stage;
  const shown = (line: Spoken): Spoken => (line.by === "juliet" ? { ...line, ...shownOnXmpp(line) } : line);
  print(`\nOn ${stage.servers}:\n`);
  print(heading(juliet, romeo));
  print(heading(romeo, juliet));

  const say = async (line: Spoken): Promise<() => Promise<void>> => {
    const [speaker, listener] = line.by === "juliet" ? [juliet, romeo] : [romeo, juliet];
    const start = performance.now();
    // Watched for from here, since it may be there before the sender's own server has answered.
    const arrival = listener.waitFor(shown(line), timeoutMs).then(
      () => `${(performance.now() - start).toFixed(0)} ms`,
      () => "never",
    );
    await speaker.send(line);
    return async () => {
      const took = await arrival;
      print(
        `${speaker.name.padStart(6)} → ${listener.name.padEnd(6)} ${took.padStart(8)}   ${wording(speaker.name, line)}`,
      );
    };
  };

  print(
    "\nJuliet opens a direct chat and invites Romeo. Each time is from sending to being shown to the other.\n",
  );
  await stage.open();
  for (const turn of turnsOf(dialogue)) {
    const outcomes: (() => Promise<void>)[] = [];
    for (const line of turn) outcomes.push(await say(line));
    for (const outcome of outcomes) await outcome();
  }

  await delay(settleMs);
  const said = (by: Spoken["by"]) => dialogue.filter((line) => line.by === by).map(shown);
  return [
    ...faultsOf("Romeo", said("juliet"), await romeo.seen()),
    ...faultsOf("Juliet", said("romeo"), await juliet.seen()),
  ];
}
