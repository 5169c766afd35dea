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
  start: (untilReady?: boolean, circumstances?: Circumstances) => Promise<void>;
  /** Resolves when the process has ended, by whatever hand, with its exit code or its signal. */
  ended: () => Promise<number | NodeJS.Signals | null>;
  /** SIGTERM; resolves with the exit code. */
  stop: () => Promise<number | null>;
  /** SIGKILL. */
  kill: () => Promise<void>;
  /** All that it has logged so far, over all its runs. */
  log: () => string;
  health: () => Promise<unknown>;
}

/** What a run finds, beside its configuration. */
export interface Circumstances {
  /** Arguments of Node, ahead of the launcher. */
  nodeArguments?: string[];
  environment?: Record<string, string>;
  /** A program that starts the bridge, with its arguments. */
  within?: string[];
}

const ofSources = fileURLToPath(new URL("../../bin/causeway.js", import.meta.url));
const startLimitMs = 60_000;

export interface BridgeProcessOptions {
  configFile: string;
  adminUrl: string;
  logFile: string;
  /** What starts it; by default that of the sources. */
  launcher?: string;
}

export function createBridgeProcess(options: BridgeProcessOptions): BridgeProcess {
  const { configFile, adminUrl, logFile, launcher = ofSources } = options;
  let child: ChildProcess | undefined;
  const killIt = (): void => void child?.kill("SIGKILL");

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
    async start(untilReady = true, { nodeArguments = [], environment, within = [] } = {}) {
      const output = openSync(logFile, "a");
      const command = [
        ...within,
        process.execPath,
        ...nodeArguments,
        launcher,
        "run",
        "--config",
        configFile,
      ];
      const [program = "", ...given] = command;
      const started = spawn(program, given, {
        stdio: ["ignore", output, output],
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
      });
      closeSync(output);
      child = started;
      process.once("exit", killIt);
      started.once("exit", () => process.off("exit", killIt));
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
    async ended() {
      if (child && child.exitCode === null && child.signalCode === null) await once(child, "exit");
      return child?.exitCode ?? child?.signalCode ?? null;
    },
    stop: () => end("SIGTERM"),
    async kill() {
      await end("SIGKILL");
    },
    log,
    health: async () => (await fetch(`${adminUrl}/health/ready`)).json(),
  };
}
