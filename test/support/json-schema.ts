/** Checks a value against the part of JSON Schema (2020-12) that the Matrix specification's files use. */
import type { Schema } from "./openapi.ts";

const annotations = new Set(["title", "description", "example", "examples", "format", "$schema"]);

const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
};

type Check = (rule: never, value: unknown, at: string) => string[];

const objectOf = (value: unknown): Record<string, unknown> =>
  typeOf(value) === "object" ? (value as Record<string, unknown>) : {};

const checks: Record<string, Check> = {
  type: (types: string | string[], value, at) => {
    const actual = typeOf(value);
    const fits = [types]
      .flat()
      .some((type) => type === actual || (type === "number" && actual === "integer"));
    return fits ? [] : [`${at} is ${actual}, not ${types}`];
  },
  enum: (values: unknown[], value, at) => (values.includes(value) ? [] : [`${at} is none of ${values}`]),
  pattern: (pattern: string, value, at) =>
    typeof value !== "string" || new RegExp(pattern).test(value) ? [] : [`${at} does not match ${pattern}`],
  required: (keys: string[], value, at) =>
    keys.filter((key) => !Object.hasOwn(objectOf(value), key)).map((key) => `${at}.${key} is missing`),
  properties: (schemas: Record<string, Schema>, value, at) =>
    Object.entries(objectOf(value)).flatMap(([key, item]) => {
      const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
      return schema ? problemsOf(schema, item, `${at}.${key}`) : [];
    }),
  // None of the files has `properties` beside it.
  additionalProperties: (schema: Schema, value, at) =>
    Object.entries(objectOf(value)).flatMap(([key, item]) => problemsOf(schema, item, `${at}.${key}`)),
  items: (schema: Schema, value, at) =>
    Array.isArray(value) ? value.flatMap((item, n) => problemsOf(schema, item, `${at}[${n}]`)) : [],
  allOf: (schemas: Schema[], value, at) => schemas.flatMap((schema) => problemsOf(schema, value, at)),
};

/**
 * What is wrong with the value, a line each.
 * @throws Error for a rule that is not known here, so that nothing passes unchecked.
 */
export function problemsOf(schema: Schema, value: unknown, at = "body"): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (annotations.has(keyword) || keyword.startsWith("x-")) return [];
    const check = checks[keyword];
    if (!check) throw new Error(`this schema check knows no "${keyword}"`);
    return check(rule as never, value, at);
  });
}
