/** The command line: each command reads what it needs from the process and hands it on. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { loadConfig } from "./config/load.ts";
import { prosodyConfigOf } from "./config/prosody.ts";
import { registrationYamlOf } from "./config/registration.ts";
import { type Config, secretsOf } from "./config/schema.ts";
import {
  type Answers,
  completeAnswers,
  configFromAnswers,
  filesOf,
  nextSteps,
  questions,
  writeFiles,
} from "./init.ts";
import { type Running, runUntilStopped } from "./ops/lifecycle.ts";
import { createLog } from "./ops/log.ts";

/** @param argv as in `process.argv`. Sets the exit code, and ends the process only where it would not end by itself. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("causeway").description("A bridge between Matrix and XMPP");
  const configured = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option("--config <file>", "the configuration", "config.json");

  const init = program
    .command("init")
    .description("make config.json, registration.yaml and prosody.cfg.lua with fresh secrets")
    .option("--dir <folder>", "where to write them", ".")
    .option("--yes", "ask nothing: take the default for what no option says")
    .option("--force", "overwrite files that are there")
    .action(runInit);
  for (const { flag, message } of Object.values(questions)) init.option(flag, message);

  configured("run", "run the bridge").action(({ config }: { config: string }) => run(config));
  configured("registration", "print the registration for the homeserver").action(
    ({ config }: { config: string }) => void process.stdout.write(registrationYamlOf(load(config))),
  );
  configured("prosody-config", "print the component for Prosody").action(
    ({ config }: { config: string }) => void process.stdout.write(prosodyConfigOf(load(config))),
  );
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.stderr.write(`causeway: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

const load = (file: string): Config =>
  loadConfig({ file, env: process.env, readFile: (path) => readFileSync(path, "utf8") });

type InitOptions = Partial<Answers> & { dir: string; yes?: true; force?: true };

async function runInit({ dir, yes, force, ...given }: InitOptions): Promise<void> {
  if (!yes && !process.stdin.isTTY)
    throw new Error("init asks questions, which needs a terminal; --yes asks none");
  const { input } = await import("@inquirer/prompts");
  const ask = (message: string, fallback: string): Promise<string> => input({ message, default: fallback });
  const answers = await completeAnswers(given, yes ? undefined : ask);
  const config = configFromAnswers(answers, () => randomBytes(32).toString("hex"));
  writeFiles(dir, filesOf(config), force === true);
  process.stdout.write(nextSteps(dir, config));
}

async function run(file: string): Promise<void> {
  const config = load(file);
  const clock = (): number => Date.now();
  const log = createLog({ ...config.logging, now: clock, secrets: secretsOf(config) });
  const start = async (): Promise<Running> => {
    const { startApp } = await import("./app.ts");
    return startApp({ config, log, clock });
  };
  await runUntilStopped({ start, log, now: clock, signals: process, exit: (code) => process.exit(code) });
}
