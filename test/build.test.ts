/** The published package holds no sources: what `npm run build` makes has to run by itself. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

test("the build runs without the sources, with its migrations and the files of its status page", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "causeway-build-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const copied = ["store/migrations", "ops/status/assets"];
  const copies = copied.map((path) => `cp -r src/${path} dist/${dirname(path)}/`);
  assert.equal(scripts.build, ["tsc -p tsconfig.build.json", ...copies].join(" && "), "as below");
  const compiler = join(root, "node_modules/.bin/tsc");
  execFileSync(compiler, ["-p", "tsconfig.build.json", "--outDir", join(folder, "dist")], { cwd: root });
  for (const path of copied) cpSync(join(root, "src", path), join(folder, "dist", path), { recursive: true });
  for (const name of ["bin", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const causeway = (...args: string[]) =>
    spawnSync(process.execPath, [join(folder, "bin/causeway.js"), ...args], { encoding: "utf8" });

  const init = causeway(
    "init",
    "--yes",
    "--dir",
    join(folder, "data"),
    "--homeserver-url",
    "http://127.0.0.1:9",
  );
  assert.deepEqual([init.status, init.stderr], [0, ""]);
  const check = causeway("check", "--json", "--config", join(folder, "data/config.json"));
  assert.equal(check.status, 1);
  const failed = JSON.parse(check.stdout).find(({ check: name }: { check: string }) => name === "homeserver");
  assert.equal(failed.status, "fail");
  const served = execFileSync(
    process.execPath,
    ["--input-type=module", "-e", `await import(${JSON.stringify(join(folder, "dist/app.js"))})`],
    { encoding: "utf8" },
  );
  assert.equal(served, "");
});
