/** The log: one line an event, in logfmt for people or JSON for machines, with every secret taken out. */
import { createLogger, format, transports } from "winston";
import { logfmtLine, printable } from "./logfmt.ts";

export type Fields = Record<string, unknown>;
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Message bodies belong at debug, if anywhere. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** The same log with these fields on every line. */
  child(fields: Fields): Log;
}

export interface LogOptions {
  level: LogLevel;
  format: "text" | "json";
  /** Milliseconds since 1970. */
  now: () => number;
  /** Texts to write as `[secret]` wherever they occur. */
  secrets?: readonly string[];
  /** Standard output where it is left out. */
  stream?: NodeJS.WritableStream;
}

export function createLog({
  level,
  format: shape,
  now,
  secrets = [],
  stream = process.stdout,
}: LogOptions): Log {
  // The longest first, as one secret may be part of another.
  const hidden = secrets.filter((secret) => secret !== "").sort((a, b) => b.length - a.length);
  const shortest = hidden.at(-1)?.length ?? Number.POSITIVE_INFINITY;
  const redact = (text: string): string =>
    text.length < shortest
      ? text
      : hidden.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
  const plain = createPlain(redact, level === "debug");

  const line = format.printf(({ level, message, fields }) => {
    const time = new Date(now()).toISOString();
    const text = redact(String(message));
    const values = Object.entries(fields as Fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]): [string, unknown] => [redact(key), plain(value)]);
    if (shape === "text") return `${time} ${level.padEnd(5)} ${printable(text)}${logfmtLine(values)}`;
    const object = new Map<string, unknown>([
      ["time", time],
      ["level", level],
      ["message", text],
    ]);
    // A field of one of those names must not pass for it.
    for (const [key, value] of values) object.set(object.has(key) ? `${key}_` : key, value);
    return JSON.stringify(Object.fromEntries(object));
  });
  const logger = createLogger({
    level,
    format: line,
    transports: [new transports.Stream({ stream, eol: "\n" })],
  });

  const withFields = (base: Fields): Log => {
    const write =
      (level: LogLevel) =>
      (message: string, fields: Fields = {}): void => {
        logger.log({ level, message, fields: { ...base, ...fields } });
      };
    return {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: (fields) => withFields({ ...base, ...fields }),
    };
  };
  return withFields({});
}

const maxDepth = 5;

/** Makes any value fit for JSON: no secret, no cycle, no endless depth; an error becomes what it says. */
function createPlain(redact: (text: string) => string, withStack: boolean): (value: unknown) => unknown {
  const plain = (value: unknown, above: readonly object[]): unknown => {
    if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
    if (typeof value !== "object") return redact(String(value));
    if (value instanceof Error) return redact(withStack ? (value.stack ?? value.message) : messageOf(value));
    if (value instanceof Date) return String(value.toJSON());
    if (above.includes(value) || above.length >= maxDepth) return "[…]";
    const inside = [...above, value];
    if (Array.isArray(value)) return value.map((item) => plain(item, inside));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [redact(key), plain(item, inside)]));
  };
  return (value) => plain(value, []);
}

/** The message with those of its causes: the outer one says what was tried, the inner ones why it failed. */
function messageOf(error: Error, depth = 0): string {
  const message = error.message || error.name;
  return error.cause instanceof Error && depth < maxDepth
    ? `${message}: ${messageOf(error.cause, depth + 1)}`
    : message;
}
