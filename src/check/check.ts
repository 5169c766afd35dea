/** What a check is, and how checks run: each once those that it builds on are well, all others at the same time. */
import type { Config } from "../config/schema.ts";
import { type Http, NoAnswerError } from "../http/client.ts";
import type { StandIn } from "./stand-in.ts";

export type Outcome =
  | { status: "ok"; note?: string }
  /** `fail`: messages will not cross as they should. `warn`: they will, but something is not as it ought to be. */
  | { status: "warn" | "fail"; problem: string; remedy: string }
  | { status: "skip"; problem: string };

/** What checks look at and look with. */
export interface Ground {
  config: Config;
  configFile: string;
  homeserver: Http;
  prosody: Http;
  standIn: StandIn;
  /** Unix time in milliseconds. */
  now: () => number;
  newId: () => string;
}

export interface Check {
  name: string;
  /** Names of checks without which this one says nothing. */
  needs: readonly string[];
  run(ground: Ground): Promise<Outcome>;
}

export type Result = { check: string } & Outcome;

export const ok = (note?: string): Outcome => ({ status: "ok", ...(note !== undefined && { note }) });
export const fail = (problem: string, remedy: string): Outcome => ({ status: "fail", problem, remedy });
export const warn = (problem: string, remedy: string): Outcome => ({ status: "warn", problem, remedy });
export const skip = (problem: string): Outcome => ({ status: "skip", problem });

const meanings: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such name",
  EAI_AGAIN: "the name could not be looked up",
  ECONNABORTED: "no answer in time",
  ETIMEDOUT: "no answer in time",
  ECONNRESET: "the connection was broken off",
  EPROTO: "it does not speak TLS",
  HPE_INVALID_CONSTANT: "it does not speak HTTP",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate has no known issuer",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

/** Why no answer came, for a person. */
export const reasonOfSilence = ({ code }: NoAnswerError): string =>
  Object.hasOwn(meanings, code) ? `${meanings[code]}, ${code}` : code;

/** What `ask` asks for, or `undefined` where the server took the request and gave no answer in time. */
export async function inTime<T>(ask: Promise<T>): Promise<T | undefined> {
  try {
    return await ask;
  } catch (error) {
    if (error instanceof NoAnswerError && error.sent) return undefined;
    throw error;
  }
}

async function outcomeOf(check: Check, ground: Ground): Promise<Outcome> {
  try {
    return await check.run(ground);
  } catch (error) {
    if (error instanceof NoAnswerError) {
      return fail(`a request got no answer (${reasonOfSilence(error)})`, "run the check again");
    }
    return fail(`the check itself failed: ${(error as Error).message}`, "report this as a fault of Causeway");
  }
}

/** @returns a result for each, in their order, and tells each as soon as it and all before it are known. */
export async function runChecks(
  checks: readonly Check[],
  ground: Ground,
  tell: (result: Result) => void,
): Promise<Result[]> {
  const running = new Map<string, Promise<Result>>();
  for (const check of checks) {
    const needed = check.needs.map((name) => running.get(name));
    const run = async (): Promise<Result> => {
      for (const result of await Promise.all(needed)) {
        if (result && result.status !== "ok" && result.status !== "warn") {
          return { check: check.name, ...skip(`builds on \`${result.check}\``) };
        }
      }
      return { check: check.name, ...(await outcomeOf(check, ground)) };
    };
    running.set(check.name, run());
  }
  const results: Result[] = [];
  for (const result of running.values()) {
    results.push(await result);
    tell(await result);
  }
  return results;
}
