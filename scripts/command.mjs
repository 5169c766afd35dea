// Runs the programs that a set-up needs: silent while they succeed, with all they said when they fail.
import { spawn } from "node:child_process";

/** A program that could not be started or ended with another code than 0; `output` is all it printed. */
export class CommandError extends Error {
  constructor(message, output) {
    super(message);
    this.name = "CommandError";
    this.output = output;
  }
}

const running = new Set();

/** Asks all programs started by `run` to end; their `run` then rejects. */
export function endRunning() {
  for (const child of running) child.kill("SIGTERM");
}

/** Resolves with what the program printed on stdout and stderr, in order. */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    running.add(child);
    let output = "";
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    child.on("error", (cause) =>
      reject(new CommandError(`${program} could not be started: ${cause.message}`, "")),
    );
    child.on("close", (code, signal) => {
      running.delete(child);
      if (code === 0) resolve(output);
      else reject(new CommandError(`${program} ended with ${signal ?? `code ${code}`}`, output));
    });
  });
}

/** The output of the program, or `undefined` if it failed in any way. */
export function attempt(program, args, options) {
  return run(program, args, options).catch(() => undefined);
}

/** The last lines of an output: enough to see why, short enough for a reason. */
export function lastLines(output, count = 15) {
  return output.trim().split("\n").slice(-count).join("\n");
}

/** Runs a program on this terminal, passes signals on, and resolves with its exit code. */
export function runAttached(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", ...options });
    // A terminal sends Ctrl-C to the child as well; a second one could cut its clean stop short.
    const forward = (signal) => (signal === "SIGINT" && process.stdin.isTTY) || child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward);
    child.on("error", (cause) =>
      reject(new CommandError(`${program} could not be started: ${cause.message}`, "")),
    );
    child.on("close", (code, signal) => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      resolve(code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 1));
    });
  });
}
