#!/usr/bin/env node
// Starts Causeway: on this Node if it is new enough, else on the one that the development dependency `node` pins.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const at = (path) => new URL(path, import.meta.url);
const [major, minor] = process.versions.node.split(".").map(Number);

// Node lets what is young grow to 128 MB before it looks at it, which a bridge has no use for.
const sparing = "--max-semi-space-size=16";
const isSet = /semi-space/.test(`${process.execArgv.join(" ")} ${process.env.NODE_OPTIONS ?? ""}`);

if (major > 24 || (major === 24 && minor >= 12)) {
  // Only at its start can Node be told, so this process becomes another Node; Windows cannot do that.
  if (process.argv[2] === "run" && !isSet && process.execve && process.platform !== "win32") {
    process.execve(process.execPath, [
      process.execPath,
      ...process.execArgv,
      sparing,
      ...process.argv.slice(1),
    ]);
  }
  // A checkout runs its sources; Node strips no types inside node_modules, and an installed package has dist alone.
  const source = at("../src/cli.ts");
  const isCheckout = existsSync(source) && !realpathSync(source).includes("/node_modules/");
  const { main } = await import((isCheckout ? source : at("../dist/cli.js")).href);
  await main(process.argv);
} else if (existsSync(at("../node_modules/.bin/node"))) {
  const pinned = fileURLToPath(at("../node_modules/.bin/node"));
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`causeway: could not start ${pinned}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("close", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
} else {
  process.stderr.write(
    `causeway: this is Node ${process.versions.node}, and Causeway needs 24.12 or newer: install it from ` +
      "https://nodejs.org, or in a checkout run `npm install`, which brings one along\n",
  );
  process.exitCode = 1;
}
