/** The command that says what the others are, and how addresses look. */
import type { Addresses } from "../mapping/addresses.ts";
import type { UserId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { prefix, usageOf } from "./chat.ts";
import { type Caller, type Command, isAllowed } from "./command.ts";

export interface HelpDeps {
  /** The other commands. */
  list: readonly Command[];
  addresses: Addresses;
}

const bob = "bob@xmpp.example" as BareJid;
const alice = "@alice:matrix.example" as UserId;

export function createHelp({ list, addresses }: HelpDeps): Command {
  const addressing = ({ network }: Caller): string[] =>
    network === "matrix"
      ? [
          `To write to ${bob} on XMPP, start a direct chat without encryption with ${addresses.ghostOf(bob)}`,
          `In a room with more people a command begins with ${prefix}, as in: ${prefix} help`,
        ]
      : [`To write to ${alice} on Matrix, send a message to ${addresses.jidOfUser(alice)}`];

  const help: Command = {
    name: "help",
    summary: "lists the commands",
    fields: [],
    async run(caller) {
      const lines = [help, ...list]
        .filter((command) => isAllowed(command, caller))
        .map((command) => `${usageOf(command)} – ${command.summary}`);
      const opening = "This is a bridge between Matrix and XMPP. It takes these commands:";
      return { text: [opening, "", ...lines, "", ...addressing(caller)].join("\n") };
    },
  };
  return help;
}
