/** What a command is, on whichever network it is given and however: as a line of chat or as an ad-hoc form. */
import type { Level } from "../config/permissions.ts";
import type { UserId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";

/** Who gives a command; only people whom the permissions let in get this far. */
export type Caller = { level: Level } & (
  | { network: "matrix"; userId: UserId }
  | { network: "xmpp"; jid: BareJid }
);

/** One argument: the words of a chat line in their order, or the fields of a form. */
export interface Field {
  name: string;
  label: string;
  required?: boolean;
  /** Never stored, logged or repeated, and the message that held it is removed where possible. */
  secret?: boolean;
  /** Of a chat line: whether a word can be this argument. One that cannot is the next one's. */
  fits?: (word: string) => boolean;
}

/** What is said to the caller. */
export interface Reply {
  /** Plain text of one or more lines; what stands between two lines of ``` is there to be copied. */
  text: string;
  /** The command did not do what it was given for. */
  failed?: true;
}

export type Args = Readonly<Record<string, string | undefined>>;

export interface Command {
  /** One or more words in lower case, such as "help" or "notify confirm"; the longest name that fits counts. */
  name: string;
  /** Half a line that says what it does, for the list of commands. */
  summary: string;
  fields: readonly Field[];
  /** Where it can be given; everywhere if left out. */
  network?: Caller["network"];
  /** The level that it takes; "user" if left out. */
  level?: "admin";
  /** What it answers is for the caller alone, so it is not given where others read along. */
  private?: true;
  /** May be called twice where the bridge was stopped before the answer was known to have arrived. */
  run(caller: Caller, args: Args): Promise<Reply>;
}

export const isAllowed = ({ network, level }: Command, caller: Caller): boolean =>
  (network ?? caller.network) === caller.network && (level === undefined || caller.level === level);
