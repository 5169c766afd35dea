/** `causeway check`: every link of a set-up, tried in both directions, whether the bridge runs or not. */
import { ConfigError, loadConfig, type Sources } from "../config/load.ts";
import { type Config, secretsOf } from "../config/schema.ts";
import { createHttp } from "../http/client.ts";
import { type Check, fail, ok, type Result, runChecks, skip } from "./check.ts";
import { adminIsOurs, databaseIsUsable, filesArePrivate, listenIsOurs, somebodyMayUseIt } from "./here.ts";
import {
  ghostMayAct,
  homeserverAnswers,
  homeserverReachesBridge,
  serverNameFits,
  tokenIsKnown,
} from "./homeserver.ts";
import { homeserverClockFits, prosodyClockFits, publicUrlLeadsHere } from "./outside.ts";
import {
  credentialsAreTaken,
  ghostMaySend,
  modRestIsThere,
  prosodyAnswers,
  prosodyReachesBridge,
} from "./prosody.ts";
import { createStandIn } from "./stand-in.ts";

export interface CheckDeps extends Sources {
  /** Unix time in milliseconds. */
  now: () => number;
  /** A fresh ID at each call. */
  newId: () => string;
  /** How long a server may take to answer a request. */
  timeoutMs?: number;
}

const check = (name: string, needs: readonly string[], run: Check["run"]): Check => ({ name, needs, run });

/** In the order in which they are told; what is needed comes first. */
const checks: readonly Check[] = [
  check("private files", [], filesArePrivate),
  check("permissions", [], somebodyMayUseIt),
  check("database", [], databaseIsUsable),
  check("admin port", [], adminIsOurs),
  check("listen port", [], listenIsOurs),
  check("homeserver", [], homeserverAnswers),
  check("registration", ["homeserver"], tokenIsKnown),
  check("server name", ["registration"], serverNameFits),
  check("homeserver to bridge", ["registration", "listen port"], homeserverReachesBridge),
  check("ghost on Matrix", ["server name"], ghostMayAct),
  check("Prosody", [], prosodyAnswers),
  check("mod_rest", ["Prosody"], modRestIsThere),
  check("credentials", ["mod_rest"], credentialsAreTaken),
  check("ghost on XMPP", ["credentials"], ghostMaySend),
  check("Prosody to bridge", ["credentials", "listen port"], prosodyReachesBridge),
  check("homeserver's clock", ["homeserver"], homeserverClockFits),
  check("Prosody's clock", ["Prosody"], prosodyClockFits),
  check("public URL", ["listen port"], publicUrlLeadsHere),
];

const configuration = "configuration";

export const checkNames: readonly string[] = [configuration, ...checks.map(({ name }) => name)];

/** @returns a result for each check; `tell` hears each of them as soon as it is known. */
export async function checkSetup(deps: CheckDeps, tell: (result: Result) => void): Promise<Result[]> {
  let config: Config;
  try {
    config = loadConfig(deps);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map(({ path, problem }) => `${path} ${problem}`).join("; ");
    const results: Result[] = [
      {
        check: configuration,
        ...fail(problems, `correct ${deps.file}; docs/operators.md explains each key`),
      },
      ...checks.map(({ name }) => ({ check: name, ...skip(`builds on \`${configuration}\``) })),
    ];
    results.forEach(tell);
    return results;
  }
  const hide = hiding(secretsOf(config));
  const first: Result = { check: configuration, ...ok() };
  tell(first);
  const { timeoutMs = 10_000 } = deps;
  const http = { headers: {}, maxInFlight: 4, timeoutMs };
  const homeserver = createHttp({ ...http, baseUrl: config.homeserver.url });
  const prosody = createHttp({ ...http, baseUrl: config.xmpp.restUrl });
  const standIn = createStandIn({
    listen: config.listen,
    hsToken: config.appservice.hsToken,
    callbackSecret: config.xmpp.callbackSecret,
  });
  const ground = { config, configFile: deps.file, homeserver, prosody, standIn };
  try {
    const results = await runChecks(checks, { ...ground, now: deps.now, newId: deps.newId }, (result) =>
      tell(hide(result)),
    );
    return [first, ...results.map(hide)];
  } finally {
    homeserver.close();
    prosody.close();
    await standIn.close();
  }
}

/** A server may repeat what it was sent in its error. */
function hiding(secrets: readonly string[]): (result: Result) => Result {
  const clean = (value: string): string =>
    secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), value);
  return (result) => ("problem" in result ? { ...result, problem: clean(result.problem) } : result);
}
