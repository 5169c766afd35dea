/** What `database` may be: a file of SQLite, or the address of a PostgreSQL as its own tools write it. */
import { resolve } from "node:path";

export const isPostgres = (database: string): boolean => /^postgres(?:ql)?:/.test(database);

/** The path in `sqlite:PATH`, or ":memory:". */
export const sqlitePathOf = (database: string): string => database.slice("sqlite:".length);

/** A relative SQLite path counts from the folder. */
export function absoluteDatabase(database: string, folder: string): string {
  if (isPostgres(database) || database === "sqlite::memory:") return database;
  return `sqlite:${resolve(folder, sqlitePathOf(database))}`;
}

// A user without a host is one of a socket in the file system, which `?host=` names.
const parse = (database: string): URL | null =>
  URL.parse(database) ?? URL.parse(database.replace("@/", "@localhost/"));

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
};

/** What is wrong with the value, without repeating it; undefined where it can be used. */
export function databaseProblem(database: string): string | undefined {
  if (!isPostgres(database)) {
    return /^sqlite:./.test(database)
      ? undefined
      : "must be sqlite:PATH, such as sqlite:./data/causeway.db, or postgres://USER@HOST/NAME";
  }
  const url = /^\w+:\/\//.test(database) ? parse(database) : null;
  const isReadable =
    url?.hash === "" &&
    [url.username, url.password, url.pathname].every((part) => decoded(part) !== undefined);
  return isReadable
    ? undefined
    : "must be a URL such as postgres://USER:PASSWORD@HOST:5432/NAME; in user and password, characters such as / ? # @ % have to be percent-encoded";
}

/** The password in each form in which it may be met; none where the address holds none. */
export function databaseSecrets(database: string): string[] {
  const url = isPostgres(database) ? parse(database) : null;
  if (!url) return [];
  const [, written = ""] = /^[^/]*\/\/[^/?#@]*?:([^/?#]*)@/.exec(database) ?? [];
  const forms = [written, url.password, decoded(url.password), url.searchParams.get("password")];
  return [...new Set(forms.filter((form) => typeof form === "string" && form !== ""))] as string[];
}

/** The address for people to read, with no password in it. */
export function databaseName(database: string): string {
  const url = isPostgres(database) ? parse(database) : null;
  return url ? `postgres://${url.host}${url.pathname}` : sqlitePathOf(database);
}
