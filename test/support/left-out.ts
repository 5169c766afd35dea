/** Names what is not run on PostgreSQL where there is none, so that it counts as skipped. */
import { globSync } from "node:fs";
import { test } from "node:test";
import { postgresMissing } from "./postgres.ts";

for (const file of globSync("test/{flow,e2e}/**/*.test.ts").sort())
  test(`${file} on PostgreSQL`, { skip: postgresMissing() ?? false }, () => undefined);
