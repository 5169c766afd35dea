/** A line of chat as a command: which one is meant, and what each of its fields is given. */
import type { Args, Caller, Command } from "./command.ts";

export type Line =
  | { kind: "command"; command: Command; args: Args }
  /** A required field is missing. */
  | { kind: "incomplete"; command: Command }
  | { kind: "unknown" };

/** What a command begins with where not all that is said is for the bridge. */
export const prefix = "!xmpp";

/** The command as one would write it, such as `notify off [ADDRESS]`. */
export const usageOf = ({ name, fields }: Command): string =>
  [
    name,
    ...fields.map(({ name, required }) => (required ? name.toUpperCase() : `[${name.toUpperCase()}]`)),
  ].join(" ");

/** A command as the caller writes it where they are. */
export const written = ({ place }: Pick<Caller, "place">, line: string): string =>
  place ? `${prefix} ${line}` : line;

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** The words that are the writer's own, without the quotation that stands ahead of an answer in old clients. */
export const withoutQuotation = (body: string): string => body.replace(/^(?:>.*(?:\n|$))+\n*/, "");

/** What follows the prefix, which alone asks for help; undefined where the line does not begin with it. */
export function afterPrefix(text: string): string | undefined {
  const [first, ...rest] = wordsOf(text);
  return first?.toLowerCase() === prefix ? rest.join(" ") || "help" : undefined;
}

const fits = ({ name }: Command, words: readonly string[]): boolean =>
  wordsOf(name).every((word, index) => words[index]?.toLowerCase() === word);

/** Each field takes a word that fits it, and the last one the rest. */
function argsOf({ name, fields }: Command, words: readonly string[]): Args {
  const given = words.slice(wordsOf(name).length);
  const entries = fields.map(({ name, fits }, index): [string, string | undefined] => {
    const isLast = index === fields.length - 1;
    const isLeftOut = !isLast && fits?.(given[0] ?? "") === false;
    return [name, isLeftOut ? undefined : given.splice(0, isLast ? given.length : 1).join(" ") || undefined];
  });
  return Object.fromEntries(entries);
}

/** @returns the required fields that are not given. */
export const missingIn = ({ fields }: Command, args: Args): string[] =>
  fields.filter(({ name, required }) => required && args[name] === undefined).map(({ label }) => label);

export function parseLine(commands: readonly Command[], text: string): Line {
  const words = wordsOf(text);
  const [command] = commands
    .filter((candidate) => fits(candidate, words))
    .sort((a, b) => wordsOf(b.name).length - wordsOf(a.name).length);
  if (!command) return { kind: "unknown" };
  const args = argsOf(command, words);
  return missingIn(command, args).length > 0
    ? { kind: "incomplete", command }
    : { kind: "command", command, args };
}
