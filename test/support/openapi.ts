/** The operations of the Matrix specification's own files (OpenAPI 3.1, see test/spec), with every reference resolved. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";

export type Schema = Record<string, unknown>;

export interface Operation {
  /** As in "GET /users/{userId}". */
  name: string;
  method: string;
  /** What stands before the path. */
  base: string;
  request: Schema | undefined;
  /** By status; undefined where a response declares no JSON body. */
  responses: Map<string, Schema | undefined>;
}

const root = new URL("../spec/data/", import.meta.url);

const pointed = (document: unknown, pointer: string): unknown =>
  pointer
    .split("/")
    .slice(1)
    .reduce((value, key) => (value as Schema)[key], document);

function resolve(value: unknown, from: URL): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, from));
  if (typeof value !== "object" || value === null) return value;
  const { $ref: ref, ...rest } = value as Schema;
  const own = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, resolve(item, from)]));
  if (typeof ref !== "string") return own;
  const [path = "", pointer = ""] = ref.split("#");
  const file = new URL(path.replaceAll("$", "%24"), from);
  const target = resolve(pointed(parse(readFileSync(file, "utf8")), pointer), file);
  return { ...(target as Schema), ...own };
}

/** @param path of a file, counted from the specification's `data`. */
export function readSpec(path: string): Schema {
  return resolve({ $ref: path }, root) as Schema;
}

const jsonOf = (part: unknown): Schema | undefined =>
  (part as { content?: Record<string, { schema?: Schema }> } | undefined)?.content?.["application/json"]
    ?.schema;

export function readOperations(path: string): Operation[] {
  const { paths, servers } = readSpec(path) as {
    paths: Record<string, Record<string, { requestBody?: unknown; responses: Record<string, unknown> }>>;
    servers: { variables: { basePath: { default: string } } }[];
  };
  const base = servers[0]?.variables.basePath.default ?? "";
  return Object.entries(paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, { requestBody, responses }]) => ({
      name: `${method.toUpperCase()} ${route}`,
      method: method.toUpperCase(),
      base,
      request: jsonOf(requestBody),
      responses: new Map(Object.entries(responses).map(([status, response]) => [status, jsonOf(response)])),
    })),
  );
}
