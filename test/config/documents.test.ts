import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { checkNames } from "../../src/check/checks.ts";
import { pathOfEnvName, variables } from "../../src/config/environment.ts";
import { questions } from "../../src/init/questions.ts";

const guide = readFileSync(new URL("../../docs/operators.md", import.meta.url), "utf8");

test("the operators' guide names every key of the configuration", () => {
  const paths = variables.map((name) => pathOfEnvName(name).join("."));
  const keys = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)));
  assert.ok(keys.length > 20);
  assert.deepEqual(
    keys.filter((key) => !guide.includes(`\`${key}\``)),
    [],
  );
});

test("it names every flag of init and every check", () => {
  const flags = Object.values(questions).map(({ flag }) => flag.split(" ")[0]);
  const names = [...flags, ...checkNames];
  assert.deepEqual(
    names.filter((name) => !guide.includes(`\`${name}\``)),
    [],
  );
});

test("each line of the log that it explains is one that the bridge writes", () => {
  const root = new URL("../../", import.meta.url);
  const sources = globSync("src/**/*.ts", { cwd: root }).map((file) =>
    readFileSync(new URL(file, root), "utf8"),
  );
  const section = guide.slice(
    guide.indexOf("\n## Log lines\n"),
    guide.indexOf("\n## When something is down\n"),
  );
  const lines = [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, line = ""]) =>
      line.split("…").map((part) => part.replace(/^:? |:? $/g, "")),
    ),
  );
  assert.ok(lines.length > 40);
  assert.deepEqual(
    lines.filter((line) => !sources.some((source) => source.includes(line))),
    [],
  );
});

test("it explains every line that is logged about rooms and commands", () => {
  const root = new URL("../../", import.meta.url);
  const section = guide.slice(
    guide.indexOf("\n## Log lines\n"),
    guide.indexOf("\n## When something is down\n"),
  );
  const written = globSync("src/{commands,gateway,rooms}/*.ts", { cwd: root }).flatMap((file) => {
    const source = readFileSync(new URL(file, root), "utf8");
    return [...source.matchAll(/\blog\s*\.(?:info|warn|error)\(\s*"([^"]+)"/g)].map(([, line = ""]) => line);
  });
  assert.ok(written.length > 40);
  assert.deepEqual(
    written.filter((line) => !section.includes(`\`${line}\``)),
    [],
  );
});
