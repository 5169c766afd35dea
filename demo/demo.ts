/** `npm run demo`: a conversation across the bridge, watched from both ends, and then a bridge to try by hand. */
import { once } from "node:events";
import { serversMissing } from "../test/servers/location.ts";
import { converse } from "./conversation.ts";
import { startRealStage } from "./real-stage.ts";
import type { Stage } from "./stage.ts";
import { startStandInStage } from "./stand-in-stage.ts";

const usage = `Usage: npm run demo [-- --once]

Starts Synapse, Prosody and Causeway on this machine, holds a conversation across the bridge and prints it, then
stays up for your own clients until Ctrl-C. With --once it ends after the conversation. The exit code is 0 only if
every message arrived exactly once and in order.
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process where it stands. */
function interruption(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  });
}

async function play(stage: Stage): Promise<boolean> {
  const faults = [...(await converse(stage, print)), ...((await stage.meetInRooms?.(print)) ?? [])];
  if (faults.length === 0) print("\nAll messages arrived, each once and in order.");
  else
    print(
      `\nNot every message arrived once and in order:\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
    );
  return faults.length === 0;
}

async function main(given: readonly string[]): Promise<number> {
  const unknown = given.find((argument) => argument !== "--once");
  if (unknown !== undefined) {
    print(usage);
    return unknown === "--help" || unknown === "-h" ? 0 : 2;
  }
  const interrupted = interruption().then(() => "interrupted" as const);
  const missing = serversMissing();
  if (missing !== undefined) {
    print(`There is no real Synapse and Prosody here: ${missing}.`);
    print("So the same conversation is held between stand-ins that answer as those servers do.");
  }
  const starting = missing === undefined ? startRealStage() : startStandInStage();
  // Ctrl-C reaches the servers as well, so what is starting ends soon by itself.
  const first = await Promise.race([starting, interrupted]);
  const stage = first === "interrupted" ? await starting.catch(() => undefined) : first;
  if (!stage) return 130;
  try {
    const outcome = first === "interrupted" ? first : await Promise.race([play(stage), interrupted]);
    if (outcome === "interrupted") return 130;
    if (given.includes("--once")) return outcome ? 0 : 1;
    if (stage.invitation === undefined) {
      print("Stand-ins talk to no client of yours, so the demonstration ends here.");
    } else {
      print(`${stage.invitation}\nCtrl-C ends it and deletes everything.`);
      const alive = setInterval(() => undefined, 60_000);
      await interrupted;
      clearInterval(alive);
    }
    return outcome ? 0 : 1;
  } finally {
    await stage.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
// A client's own timers and sockets may outlast it; output to a pipe may not be written yet.
if (process.stdout.writableNeedDrain) await once(process.stdout, "drain");
process.exit();
