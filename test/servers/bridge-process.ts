/** Runs Causeway itself as its operator would: a process of its own, from a configuration file. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface BridgeProcess {
  adminUrl: string;
  logFile: string;
  /** The process ID while it runs. */
  pid: () => number | undefined;
  /** Resolves once `/health/ready` says so, or at once where `untilReady` is false. */
  start: (untilReady?: boolean) => Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop: () => Promise<number | null>;
  /** SIGKILL. */
  kill: () => Promise<void>;
  /** All that it has logged so far, over all its runs. */
  log: () => string;
  health: () => Promise<unknown>;
}

const launcher = fileURLToPath(new URL("../../bin/causeway.js", import.meta.url));
const startLimitMs = 60_000;

export interface BridgeProcessOptions {
  configFile: string;
  adminUrl: string;
  logFile: string;
}

export function createBridgeProcess({ configFile, adminUrl, logFile }: BridgeProcessOptions): BridgeProcess {
  let child: ChildProcess | undefined;
  process.once("exit", () => child?.kill("SIGKILL"));

  const end = async (signal: "SIGTERM" | "SIGKILL"): Promise<number | null> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    return child.exitCode;
  };
  const log = (): string => readFileSync(logFile, "utf8");

  return {
    adminUrl,
    logFile,
    pid: () => child?.pid,
    async start(untilReady = true) {
      const output = openSync(logFile, "a");
      const started = spawn(process.execPath, [launcher, "run", "--config", configFile], {
        stdio: ["ignore", output, output],
        env: { PATH: process.env.PATH, HOME: process.env.HOME },
      });
      closeSync(output);
      child = started;
      const deadline = Date.now() + startLimitMs;
      const isReady = () =>
        fetch(`${adminUrl}/health/ready`).then(
          (answer) => answer.ok,
          () => false,
        );
      while (untilReady && !(await isReady())) {
        if (started.exitCode !== null) throw new Error(`Causeway ended while starting:\n${log()}`);
        if (Date.now() > deadline) throw new Error(`Causeway was not ready in time:\n${log()}`);
        await delay(30);
      }
    },
    stop: () => end("SIGTERM"),
    async kill() {
      await end("SIGKILL");
    },
    log,
    health: async () => (await fetch(`${adminUrl}/health/ready`)).json(),
  };
}
