/** Turns the file and the environment into a configuration, or into the list of all that is wrong with them. */
import { dirname } from "node:path";
import type { z } from "zod";
import { absoluteDatabase } from "./database.ts";
import { type Override, type Problem, readOverrides, reasonOf } from "./environment.ts";
import { type Config, configSchema } from "./schema.ts";

/** All problems at once, so that one round of mending is enough. No value is repeated in it. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  constructor(file: string, problems: readonly Problem[]) {
    const lines = problems.map(({ path, problem }) => `\n  ${path}: ${problem}`);
    super(`the configuration ${file} cannot be used:${lines.join("")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface Sources {
  file: string;
  env: Record<string, string | undefined>;
  /** Reads UTF-8 text or throws. */
  readFile: (path: string) => string;
}

/**
 * A relative SQLite path counts from the folder of the file, and comes back absolute.
 * @throws ConfigError
 */
export function loadConfig({ file, env, readFile }: Sources): Config {
  const { overrides, problems } = readOverrides(env, readFile);
  const base = readBase(file, readFile);
  if ("problem" in base) throw new ConfigError(file, [{ path: file, problem: base.problem }, ...problems]);

  const parsed = configSchema.safeParse(overrides.reduce(withOverride, base.value));
  if (!parsed.success) problems.unshift(...parsed.error.issues.flatMap((issue) => problemsOf(issue)));
  if (!parsed.success || problems.length > 0) throw new ConfigError(file, problems);
  return { ...parsed.data, database: absoluteDatabase(parsed.data.database, dirname(file)) };
}

function readBase(
  file: string,
  readFile: (path: string) => string,
): { value: unknown } | { problem: string } {
  let text: string;
  try {
    text = readFile(file).replace(/^\uFEFF/, "");
  } catch (error) {
    return { problem: `cannot be read: ${reasonOf(error)}` };
  }
  try {
    return { value: JSON.parse(text) };
  } catch {
    const before = text.slice(0, errorOffset(text)).split("\n");
    return { problem: `is not JSON: line ${before.length}, column ${(before.at(-1) ?? "").length + 1}` };
  }
}

/**
 * Where the JSON breaks. The engine's message gives no position for an unexpected token but quotes the text around
 * it, which may be a secret; the shortest beginning that fails for more than being cut off ends with that token.
 */
function errorOffset(text: string): number {
  const messageFor = (end: number): string => {
    try {
      JSON.parse(text.slice(0, end));
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const stated = /at position (\d+)/.exec(messageFor(text.length))?.[1];
  if (stated !== undefined) return Number(stated);
  let [whole, broken] = [0, text.length + 1];
  while (broken - whole > 1) {
    const middle = (whole + broken) >> 1;
    if (messageFor(middle).startsWith("Unexpected token")) broken = middle;
    else whole = middle;
  }
  return whole;
}

function withOverride(base: unknown, { path, value }: Override): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  // A scalar where an object belongs stays, so that the schema can name it.
  if (base !== undefined && !isRecord(base)) return base;
  return { ...base, [key]: withOverride(base?.[key], { path: rest, value }) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function problemsOf(issue: z.core.$ZodIssue, outer: readonly PropertyKey[] = []): Problem[] {
  const at = [...outer, ...issue.path];
  const path = at.map(String).join(".") || "(top level)";
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...at, key].map(String).join("."),
        problem: "is not a known key",
      }));
    case "invalid_union": {
      // The branch with the least wrong is the one that was meant.
      const [nearest] = [...issue.errors].sort((a, b) => a.length - b.length);
      return (nearest ?? []).flatMap((inner) => problemsOf(inner, at));
    }
    case "invalid_key":
      return issue.issues.map(({ message }) => ({ path, problem: message }));
    case "invalid_type":
      return [{ path, problem: typeProblem(issue) }];
    case "invalid_value":
      return [
        { path, problem: `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}` },
      ];
    default:
      return [{ path, problem: issue.message }];
  }
}

const typeProblem = ({ expected, message }: z.core.$ZodIssueInvalidType): string =>
  message.endsWith("received undefined")
    ? "is missing"
    : `must be ${/^[aeiou]/.test(expected) ? "an" : "a"} ${expected}`;
