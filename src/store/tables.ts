/** SQL that SQLite and PostgreSQL understand alike: the part of the store that both backends share is written in it. */

export type Value = string | number | null;
export type Row = Record<string, unknown>;

export interface Statement {
  sql: string;
  values: readonly Value[];
}

/** @param sql with `?` for each value in turn, or `?1`, `?2` … where one is meant more than once; never both. */
export const statement = (sql: string, ...values: Value[]): Statement => ({ sql, values });

export interface Tables {
  all(sql: string, ...values: Value[]): Promise<Row[]>;
  one(sql: string, ...values: Value[]): Promise<Row | undefined>;
  /**
   * Commits all of the statements or none, together with whatever else is asked for at the time. When it resolves they
   * would survive the process, and not yet a power cut.
   * @returns how many rows each has changed.
   */
  soon(...statements: Statement[]): Promise<number[]>;
  /** As `soon`; when it resolves they would survive a power cut. */
  durably(...statements: Statement[]): Promise<number[]>;
}
