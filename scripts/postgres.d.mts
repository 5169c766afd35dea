// The types of postgres.mjs for the TypeScript that uses it; it is plain JavaScript because it runs before any install.

/** The folder that `initdb` and `postgres` are in. */
export type FoundPostgres = { programs: string; missing?: never } | { missing: string; programs?: never };

export function findPostgres(): FoundPostgres;
