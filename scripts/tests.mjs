// npm test: every file on SQLite, and once more on PostgreSQL those that run the whole bridge.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runAttached } from "./command.mjs";
import { say } from "./progress.mjs";

const flagsWithValue = new Set([
  "--test-name-pattern",
  "--test-skip-pattern",
  "--test-reporter",
  "--test-timeout",
  "--test-concurrency",
]);

/** Files given by name replace the whole suite, flags are passed on to `node --test`. */
function parse(given) {
  const flags = [];
  const files = [];
  for (let index = 0; index < given.length; index += 1) {
    const argument = given[index];
    if (!argument.startsWith("-")) files.push(argument);
    else flags.push(argument);
    if (flagsWithValue.has(argument) && index + 1 < given.length) flags.push(given[++index]);
  }
  return { flags, files };
}

const runsBridge = (file) => /(^|\/)test\/(flow|e2e)\//.test(file);

/** What is run on which database, in turn; E2E_DATABASE asks for one of them only. */
function passesOf(files, only) {
  const named = files.length > 0;
  const onSqlite = named ? files : ["test/**/*.test.ts"];
  const onPostgres = named ? files.filter(runsBridge) : ["test/{flow,e2e}/**/*.test.ts"];
  const all = [
    { database: "sqlite", name: "SQLite", files: onSqlite },
    { database: "postgres", name: "PostgreSQL", files: onPostgres },
  ];
  return all.filter((pass) => pass.files.length > 0 && (only ?? pass.database) === pass.database);
}

/** As the runner's own closing lines, for all runs together. */
function printTotals(counts) {
  const sum = (key) => counts.reduce((total, each) => total + each[key], 0);
  const keys = { tests: "tests", suites: "suites", pass: "passed", fail: "failed" };
  const others = { cancelled: "cancelled", skipped: "skipped", todo: "todo", duration_ms: "duration_ms" };
  process.stdout.write("ℹ on all databases together\n");
  for (const [word, key] of Object.entries({ ...keys, ...others }))
    process.stdout.write(`ℹ ${word} ${sum(key)}\n`);
}

/** @returns the exit code. */
export async function runTests(given, { node, root, env }) {
  const { flags, files } = parse(given);
  const has = (flag) => flags.some((each) => each.startsWith(flag));
  const passes = passesOf(files, env.E2E_DATABASE);
  const isCounted = passes.length > 1 && !has("--test-reporter");
  const folder = mkdtempSync(join(tmpdir(), "causeway-totals-"));
  const totals = fileURLToPath(new URL("totals.mjs", import.meta.url));
  // Two real servers per file already fill the two cores that the suite is made for.
  const shared = ["--test", ...(has("--test-concurrency") ? [] : ["--test-concurrency=2"]), ...flags];
  if (!has("--test-reporter")) shared.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  shared.push("--test-global-setup=test/support/global-setup.ts");
  let code = 0;
  try {
    for (const pass of passes) {
      say(`Tests on ${pass.name}`);
      const counting = [
        `--test-reporter=${totals}`,
        `--test-reporter-destination=${join(folder, pass.database)}`,
      ];
      const isLeftOut = pass.database === "postgres" && env.E2E_POSTGRES_MISSING !== undefined;
      const chosen = isLeftOut ? ["test/support/left-out.ts"] : pass.files;
      const ended = await runAttached(node, [...shared, ...(isCounted ? counting : []), ...chosen], {
        cwd: root,
        env: { ...env, E2E_DATABASE: pass.database },
      });
      if (ended >= 128) return ended;
      code ||= ended;
    }
    const written = (pass) => readFileSync(join(folder, pass.database), "utf8");
    if (isCounted) printTotals(passes.map((pass) => JSON.parse(written(pass))));
  } finally {
    rmSync(folder, { recursive: true });
  }
  return code;
}
