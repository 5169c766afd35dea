/** Runs one real server as a child process that starts when it is ready, stops by process ID and never outlives the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { serverLocation } from "./location.ts";

const startLimitMs = 60_000;
const stopLimitMs = 10_000;
const pollMs = 30;

export interface ServerProcess {
  /** Starts the server and resolves once `isReady` says so; can be called again after `stop` or `kill`. */
  start: () => Promise<void>;
  /** SIGTERM, then SIGKILL if the server has not ended in time. */
  stop: () => Promise<void>;
  /** SIGKILL: no clean shutdown. */
  kill: () => Promise<void>;
}

interface ServerProcessDeps {
  name: string;
  /** The program and its arguments as seen from inside the tree. */
  command: string[];
  /** Receives what the server prints; appended to across restarts. */
  logFile: string;
  isReady: () => Promise<boolean>;
}

/** The command line that runs `command` among the servers and has the kernel end it with the test process. */
export function wrapCommand(command: string[]): { program: string; args: string[] } {
  const { root } = serverLocation();
  const guard = existsSync("/usr/bin/setpriv") ? ["setpriv", "--pdeathsig", "KILL"] : [];
  const enter = root === "/" ? [] : ["chroot", root];
  const [program = "", ...args] = [...guard, ...enter, ...command];
  return { program, args };
}

function lastLog(file: string): string {
  return readFileSync(file, "utf8").trim().split("\n").slice(-20).join("\n");
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const limit = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
  await ended;
  clearTimeout(limit);
}

export function createServerProcess({ name, command, logFile, isReady }: ServerProcessDeps): ServerProcess {
  let child: ChildProcess | undefined;
  // Reached even when a test file ends through process.exit or an uncaught error.
  process.once("exit", () => child?.kill("SIGKILL"));

  async function untilReady(started: ChildProcess): Promise<void> {
    const deadline = Date.now() + startLimitMs;
    while (!(await isReady().catch(() => false))) {
      if (hasEnded(started)) throw new Error(`${name} ended while starting:\n${lastLog(logFile)}`);
      if (Date.now() > deadline) throw new Error(`${name} was not ready in time:\n${lastLog(logFile)}`);
      await delay(pollMs);
    }
  }

  return {
    start: async () => {
      if (child && !hasEnded(child)) throw new Error(`${name} is running already`);
      const { program, args } = wrapCommand(command);
      const log = openSync(logFile, "a");
      const started = spawn(program, args, {
        stdio: ["ignore", log, log],
        env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8", PYTHONDONTWRITEBYTECODE: "1" },
      });
      closeSync(log);
      child = started;
      await once(started, "spawn");
      try {
        await untilReady(started);
      } catch (error) {
        await end(started, "SIGKILL");
        throw error;
      }
    },
    stop: async () => {
      if (child) await end(child, "SIGTERM");
    },
    kill: async () => {
      if (child) await end(child, "SIGKILL");
    },
  };
}
