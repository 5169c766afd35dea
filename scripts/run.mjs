// The one way in for npm run demo, npm test, npm run test:faults and npm run bench: sets up what a fresh clone
// lacks, then runs the pinned Node. It must itself run on any Node from 18 on, with nothing installed.
import { fileURLToPath } from "node:url";
import { ensureBrowser } from "./browser.mjs";
import { CommandError, runAttached } from "./command.mjs";
import { ensureDependencies, pinnedNode } from "./dependencies.mjs";
import { say } from "./progress.mjs";
import { ensureServers } from "./server-tree.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const flagsWithValue = new Set([
  "--test-name-pattern",
  "--test-skip-pattern",
  "--test-reporter",
  "--test-timeout",
  "--test-concurrency",
]);

/** Arguments of `node --test`: files given by name replace the whole suite, flags are passed on. */
function testArguments(given) {
  const flags = [];
  const files = [];
  for (let index = 0; index < given.length; index += 1) {
    const argument = given[index];
    if (!argument.startsWith("-")) files.push(argument);
    else flags.push(argument);
    if (flagsWithValue.has(argument) && index + 1 < given.length) flags.push(given[++index]);
  }
  const reporter = flags.some((flag) => flag.startsWith("--test-reporter")) ? [] : ["--test-reporter=spec"];
  // Two real servers per file already fill the two cores that the suite is made for.
  const concurrency = flags.some((flag) => flag.startsWith("--test-concurrency"))
    ? []
    : ["--test-concurrency=2"];
  return ["--test", ...reporter, ...concurrency, ...flags, ...(files.length ? files : ["test/**/*.test.ts"])];
}

const tasks = {
  demo: (given) => ["demo/demo.ts", ...given],
  bench: (given) => ["bench/bench.ts", ...given],
  faults: (given) => ["test/faults/faults.ts", ...given],
  test: testArguments,
};

async function main([task = "", ...given]) {
  if (task !== "setup" && !Object.hasOwn(tasks, task)) {
    say("Usage: node scripts/run.mjs setup|demo|test|faults|bench [--rebuild-servers] [arguments]");
    return 2;
  }
  await ensureDependencies(root);
  if (task === "setup") return 0;
  const rebuild = given.includes("--rebuild-servers");
  const servers = await ensureServers({ rebuild });
  if (task === "test") await ensureBrowser();
  const env = { ...process.env };
  if (servers.missing) {
    say(`No real servers: ${servers.missing}`);
    if (env.E2E_REQUIRE_SERVERS === "1") return 1;
    env.E2E_SERVERS_MISSING = servers.missing;
  }
  const rest = given.filter((argument) => argument !== "--rebuild-servers");
  return runAttached(pinnedNode(root), tasks[task](rest), { cwd: root, env });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  say(`${error.message}\n${error.output}`);
  process.exitCode = 1;
}
