import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { type Answers, homeserverKinds, type Question, questions } from "../src/init/questions.ts";
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
  const asked: string[] = [];
  const answers = await completeAnswers(
    { port: "7000", domain: "capulet.example" },
    async ({ flag }, fallback) => {
      asked.push(`${flag.split(" ")[0]} ${fallback}`.trim());
      return flag.startsWith("--component") ? "bridge.montague.example" : fallback;
    },
  );
  assert.deepEqual(asked, [
    "--homeserver synapse",
    "--homeserver-url http://127.0.0.1:8008",
    "--component bridge.xmpp.test",
    "--rest-url http://127.0.0.1:5280/rest",
    "--host 127.0.0.1",
    "--admin-port 7001",
    "--public-url http://127.0.0.1:7000",
    "--database sqlite:./data/causeway.db",
    "--admin-user",
  ]);
  assert.equal(answers.component, "bridge.montague.example");
  assert.equal(answers.domain, "capulet.example");
});

test("the two ports are never the same, whichever of them is asked for", async () => {
  const { port, adminPort } = await completeAnswers({ adminPort: "9555" });
  assert.deepEqual([port, adminPort], ["9556", "9555"]);
  assert.match(questions.port.check("9600", { adminPort: "9600" }) ?? "", /another port than --admin-port/);
});

const usable: Record<keyof Answers, string[]> = {
  homeserver: [...homeserverKinds],
  homeserverUrl: ["http://127.0.0.1:8008", "https://matrix.capulet.example/base/"],
  domain: ["capulet.example", "capulet.example:8448", "[::1]:8448"],
  component: ["matrix.montague.example", "xn--mnchen-3ya.example"],
  restUrl: ["http://127.0.0.1:5280/rest"],
  host: ["127.0.0.1", "::", "0.0.0.0", "localhost", "bridge-1.internal"],
  port: ["1", "9555", "65535"],
  adminPort: ["9556"],
  publicUrl: ["https://bridge.capulet.example"],
  database: [
    "sqlite:./data/causeway.db",
    "postgres://bridge:secret@db.example:5432/causeway?sslmode=require",
  ],
  adminUser: ["", "@juliet:capulet.example", "romeo@montague.example"],
};
const unusable: Record<keyof Answers, [answer: string, problem: RegExp][]> = {
  homeserver: [["Synapse", /must be one of synapse, dendrite, continuwuity, tuwunel/]],
  homeserverUrl: [
    ["matrix.capulet.example", /http:\/\/ or https:\/\/ URL/],
    ["http://juliet:secret@hs.example", /without user/],
    ["", /URL/],
  ],
  domain: [
    ["@juliet:capulet.example", /server name/],
    ["https://capulet.example", /server name/],
  ],
  component: [
    ["Matrix.example", /lower case/],
    ["a b", /domain/],
    ["romeo@montague.example", /domain/],
  ],
  restUrl: [["127.0.0.1:5280/rest", /URL/]],
  host: [
    ["http://127.0.0.1", /IP address/],
    ["-", /IP address/],
    ["999.0.0.1", /IP address/],
    ["", /IP address/],
  ],
  port: [
    ["many", /from 1 to 65535/],
    ["0", /from 1/],
    ["65536", /to 65535/],
    ["80.5", /port/],
  ],
  adminPort: [
    ["x", /port/],
    ["9555", /another port/],
  ],
  publicUrl: [["bridge.example", /URL/]],
  database: [
    ["causeway.db", /sqlite:PATH/],
    ["postgres:causeway", /postgres:\/\/USER/],
  ],
  adminUser: [
    ["@juliet", /MXID/],
    ["a@b@c", /MXID/],
    ["two words", /MXID/],
    ["*", /MXID/],
    ["montague.example", /MXID/],
  ],
};

for (const [key, { check, flag }] of Object.entries(questions) as [keyof Answers, Question][]) {
  test(`an answer to ${flag} is judged at once`, async () => {
    const known = { port: "9555" };
    for (const answer of usable[key]) assert.equal(check(answer, known), undefined, answer);
    for (const [answer, problem] of unusable[key]) {
      assert.match(check(answer, known) ?? "", problem, answer);
      const given = { ...known, [key]: answer };
      const named = new RegExp(`^these options cannot be used:\n  ${flag.split(" ")[0]} must be `);
      await assert.rejects(completeAnswers(given), { message: named });
    }
  });
}

test("flags that cannot be used are all named, before anything is asked or written", (t) => {
  const dir = freshFolder(t);
  const wrong = ["--port", "many", "--component", "A b", "--public-url", "here"];
  assert.deepEqual(causeway("init", "--yes", "--dir", dir, ...wrong), {
    status: 1,
    stdout: "",
    stderr: `causeway: these options cannot be used:
  --component must be a domain in lower case
  --port must be a port, a number from 1 to 65535
  --public-url must be a http:// or https:// URL without user, query or fragment
`,
  });
  assert.deepEqual(readdirSync(dir), []);
});

test("every usable answer makes a configuration", () => {
  fc.assert(
    fc.property(
      fc.record(
        Object.fromEntries(
          Object.entries(usable).map(([key, values]) => [key, fc.constantFrom(...values)]),
        ) as Record<keyof Answers, fc.Arbitrary<string>>,
      ),
      (answers) => {
        const config = configFromAnswers(answers, () => "0123456789abcdef");
        assert.equal(config.listen.host, answers.host);
        assert.equal(config.publicUrl, answers.publicUrl);
      },
    ),
  );
});

/** What each kind of homeserver is told, beyond the files that are the same for all. */
const registering: Record<(typeof homeserverKinds)[number], RegExp> = {
  synapse: /app_service_config_files:\n *- \/etc\/matrix-synapse\/causeway\.yaml.*ip_range_whitelist/s,
  dendrite: /app_service_api:\n *config_files:\n *- /,
  continuwuity: /!admin appservices register\n *```\n.*ip_range_denylist/s,
  tuwunel: /!admin appservices register\n *```\n.*ip_range_denylist/s,
};
for (const kind of homeserverKinds) {
  test(`for ${kind} init says where the registration goes`, (t) => {
    const dir = freshFolder(t);
    const { status, stdout } = causeway("init", "--yes", "--dir", dir, "--homeserver", kind);
    assert.equal(status, 0);
    assert.match(stdout, registering[kind]);
    assert.ok(stdout.includes(`node ${launcher} check --config ${join(dir, "config.json")}`));
    const config = JSON.parse(readFileSync(join(dir, "config.json"), "utf8"));
    for (const secret of [config.appservice.asToken, config.xmpp.restAuth.password]) {
      assert.ok(!stdout.includes(secret));
    }
  });
}

test("with a public address init speaks of the reverse proxy", (t) => {
  const dir = freshFolder(t);
  const { stdout } = causeway(
    "init",
    "--yes",
    "--dir",
    dir,
    "--public-url",
    "https://bridge.capulet.example",
  );
  assert.match(stdout, /reverse proxy hand https:\/\/bridge\.capulet\.example\/_matrix\/push\//);
  assert.match(stdout, /https:\/\/bridge\.capulet\.example\/media\//);
  assert.doesNotMatch(stdout, /ip_range/);
});

test("the files say themselves where they go", (t) => {
  const dir = freshFolder(t);
  causeway("init", "--yes", "--dir", dir);
  const registration = readFileSync(join(dir, "registration.yaml"), "utf8");
  for (const place of ["app_service_config_files", "app_service_api", "!admin appservices register"]) {
    assert.ok(registration.includes(place), place);
  }
  assert.match(
    readFileSync(join(dir, "prosody.cfg.lua"), "utf8"),
    /Where it goes: .*\/etc\/prosody\/conf\.d/s,
  );
});
