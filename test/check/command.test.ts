/** `causeway check` as a person and a program run it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Result } from "../../src/check/check.ts";
import { jsonOf, lineOf, summaryOf } from "../../src/check/report.ts";
import { setUp } from "./set-up.ts";

const launcher = fileURLToPath(new URL("../../bin/causeway.js", import.meta.url));

async function causeway(...args: string[]) {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { status: child.exitCode, stdout, stderr };
}

test("a sound set-up ends with 0, a line for each check and a sentence", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const { status, stdout, stderr } = await causeway("check", "--config", setup.file);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(stdout, /^ok {4}configuration\n(ok {4}.*\n){18}All is well\.\n$/);
});

test("a failure ends with 1, and --json is an array with problem and remedy", async (t) => {
  const setup = await setUp(t);
  setup.configure({ permissions: {} });
  const plain = await causeway("check", "--config", setup.file);
  assert.equal(plain.status, 1);
  assert.match(
    plain.stdout,
    /\nFAIL {2}permissions: nobody is let in\. To mend: .*\n1 of 19 checks failed\.\n$/s,
  );
  const { status, stdout } = await causeway("check", "--json", "--config", setup.file);
  assert.equal(status, 1);
  const results: Result[] = JSON.parse(stdout);
  assert.deepEqual(results[2], {
    check: "permissions",
    status: "fail",
    problem: "nobody is let in",
    remedy: 'name who may use the bridge, such as { "capulet.example": "user" }',
  });
  assert.equal(results.filter((result) => result.status === "ok").length, 18);
});

test("a line stays one line, whatever a server says, and the last one counts", () => {
  const results: Result[] = [
    { check: "one", status: "ok", note: "well" },
    { check: "two", status: "warn", problem: "a\nFAIL b", remedy: "c" },
    { check: "three", status: "skip", problem: "builds on `two`" },
  ];
  assert.deepEqual(results.map(lineOf), [
    "ok    one: well",
    "warn  two: a\\u000aFAIL b. To mend: c",
    "skip  three: builds on `two`",
  ]);
  assert.equal(summaryOf(results), "All is well, 1 to look at, 1 could not be tried.");
  const failed: Result[] = [...results, { check: "four", status: "fail", problem: "x", remedy: "y" }];
  assert.equal(summaryOf(failed), "1 of 4 checks failed, 1 to look at, 1 could not be tried.");
  assert.deepEqual(JSON.parse(jsonOf(failed)), failed);
});
