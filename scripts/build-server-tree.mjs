// Builds the Debian sid tree with Synapse and Prosody; server-tree.mjs starts it under a lock, never two at once.
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { environment, installPackage } from "./apt.mjs";
import { attempt, CommandError, endRunning, lastLines, run } from "./command.mjs";
import { say, step } from "./progress.mjs";
import { findServers, stamp, treeFolder } from "./server-tree.mjs";

// lua5.4-unbound is what Prosody resolves names with; without it, it warns and uses an older library.
const packages = ["matrix-synapse", "prosody", "prosody-modules", "lua5.4-unbound"];

/** The machine's own proxy and certificate settings for apt, in apt.conf syntax. */
async function aptNetworkSettings() {
  const dump = (await attempt("apt-config", ["dump"])) ?? "";
  return dump.split("\n").filter((line) => /^Acquire::https?::.*(proxy|cainfo|verify)/i.test(line));
}

async function installDebootstrap() {
  if (await attempt("debootstrap", ["--version"])) return;
  await step("Installing debootstrap", () => installPackage("debootstrap"));
}

/** debootstrap fetches with wget, which knows a proxy only from the environment. */
function bootstrapEnvironment(settings) {
  const proxy = settings.map((line) => /^Acquire::http::Proxy "(http[^"]+)"/i.exec(line)?.[1]).find(Boolean);
  return proxy && !environment.http_proxy ? { ...environment, http_proxy: proxy } : environment;
}

async function installServers(tree, settings) {
  writeFileSync(join(tree, "etc/apt/apt.conf.d/90network"), `${settings.join("\n")}\n`);
  // Tells Debian's package scripts to start no daemon.
  const policy = join(tree, "usr/sbin/policy-rc.d");
  writeFileSync(policy, "#!/bin/sh\nexit 101\n");
  chmodSync(policy, 0o755);
  const inside = (...command) => run("chroot", [tree, ...command], { env: environment });
  // The lists are those that debootstrap left: sid's Release file may count as expired to apt-get update.
  await inside(
    "apt-get",
    "-o",
    "Acquire::Check-Valid-Until=false",
    "install",
    "-y",
    "--no-install-recommends",
    ...packages,
  );
  await inside("apt-get", "clean");
}

async function versions(tree) {
  const inside = (...command) => run("chroot", [tree, ...command], { env: environment });
  // Its default configuration would have it refuse to run as root.
  writeFileSync(join(tree, "tmp/check.cfg.lua"), "run_as_root = true\n");
  const prosody = await inside("prosodyctl", "--config", "/tmp/check.cfg.lua", "about");
  const synapse = await inside(
    "python3",
    "-c",
    "import synapse.app.homeserver, synapse.util as u; print(u.SYNAPSE_VERSION)",
  );
  return `Synapse ${lastLines(synapse, 1)}\n${/^Prosody \d.*$/m.exec(prosody)?.[0]}\n`;
}

/** An interrupted debootstrap leaves /proc and /sys mounted in its tree, and these must not be deleted through it. */
async function removeTree(tree) {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const mount of mounts.filter((path) => path.startsWith(`${tree}/`)).reverse())
    await run("umount", [mount]);
  await run("rm", ["-rf", "--one-file-system", tree]);
}

async function removeLeftovers() {
  const folder = dirname(treeFolder);
  const leftover = readdirSync(folder).filter(
    (name) => name.startsWith(`${basename(treeFolder)}.`) && !name.endsWith(".lock"),
  );
  for (const name of leftover) await removeTree(join(folder, name));
}

async function build() {
  await removeLeftovers();
  await installDebootstrap();
  const settings = await aptNetworkSettings();
  const tree = mkdtempSync(`${treeFolder}.building-`);
  chmodSync(tree, 0o755);
  try {
    await fill(tree, settings);
  } catch (error) {
    await removeTree(tree);
    throw error;
  }
  if (existsSync(treeFolder)) renameSync(treeFolder, `${treeFolder}.old-${process.pid}`);
  renameSync(tree, treeFolder);
  await removeLeftovers();
  say(`Built ${treeFolder}: ${readFileSync(join(treeFolder, stamp), "utf8").trim().replaceAll("\n", ", ")}`);
}

async function fill(tree, settings) {
  const env = bootstrapEnvironment(settings);
  await step("1/3 A minimal Debian sid", () =>
    run("debootstrap", ["--variant=minbase", "sid", tree], { env }),
  );
  await step("2/3 Synapse and Prosody", () => installServers(tree, settings));
  const answer = await step("3/3 Checking that both answer", () => versions(tree));
  writeFileSync(join(tree, stamp), answer);
}

let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    interrupted = true;
    endRunning();
  });
}

try {
  const rebuild = process.argv.includes("--rebuild");
  // Another process may have built it while this one waited for the lock.
  if (rebuild || findServers().root !== treeFolder) {
    say(`Building the tree of real servers in ${treeFolder} (once; about two minutes, 0.8 GB)`);
    await build();
  }
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  if (!interrupted) say(`${error.message}\n${lastLines(error.output)}`);
  process.exitCode = interrupted ? 130 : 1;
}
