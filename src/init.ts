/** `causeway init`: from a few answers to the three files that a new bridge needs, and what to do with them. */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { prosodyConfigOf } from "./config/prosody.ts";
import { registrationYamlOf } from "./config/registration.ts";
import { type Config, configSchema } from "./config/schema.ts";

export interface Answers {
  homeserverUrl: string;
  domain: string;
  component: string;
  restUrl: string;
  host: string;
  port: string;
  adminPort: string;
  /** An MXID or JID, or empty. */
  adminUser: string;
}

interface Question {
  flag: string;
  message: string;
  fallback: (known: Partial<Answers>) => string;
}

/** In the order in which they are asked; a later default may build on an earlier answer. */
export const questions: Record<keyof Answers, Question> = {
  homeserverUrl: {
    flag: "--homeserver-url <url>",
    message: "Where does the bridge reach the homeserver?",
    fallback: () => "http://127.0.0.1:8008",
  },
  domain: {
    flag: "--domain <name>",
    message: "What is the homeserver's name, as in @alice:NAME?",
    fallback: () => "hs.test",
  },
  component: {
    flag: "--component <domain>",
    message: "Which XMPP domain shall be the bridge's?",
    fallback: () => "bridge.xmpp.test",
  },
  restUrl: {
    flag: "--rest-url <url>",
    message: "Where does the bridge reach Prosody's mod_rest?",
    fallback: () => "http://127.0.0.1:5280/rest",
  },
  host: {
    flag: "--host <address>",
    message: "On which address shall the bridge listen?",
    fallback: () => "127.0.0.1",
  },
  port: { flag: "--port <number>", message: "On which port?", fallback: () => "9555" },
  adminPort: {
    flag: "--admin-port <number>",
    message: "And on which for health and metrics?",
    fallback: ({ port = "9555" }) => String(Number(port) + 1),
  },
  adminUser: {
    flag: "--admin-user <address>",
    message: "Who administers the bridge (MXID or JID, may be left empty)?",
    fallback: () => "",
  },
};

/** Fills in what the flags left open: by asking, or by each question's default. */
export async function completeAnswers(
  given: Partial<Answers>,
  ask?: (message: string, fallback: string) => Promise<string>,
): Promise<Answers> {
  const answers: Partial<Answers> = { ...given };
  for (const [key, { message, fallback }] of Object.entries(questions) as [keyof Answers, Question][]) {
    const standard = fallback(answers);
    answers[key] ??= ask ? (await ask(message, standard)).trim() : standard;
  }
  return answers as Answers;
}

/**
 * @param freshSecret makes a new secret of ASCII letters and digits at each call.
 * @throws Error that names each answer which cannot be used.
 */
export function configFromAnswers(answers: Answers, freshSecret: () => string): Config {
  const { homeserverUrl, domain, component, restUrl, host, port, adminPort, adminUser } = answers;
  // Listening everywhere is no address to call.
  const reached = ["0.0.0.0", "::", "localhost"].includes(host)
    ? "127.0.0.1"
    : host.includes(":")
      ? `[${host}]`
      : host;
  const url = `http://${reached}:${port}`;
  const parsed = configSchema.safeParse({
    homeserver: { url: homeserverUrl, domain },
    appservice: { id: "causeway", url, asToken: freshSecret(), hsToken: freshSecret() },
    xmpp: {
      component,
      restUrl,
      restAuth: { username: component, password: freshSecret() },
      callbackSecret: freshSecret(),
    },
    listen: { host, port: Number(port) },
    admin: { host: "127.0.0.1", port: Number(adminPort) },
    publicUrl: url,
    database: "sqlite:./data/causeway.db",
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

/**
 * Writes all or, where one is there already and `force` is not set, none; only the owner can read them.
 * @throws Error that names the files in the way.
 */
export function writeFiles(dir: string, files: Record<string, string>, force: boolean): void {
  const taken = Object.keys(files).filter((name) => existsSync(join(dir, name)));
  if (taken.length > 0 && !force) {
    throw new Error(`${taken.join(", ")} in ${resolve(dir)} would be overwritten; --force does that`);
  }
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    // Through a new file, since an old one would keep its mode and an interrupted write would leave half of it.
    const fresh = join(dir, `.${name}.${process.pid}`);
    writeFileSync(fresh, text, { mode: 0o600, flag: "wx" });
    chmodSync(fresh, 0o600);
    renameSync(fresh, join(dir, name));
  }
}

/** What is left to do by hand, with Debian's paths as the example. */
export function nextSteps(dir: string, config: Config): string {
  const at = (name: string): string => join(resolve(dir), name);
  return `Wrote ${Object.keys(filesOf(config))
    .map((name) => `\n  ${at(name)}`)
    .join("")}

1. Synapse: let it read the registration,
     sudo install -o matrix-synapse -m 0600 ${at("registration.yaml")} /etc/matrix-synapse/causeway.yaml
   name it in /etc/matrix-synapse/homeserver.yaml,
     app_service_config_files:
       - /etc/matrix-synapse/causeway.yaml
   and restart Synapse:
     sudo systemctl restart matrix-synapse

2. Prosody: needs mod_rest of 2026 or newer (prosody-modules of Debian trixie-backports or sid; the
   one of bookworm-backports takes no credentials of a component), then the component ${config.xmpp.component}:
     sudo install -o root -g prosody -m 0640 ${at("prosody.cfg.lua")} /etc/prosody/conf.d/causeway.cfg.lua
     sudo systemctl restart prosody

3. Causeway:
     causeway run --config ${at("config.json")}
`;
}
