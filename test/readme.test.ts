/** What the README says of a feature is what its cases show. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const cases = new URL("test/cases/", root);

/** The rows of the table of features: its cells without marks of emphasis, and the folder of cases where there is one. */
const rows = (readme.split("\n## What works and what does not\n")[1] ?? "")
  .split("\n## ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .map(([, feature = "", toXmpp = "", toMatrix = "", pairs = ""]) => ({
    feature,
    toXmpp,
    toMatrix,
    folder: /\(test\/cases\/([\w-]+)\)/.exec(pairs)?.[1],
  }));

const waysIn = (folder: string): string[] =>
  readdirSync(new URL(`${folder}/`, cases)).map(
    (file) => JSON.parse(readFileSync(new URL(`${folder}/${file}`, cases), "utf8")).way,
  );

test("every folder of cases has a row in the README's table", () => {
  const named = new Set(rows?.map(({ folder }) => folder).filter(Boolean));
  assert.deepEqual([...named].sort(), readdirSync(cases).sort());
});

for (const { feature, toXmpp, toMatrix, folder } of rows ?? []) {
  if (!folder) continue;
  test(`${feature}: each direction that the README names has cases, and no other`, () => {
    const ways = waysIn(folder);
    const has = (way: string): boolean => ways.some((one) => one === way || one === "both");
    assert.deepEqual([has("to XMPP"), has("to Matrix")], [toXmpp !== "–", toMatrix !== "–"]);
  });
}
