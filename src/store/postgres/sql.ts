/** What lies between the SQL that both backends share and PostgreSQL's own: placeholders, text and numbers. */
import pg from "pg";
import type { Row, Value } from "../tables.ts";

const known = new Map<string, string>();

// What is between quotes is left as it is.
const placeholder = /'[^']*'|\?(\d*)/g;

/** Turns `?` for each value in turn, or `?1`, `?2` …, into `$1`, `$2` …. */
function numbered(sql: string): string {
  const before = known.get(sql);
  if (before !== undefined) return before;
  let count = 0;
  const text = sql.replace(placeholder, (match: string, number: string | undefined) => {
    if (match.startsWith("'")) return match;
    count += 1;
    return `$${number || count}`;
  });
  known.set(sql, text);
  return text;
}

/** PostgreSQL's text holds neither U+0000 nor half a character, which others may send us. */
export const cleaned = (text: string): string => text.replaceAll("\0", "\u{fffd}").toWellFormed();

export const bound = (value: Value | undefined): string | number | null =>
  typeof value === "string" ? cleaned(value) : (value ?? null);

const numeric = new Set<number>([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

/** IDs, places and times in milliseconds: all of them far below what a number of JavaScript's can hold. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text") =>
    numeric.has(oid) && format !== ("binary" as string)
      ? Number
      : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig["getTypeParser"],
};

export interface Queryable {
  query(text: string, values?: unknown[]): Promise<pg.QueryResult<Row>>;
}

export const ask = (on: Queryable, sql: string, values: readonly Value[]): Promise<pg.QueryResult<Row>> =>
  on.query(numbered(sql), values.map(bound));
