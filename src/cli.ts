/** The command line: each command reads what it needs from the process and hands it on. */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { dirname, isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import {
  databaseName,
  databaseProblem,
  databaseSecrets,
  isPostgres,
  sqlitePathOf,
} from "./config/database.ts";
import { loadConfig, type Sources } from "./config/load.ts";
import { prosodyConfigOf } from "./config/prosody.ts";
import { registrationYamlOf } from "./config/registration.ts";
import { type Config, secretsOf } from "./config/schema.ts";
import { nextSteps } from "./init/next-steps.ts";
import { type Answers, type HomeserverKind, questions } from "./init/questions.ts";
import {
  type Ask,
  completeAnswers,
  configFromAnswers,
  filesOf,
  refuseOverwriting,
  writeFiles,
} from "./init.ts";
import { compileCacheIn } from "./ops/compile-cache.ts";
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
  configured("check", "try every link of the set-up, and say what is wrong and what to do about it")
    .option("--json", "as a JSON array of { check, status, problem?, remedy?, note? }")
    .action(runCheck);
  configured("migrate", "move all that is stored from SQLite to PostgreSQL, or go on with that")
    .requiredOption("--to <address>", "the PostgreSQL database: postgres://USER@HOST/NAME")
    .option("--from <file>", "sqlite:PATH; where left out, the configuration's database")
    .action(runMigrate);
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

const sources = (file: string): Sources => ({
  file,
  env: process.env,
  readFile: (path) => readFileSync(path, "utf8"),
});
const load = (file: string): Config => loadConfig(sources(file));

type InitOptions = Partial<Answers> & { dir: string; yes?: true; force?: true };

/** Each answer is checked as it is given; one that cannot be used is explained and asked for again. */
async function asker(): Promise<Ask> {
  const { input, select } = await import("@inquirer/prompts");
  return ({ message, choices }, fallback, check) =>
    choices
      ? select({ message, choices: [...choices], default: fallback })
      : input({
          message,
          default: fallback,
          transformer: (text) => text.trim(),
          validate: (text) => {
            const problem = check(text.trim());
            return problem === undefined ? true : `This ${problem}.`;
          },
        }).then((text) => text.trim());
}

async function runInit({ dir, yes, force, ...given }: InitOptions): Promise<void> {
  if (!yes && !process.stdin.isTTY)
    throw new Error("init asks questions, which needs a terminal; --yes asks none");
  if (!force) refuseOverwriting(dir);
  const answers = await completeAnswers(given, yes ? undefined : await asker());
  const config = configFromAnswers(answers, () => randomBytes(32).toString("hex"));
  const files = filesOf(config);
  writeFiles(dir, files, force === true);
  const kind = answers.homeserver as HomeserverKind;
  const launcher = fileURLToPath(new URL("../bin/causeway.js", import.meta.url));
  process.stdout.write(nextSteps(dir, Object.keys(files), config, kind, launcher));
}

async function runCheck({ config, json }: { config: string; json?: true }): Promise<void> {
  const { checkSetup } = await import("./check/checks.ts");
  const { isSound, jsonOf, lineOf, summaryOf } = await import("./check/report.ts");
  const print = (text: string): void => void process.stdout.write(text);
  const clock = (): number => Date.now();
  const deps = { ...sources(config), now: clock, newId: randomUUID };
  const results = await checkSetup(deps, (result) => (json ? undefined : print(`${lineOf(result)}\n`)));
  print(json ? jsonOf(results) : `${summaryOf(results)}\n`);
  if (!isSound(results)) process.exitCode = 1;
}

interface MigrateOptions {
  config: string;
  from?: string;
  to: string;
}

async function runMigrate({ config: file, from: given, to }: MigrateOptions): Promise<void> {
  const config = load(file);
  const from = given ?? config.database;
  if (isPostgres(from) || databaseProblem(from) !== undefined) throw new Error("--from must be sqlite:PATH");
  if (!isPostgres(to)) throw new Error("--to must be postgres://USER@HOST/NAME");
  const problem = databaseProblem(to);
  if (problem !== undefined) throw new Error(`--to ${problem}`);
  const secrets = [...secretsOf(config), ...databaseSecrets(to)];
  const { moveToPostgres } = await import("./store/postgres/move.ts");
  await moveToPostgres({
    from: sqlitePathOf(from),
    to,
    installation: { homeserver: config.homeserver.domain, component: config.xmpp.component },
    now: Date.now,
    log: createLog({ ...config.logging, now: Date.now, secrets, stream: process.stderr }),
    tell: (line) => void process.stdout.write(`${line}\n`),
  });
  process.stdout.write(
    `Now set database to the address of ${databaseName(to)} in ${file}, and start the bridge.\n`,
  );
}

async function run(configFile: string): Promise<void> {
  const config = load(configFile);
  const clock = (): number => Date.now();
  const log = createLog({ ...config.logging, now: clock, secrets: secretsOf(config) });
  const file = isPostgres(config.database) ? "" : sqlitePathOf(config.database);
  const compiled = isAbsolute(file) ? compileCacheIn(dirname(file)) : undefined;
  if (compiled !== undefined) enableCompileCache(compiled);
  const start = async (givenUp: AbortSignal): Promise<Running> => {
    const { startApp } = await import("./app.ts");
    return startApp({ config, log, clock, givenUp });
  };
  await runUntilStopped({ start, log, now: clock, signals: process, exit: (code) => process.exit(code) });
}
