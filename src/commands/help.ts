/** The command that says what the others are, and how addresses look. */
import type { Addresses } from "../mapping/addresses.ts";
import type { UserId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { prefix, usageOf, written } from "./chat.ts";
import { type Caller, type Command, isAllowed } from "./command.ts";

export interface HelpDeps {
  /** The other commands. */
  list: readonly Command[];
  addresses: Addresses;
}

const bob = "bob@xmpp.example" as BareJid;
const alice = "@alice:matrix.example" as UserId;

/** Begins the lines of a list. */
const bullet = "• ";

/** How the command is given where the caller is, a line for each example. */
export const examplesOf = ({ examples = [] }: Command, caller: Caller): string[] =>
  examples.map((example) => `${bullet}${written(caller, example)}`);

const firstWordOf = ({ name }: Command): string => name.split(" ", 1)[0] ?? name;

export function createHelp({ list, addresses }: HelpDeps): Command {
  const addressing = ({ network }: Caller): string[] =>
    network === "matrix"
      ? [
          `To write to ${bob} on XMPP, start a direct chat without encryption with ${addresses.ghostOf(bob)}`,
          `In a room with more people a command begins with ${prefix}, as in: ${prefix} help`,
        ]
      : [`To write to ${alice} on Matrix, send a message to ${addresses.jidOfUser(alice)}`];

  const aboutAll = (allowed: readonly Command[], caller: Caller): string => {
    const groups = Map.groupBy(allowed, firstWordOf);
    const lines = [...groups].flatMap(([word, [command, ...others]]) => {
      const more = others.length > 0 ? `; more: ${written(caller, `help ${word}`)}` : "";
      return command ? [`${bullet}${usageOf(command)} – ${command.summary}${more}`] : [];
    });
    const opening = "This is a bridge between Matrix and XMPP. It takes these commands:";
    const more = `For more about one of them: ${written(caller, "help COMMAND")}`;
    return [opening, ...lines, more, "", ...addressing(caller)].join("\n");
  };

  const aboutOne = (command: Command, caller: Caller): string => {
    const examples = examplesOf(command, caller);
    const lines = [
      `${written(caller, usageOf(command))} – ${command.summary}`,
      ...(command.private ? ["To be written to me alone, since the answer is for nobody else."] : []),
      ...(examples.length > 0 ? ["For example:", ...examples] : []),
    ];
    return lines.join("\n");
  };

  const help: Command = {
    name: "help",
    summary: "lists the commands, or says more about one",
    fields: [{ name: "command", label: "Command, or nothing for all of them" }],
    examples: ["help", "help whois"],
    async run(caller, { command: name }) {
      const allowed = [help, ...list].filter(
        (command) => isAllowed(command, caller) && !(command.private && caller.place),
      );
      if (name === undefined) return { text: aboutAll(allowed, caller) };
      const wanted = name.toLowerCase().split(/\s+/).join(" ");
      const found = allowed.filter(
        (command) => command.name === wanted || command.name.startsWith(`${wanted} `),
      );
      if (found.length === 0) {
        return {
          text: `There is no command ${wanted.slice(0, 40)} for you here; ${written(caller, "help")} lists what there is.`,
          failed: true,
        };
      }
      return { text: found.map((command) => aboutOne(command, caller)).join("\n\n") };
    },
  };
  return help;
}
