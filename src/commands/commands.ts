/** All commands together: which of them a caller may give, and how one is run wherever it comes from. */

import { UndeliverableError } from "../bridge/failure.ts";
import type { Log } from "../ops/log.ts";
import { parseLine, usageOf, written } from "./chat.ts";
import {
  type Args,
  addressOf,
  type Caller,
  type Command,
  CommandRefusal,
  isAllowed,
  type Reply,
} from "./command.ts";
import { examplesOf } from "./help.ts";
import { hasLostSecret, hasSecret } from "./secrets.ts";

export interface CommandsDeps {
  list: readonly Command[];
  log: Log;
}

export interface Commands {
  allowed(caller: Caller): Command[];
  /** Never rejects: what goes wrong is an answer as well. */
  run(command: Command, caller: Caller, args: Args): Promise<Reply>;
  /** @param isPrivate nobody else reads along. */
  runLine(caller: Caller, line: string, isPrivate: boolean): Promise<Reply>;
  /** Whether the line gives a secret away to those who can read it. */
  holdsSecret(caller: Caller, line: string): boolean;
}

const failed = (text: string): Reply => ({ text, failed: true });

export function createCommands({ list, log }: CommandsDeps): Commands {
  const allowed = (caller: Caller): Command[] => list.filter((command) => isAllowed(command, caller));

  const run = async (command: Command, caller: Caller, args: Args): Promise<Reply> => {
    const who = addressOf(caller);
    if (hasLostSecret(args)) {
      return failed(
        "The bridge was restarted before it got to this, and it keeps no secrets: send it again.",
      );
    }
    try {
      const reply = await command.run(caller, args);
      log.info("ran a command", { command: command.name, by: who, failed: reply.failed });
      return reply;
    } catch (error) {
      if (error instanceof CommandRefusal || error instanceof UndeliverableError) {
        log.info("refused a command", { command: command.name, by: who, why: error.message });
        return failed(error.message);
      }
      log.warn("a command failed", { command: command.name, by: who, error });
      return failed("The bridge could not do this now; try again later.");
    }
  };

  return {
    allowed,
    run,
    async runLine(caller, text, isPrivate) {
      const line = parseLine(allowed(caller), text);
      if (line.kind === "unknown")
        return failed(`That is no command; ${written(caller, "help")} lists what there is.`);
      const { command } = line;
      if (line.kind === "incomplete")
        return failed(
          [`Usage: ${written(caller, usageOf(command))}`, ...examplesOf(command, caller)].join("\n"),
        );
      if (!isPrivate && hasSecret(command, line.args)) {
        return failed("This holds a secret that others here can read: renew it, and write to me alone.");
      }
      if (!isPrivate && command.private)
        return failed("Write this to me alone: the answer is for nobody else.");
      return run(command, caller, line.args);
    },
    holdsSecret(caller, text) {
      const line = parseLine(allowed(caller), text);
      return line.kind === "command" && hasSecret(line.command, line.args);
    },
  };
}
