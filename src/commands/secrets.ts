/** Finds what must not be stored of a text that gives a command with a secret in it. */
import type { Args, Command } from "./command.ts";

/** Stands where a secret was. */
const takenOut = "[secret]";

/** Access tokens as Synapse and the Matrix Authentication Service write them: a typing mistake before one hides no command. */
const token = /\b(?:syt|mat|mct|mcr|mar)_[\w.~+/=-]{8,}/g;

/**
 * Replaces all that follows the name of a command with a secret field, wherever it stands, and whatever looks like an
 * access token: better too much than a token in a database, and the bridge gives the whole text back while it runs.
 */
export function createSecretFilter(commands: readonly Command[]): (text: string) => string {
  const names = commands
    .filter(({ fields }) => fields.some(({ secret }) => secret))
    .map(({ name }) => name.split(" ").join("\\s+"));
  if (names.length === 0) return (text) => text.replaceAll(token, takenOut);
  const pattern = new RegExp(`\\b(${names.join("|")})\\s+\\S[^]*`, "i");
  return (text) => text.replace(pattern, `$1 ${takenOut}`).replaceAll(token, takenOut);
}

export const hasSecret = ({ fields }: Command, args: Args): boolean =>
  fields.some(({ name, secret }) => secret && args[name] !== undefined);

/** The bridge has been restarted between accepting the command and getting to it. */
export const hasLostSecret = (args: Args): boolean =>
  Object.values(args).some((value) => value?.includes(takenOut));
