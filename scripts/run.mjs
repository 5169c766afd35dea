// The one way in for npm run demo, npm test, npm run test:faults and npm run bench: sets up what a fresh clone
// lacks, then runs the pinned Node. It must itself run on any Node from 18 on, with nothing installed.
import { fileURLToPath } from "node:url";
import { ensureBrowser } from "./browser.mjs";
import { CommandError, runAttached } from "./command.mjs";
import { ensureDependencies, pinnedNode } from "./dependencies.mjs";
import { ensurePostgres } from "./postgres.mjs";
import { say } from "./progress.mjs";
import { ensureServers } from "./server-tree.mjs";
import { runTests } from "./tests.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const programs = {
  demo: "demo/demo.ts",
  bench: "bench/bench.ts",
  faults: "test/faults/faults.ts",
};

async function main([task = "", ...given]) {
  if (!["setup", "test", ...Object.keys(programs)].includes(task)) {
    say("Usage: node scripts/run.mjs setup|demo|test|faults|bench [--rebuild-servers] [arguments]");
    return 2;
  }
  await ensureDependencies(root);
  if (task === "setup") return 0;
  const rebuild = given.includes("--rebuild-servers");
  const servers = await ensureServers({ rebuild });
  const postgres = task === "demo" ? {} : await ensurePostgres();
  if (task === "test") await ensureBrowser();
  const env = { ...process.env };
  if (postgres.missing) {
    say(`No PostgreSQL: ${postgres.missing}`);
    if (env.E2E_REQUIRE_SERVERS === "1") return 1;
    env.E2E_POSTGRES_MISSING = postgres.missing;
  }
  if (servers.missing) {
    say(`No real servers: ${servers.missing}`);
    if (env.E2E_REQUIRE_SERVERS === "1") return 1;
    env.E2E_SERVERS_MISSING = servers.missing;
  }
  const rest = given.filter((argument) => argument !== "--rebuild-servers");
  const node = pinnedNode(root);
  if (task === "test") return runTests(rest, { node, root, env });
  return runAttached(node, [programs[task], ...rest], { cwd: root, env });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  say(`${error.message}\n${error.output}`);
  process.exitCode = 1;
}
