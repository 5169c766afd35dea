import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { type LifecycleDeps, runUntilStopped, unlessAborted } from "../../src/ops/lifecycle.ts";
import type { Log } from "../../src/ops/log.ts";

async function process(start: LifecycleDeps["start"]) {
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  const signals = new EventEmitter();
  const clock = { ms: 0 };
  const exited = Promise.withResolvers<number>();
  await runUntilStopped({ start, log, now: () => clock.ms, signals, exit: exited.resolve, limitMs: 50 });
  return { lines, signals, clock, code: exited.promise };
}

const never = (): Promise<void> => new Promise(() => {});

test("a signal stops the app and ends the process with 0", async () => {
  let stops = 0;
  const { signals, code, lines } = await process(async () => ({ stop: async () => void stops++ }));
  signals.emit("SIGINT");
  signals.emit("SIGINT"); // Ctrl-C, once from the terminal and once from a launcher
  assert.equal(await code, 0);
  assert.equal(stops, 1);
  assert.deepEqual(lines, ["stopping", "stopped"]);
});

test("a second signal ends it at once with 1", async () => {
  const { signals, clock, code, lines } = await process(async () => ({ stop: never }));
  signals.emit("SIGTERM");
  clock.ms = 1001;
  signals.emit("SIGTERM");
  assert.equal(await code, 1);
  assert.deepEqual(lines, ["stopping", "stopping at once: asked again"]);
});

test("stopping that takes too long ends with 1", async () => {
  const { signals, code, lines } = await process(async () => ({ stop: never }));
  signals.emit("SIGTERM");
  assert.equal(await code, 1);
  assert.deepEqual(lines, ["stopping", "stopping at once: the work in hand took too long"]);
});

test("a start or a stop that fails ends with 1 and one message", async () => {
  const failing = await process(() => Promise.reject(new Error("EADDRINUSE")));
  assert.equal(await failing.code, 1);
  assert.deepEqual(failing.lines, ["could not start"]);
  const { signals, code, lines } = await process(async () => ({
    stop: () => Promise.reject(new Error("disk")),
  }));
  signals.emit("SIGTERM");
  assert.equal(await code, 1);
  assert.deepEqual(lines, ["stopping", "could not stop cleanly"]);
});

test("a signal during a start that takes long gives the start up, and ends the process with 0", async () => {
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  const signals = new EventEmitter();
  const exited = Promise.withResolvers<number>();
  const run = runUntilStopped({
    start: (givenUp) => unlessAborted(never(), givenUp) as Promise<never>,
    log,
    now: () => 0,
    signals,
    exit: exited.resolve,
  });
  signals.emit("SIGTERM");
  await run;
  assert.equal(await exited.promise, 0);
  assert.deepEqual(lines, ["stopping", "stopped"]);
});
