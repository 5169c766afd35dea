import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { checkNames } from "../../src/check/checks.ts";
import { lineOf, summaryOf } from "../../src/check/report.ts";
import { setUp } from "./set-up.ts";

test("a sound set-up passes every check while the bridge does not run, and no database is made", async (t) => {
  const setup = await setUp(t);
  setup.configure();
  const results = await setup.check();
  const notes: Record<string, string> = {
    database: `: the first start makes ${setup.folder}/causeway.db`,
    "listen port": ": free, as the bridge is not running",
  };
  assert.deepEqual(
    results.map(lineOf),
    checkNames.map((name) => `ok    ${name}${notes[name] ?? ""}`),
  );
  assert.equal(summaryOf(results), "All is well.");
  assert.deepEqual(readdirSync(setup.folder), ["config.json"]);
});

test("a sound set-up passes every check while the bridge runs", async (t) => {
  const setup = await setUp(t);
  setup.configure({ permissions: { "*": "user" } });
  await setup.run();
  const notes: Record<string, string> = {
    permissions: ": everybody may use the bridge, people of other servers too",
    "listen port": ": the bridge is running",
  };
  assert.deepEqual(
    (await setup.check()).map(lineOf),
    checkNames.map((name) => `ok    ${name}${notes[name] ?? ""}`),
  );
});
