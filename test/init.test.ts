import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { completeAnswers, configFromAnswers } from "../src/init.ts";

const launcher = fileURLToPath(new URL("../bin/causeway.js", import.meta.url));

function causeway(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

function freshFolder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "causeway-init-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

test("init writes three private files that fit together and says what to do with them", (t) => {
  const dir = join(freshFolder(t), "new");
  const { status, stdout, stderr } = causeway(
    ...[
      "init",
      "--yes",
      "--dir",
      dir,
      "--domain",
      "capulet.example",
      "--component",
      "bridge.montague.example",
    ],
    ...["--port", "7000", "--admin-user", "@juliet:capulet.example"],
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  for (const name of ["config.json", "registration.yaml", "prosody.cfg.lua"]) {
    assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
    assert.ok(stdout.includes(join(dir, name)), name);
  }
  assert.equal(readdirSync(dir).length, 3);
  const config = JSON.parse(readFileSync(join(dir, "config.json"), "utf8"));
  assert.deepEqual(config.permissions, { "*": "user", "@juliet:capulet.example": "admin" });
  assert.deepEqual([config.listen.port, config.admin.port], [7000, 7001]);
  const { asToken, hsToken } = config.appservice;
  const secrets = new Set([asToken, hsToken, config.xmpp.callbackSecret, config.xmpp.restAuth.password]);
  assert.equal(secrets.size, 4);
  for (const secret of secrets) assert.match(secret, /^[0-9a-f]{64}$/);

  const from = ["--config", join(dir, "config.json")];
  assert.equal(
    causeway("registration", ...from).stdout,
    readFileSync(join(dir, "registration.yaml"), "utf8"),
  );
  assert.equal(
    causeway("prosody-config", ...from).stdout,
    readFileSync(join(dir, "prosody.cfg.lua"), "utf8"),
  );
});

test("one file in the way keeps init from writing any, until it is forced", (t) => {
  const dir = freshFolder(t);
  writeFileSync(join(dir, "prosody.cfg.lua"), "mine", { mode: 0o644 });
  const { status, stderr } = causeway("init", "--yes", "--dir", dir);
  assert.equal(status, 1);
  assert.equal(stderr, `causeway: prosody.cfg.lua in ${dir} would be overwritten; --force does that\n`);
  assert.deepEqual(readdirSync(dir), ["prosody.cfg.lua"]);
  assert.equal(readFileSync(join(dir, "prosody.cfg.lua"), "utf8"), "mine");

  assert.equal(causeway("init", "--yes", "--force", "--dir", dir).status, 0);
  assert.equal(readdirSync(dir).length, 3);
  assert.equal(statSync(join(dir, "prosody.cfg.lua")).mode & 0o777, 0o600);
});

test("without a terminal init asks for --yes, and a broken configuration is told in full", (t) => {
  const dir = freshFolder(t);
  assert.deepEqual(causeway("init", "--dir", dir), {
    status: 1,
    stdout: "",
    stderr: "causeway: init asks questions, which needs a terminal; --yes asks none\n",
  });
  const file = join(dir, "config.json");
  writeFileSync(file, '{"a":1}');
  for (const command of ["run", "registration", "prosody-config"]) {
    const { status, stderr } = causeway(command, "--config", file);
    assert.equal(status, 1);
    assert.match(stderr, /\n {2}homeserver: is missing\n.*\n {2}a: is not a known key\n$/s);
  }
});

test("what the flags left open is asked, each with its default", async () => {
  const asked: [string, string][] = [];
  const answers = await completeAnswers(
    { port: "7000", domain: "capulet.example" },
    async (message, fallback) => {
      asked.push([message, fallback]);
      return fallback === "bridge.xmpp.test" ? " bridge.montague.example " : fallback;
    },
  );
  assert.deepEqual(
    asked.map(([, fallback]) => fallback),
    ["http://127.0.0.1:8008", "bridge.xmpp.test", "http://127.0.0.1:5280/rest", "127.0.0.1", "7001", ""],
  );
  assert.equal(answers.component, "bridge.montague.example");
  assert.equal(answers.domain, "capulet.example");
});

test("answers that cannot be used are all named", async () => {
  const answers = await completeAnswers({ port: "many", component: "A b", adminPort: "1" });
  assert.throws(() => configFromAnswers(answers, () => "0123456789abcdef"), {
    message:
      /^these answers cannot be used:.*xmpp\.component: must be a domain in lower case.*listen\.port: /s,
  });
});
