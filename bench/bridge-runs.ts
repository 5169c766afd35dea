/** The bridge, run after run, each with the database asked for. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../src/config/schema.ts";
import { filesOf, writeFiles } from "../src/init.ts";
import { type BridgeProcess, createBridgeProcess } from "../test/servers/bridge-process.ts";
import { fillConversations, fillMessages } from "./fill.ts";
import { createLeanClient } from "./lean-http.ts";
import { type Usage, usageOf } from "./process-usage.ts";
import type { StubHomeserver } from "./stub-homeserver.ts";

export interface RunsDeps {
  folder: string;
  launcher: string;
  config: Config;
  xmppDomain: string;
  stub: Pick<StubHomeserver, "know">;
}

const manyConversations = 50_000;
const limitMs = 120_000;

export function createRuns({ folder, launcher, config, xmppDomain, stub }: RunsDeps) {
  const known = { config, xmppDomain, conversations: manyConversations };
  const admin = createLeanClient(config.admin.port);
  let bridge: BridgeProcess | undefined;
  let hasEnded = true;
  let runs = 0;
  let filled: Promise<string> | undefined;

  const until = async (isMet: () => Promise<boolean>, what: string, everyMs: number): Promise<void> => {
    const deadline = performance.now() + limitMs;
    while (!(await isMet())) {
      if (performance.now() > deadline)
        throw new Error(`${what} takes too long:\n${bridge?.log().slice(-2000)}`);
      if (hasEnded) throw new Error(`Causeway has ended:\n${bridge?.log().slice(-2000)}`);
      await delay(everyMs);
    }
  };
  const hasLogged = (words: string): boolean => bridge?.log().includes(words) ?? false;
  const isReady = (): Promise<boolean> =>
    admin.request("GET", "/health/ready").then(
      ({ status }) => status === 200 && hasLogged(" listening "),
      () => false,
    );

  const stop = async (): Promise<void> => {
    admin.close();
    await bridge?.stop();
    bridge = undefined;
  };

  return {
    /**
     * Starts it in place of the one before.
     * @param database a file below the stage's folder; a new one where it is left out.
     * @returns milliseconds until it was ready.
     */
    async start(database = join(folder, `run-${runs + 1}.db`)): Promise<number> {
      await stop();
      runs += 1;
      const home = join(folder, `run-${runs}`);
      writeFiles(home, filesOf({ ...config, database: `sqlite:${database}` }), false);
      bridge = createBridgeProcess({
        configFile: join(home, "config.json"),
        adminUrl: `http://127.0.0.1:${config.admin.port}`,
        logFile: join(home, "causeway.log"),
        launcher,
      });
      const begun = performance.now();
      await bridge.start(false);
      hasEnded = false;
      void bridge.ended().then(() => {
        hasEnded = true;
      });
      await until(isReady, "its start", 4);
      return performance.now() - begun;
    },
    /** Resolves once it has compared its rooms with the homeserver's, which each start does beside the messages. */
    async settled(): Promise<void> {
      await until(async () => hasLogged("compared the rooms"), "comparing the rooms", 200);
      await delay(3000);
    },
    usage(): Usage {
      const pid = bridge?.pid();
      if (pid === undefined) throw new Error("the bridge is not running");
      return usageOf(pid);
    },
    /** A database with 50,000 conversations, made once. @returns its file. */
    manyKnown(): Promise<string> {
      filled ??= fillConversations(join(folder, "many.db"), { ...known, stub });
      return filled;
    },
    /** As many messages in those conversations, remembered beside what the database holds. */
    remember: (file: string, messages: number): Promise<void> => fillMessages(file, { ...known, messages }),
    stop,
  };
}
