/** `causeway init`: from a few answers to the three files that a new bridge needs. */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { prosodyConfigOf, reachable } from "./config/prosody.ts";
import { registrationYamlOf } from "./config/registration.ts";
import { type Config, configSchema } from "./config/schema.ts";
import { type Answers, type Question, questions } from "./init/questions.ts";

const entries = Object.entries(questions) as [keyof Answers, Question][];

/**
 * Asks one question until the answer can be used.
 * @param check says what is wrong with an answer, or nothing.
 */
export type Ask = (
  question: Question,
  fallback: string,
  check: (answer: string) => string | undefined,
) => Promise<string>;

/**
 * Fills in what the flags left open: by asking, or by each question's default.
 * @throws Error that names each flag whose value cannot be used, before anything is asked.
 */
export async function completeAnswers(given: Partial<Answers>, ask?: Ask): Promise<Answers> {
  const wrong = entries.flatMap(([key, { flag, check }]) => {
    const value = given[key];
    const problem = value === undefined ? undefined : check(value, given);
    return problem === undefined ? [] : [`\n  ${flag.split(" ", 1)[0]} ${problem}`];
  });
  if (wrong.length > 0) throw new Error(`these options cannot be used:${wrong.join("")}`);
  const answers: Partial<Answers> = { ...given };
  for (const [key, question] of entries) {
    if (answers[key] !== undefined) continue;
    const standard = question.fallback(answers);
    const check = (answer: string): string | undefined => question.check(answer, answers);
    answers[key] = ask ? await ask(question, standard, check) : standard;
  }
  return answers as Answers;
}

/**
 * @param freshSecret makes a new secret of ASCII letters and digits at each call.
 * @throws Error that names each answer which cannot be used.
 */
export function configFromAnswers(answers: Answers, freshSecret: () => string): Config {
  const { homeserverUrl, domain, component, restUrl, host, port, adminPort, publicUrl, database, adminUser } =
    answers;
  const parsed = configSchema.safeParse({
    homeserver: { url: homeserverUrl, domain },
    appservice: {
      id: "causeway",
      url: `http://${reachable(host)}:${port}`,
      asToken: freshSecret(),
      hsToken: freshSecret(),
    },
    xmpp: {
      component,
      restUrl,
      restAuth: { username: component, password: freshSecret() },
      callbackSecret: freshSecret(),
    },
    listen: { host, port: Number(port) },
    admin: { host: "127.0.0.1", port: Number(adminPort), token: freshSecret() },
    publicUrl,
    database,
    permissions: { "*": "user", ...(adminUser === "" ? {} : { [adminUser]: "admin" }) },
  });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `\n  ${path.join(".")}: ${message}`);
  throw new Error(`these answers cannot be used:${problems.join("")}`);
}

/** The files by name, each as text. */
export const filesOf = (config: Config): Record<string, string> => ({
  "config.json": `${JSON.stringify(config, undefined, 2)}\n`,
  "registration.yaml": registrationYamlOf(config),
  "prosody.cfg.lua": prosodyConfigOf(config),
});

const names = ["config.json", "registration.yaml", "prosody.cfg.lua"];

/** @throws Error that names the files in the way. */
export function refuseOverwriting(dir: string): void {
  const taken = names.filter((name) => existsSync(join(dir, name)));
  if (taken.length === 0) return;
  throw new Error(`${taken.join(", ")} in ${resolve(dir)} would be overwritten; --force does that`);
}

/**
 * Writes all or, where one is there already and `force` is not set, none; only the owner can read them.
 * @throws Error that names the files in the way.
 */
export function writeFiles(dir: string, files: Record<string, string>, force: boolean): void {
  if (!force) refuseOverwriting(dir);
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    // Through a new file, since an old one would keep its mode and an interrupted write would leave half of it.
    const fresh = join(dir, `.${name}.${process.pid}`);
    writeFileSync(fresh, text, { mode: 0o600, flag: "wx" });
    chmodSync(fresh, 0o600);
    renameSync(fresh, join(dir, name));
  }
}
