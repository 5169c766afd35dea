/** Names each value of the configuration as an environment variable and reads the ones that are set. */
import type { z } from "zod";
import { configSchema } from "./schema.ts";

export interface Problem {
  /** Where: a path in the configuration, the name of a variable, or the file itself. */
  path: string;
  problem: string;
}

/** A value from the environment and the place it goes to. */
export interface Override {
  path: readonly string[];
  value: unknown;
}

const prefix = "CAUSEWAY_";

/** `["appservice", "asToken"]` → `CAUSEWAY_APPSERVICE__AS_TOKEN` */
export const envNameOf = (path: readonly string[]): string =>
  prefix + path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join("__");

/** The way back from {@link envNameOf}. */
export const pathOfEnvName = (name: string): string[] =>
  name
    .slice(prefix.length)
    .split("__")
    .map((word) => word.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));

const places = new Map(placesIn(configSchema).map((place) => [envNameOf(place.path), place]));

/** Every variable that there is. */
export const variables: readonly string[] = [...places.keys()];

/** @returns what the environment says, outer values first, and what is wrong with it. */
export function readOverrides(
  env: Record<string, string | undefined>,
  readFile: (path: string) => string,
): { overrides: Override[]; problems: Problem[] } {
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  for (const [name, given] of Object.entries(env).sort()) {
    if (given === undefined || !name.startsWith(prefix)) continue;
    const fromFile = !places.has(name) && name.endsWith("_FILE");
    const target = fromFile ? name.slice(0, -"_FILE".length) : name;
    const place = places.get(target);
    if (!place) {
      problems.push({ path: name, problem: "is not a known variable" });
    } else if (fromFile && env[target] !== undefined) {
      problems.push({ path: name, problem: `is set together with ${target}; only one of them can count` });
    } else {
      const read = readValue(given, fromFile, place.isText, readFile);
      if ("problem" in read) problems.push({ path: name, problem: read.problem });
      else overrides.push({ path: place.path, value: read.value });
    }
  }
  overrides.sort((a, b) => a.path.length - b.path.length);
  return { overrides, problems };
}

function readValue(
  given: string,
  fromFile: boolean,
  isText: boolean,
  readFile: (path: string) => string,
): { value: unknown } | { problem: string } {
  let text = given;
  if (fromFile) {
    try {
      text = readFile(given).replace(/\r?\n$/, "");
    } catch (error) {
      return { problem: `names a file that cannot be read: ${reasonOf(error)}` };
    }
  }
  if (isText) return { value: text };
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { problem: "must be JSON" };
  }
}

/** The system's code where there is one: its message would repeat the path, which a typo may have made a secret. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);

interface Place {
  path: readonly string[];
  /** Whether the variable's text is the value itself and not JSON. */
  isText: boolean;
}

function placesIn(schema: z.core.$ZodType, path: readonly string[] = []): Place[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const here = (isText: boolean): Place[] => (path.length > 0 ? [{ path, isText }] : []);
  switch (def.type) {
    case "object":
      return [
        ...here(false),
        ...Object.entries(def.shape).flatMap(([key, inner]) => placesIn(inner, [...path, key])),
      ];
    case "union":
      return def.options.flatMap((option) => placesIn(option, path));
    case "optional":
    case "default":
    case "prefault":
      return placesIn(def.innerType, path);
    case "pipe":
      return placesIn(def.in, path);
    default:
      return here(def.type === "string" || def.type === "enum");
  }
}
