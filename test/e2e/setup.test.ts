/** `causeway init` and `causeway check` with the real servers: a sound set-up passes, and a wrong one says what is wrong. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { prosodyConfigOf } from "../../src/config/prosody.ts";
import { registrationYamlOf } from "../../src/config/registration.ts";
import type { Config } from "../../src/config/schema.ts";
import { completeAnswers, configFromAnswers, filesOf, writeFiles } from "../../src/init.ts";
import { freePort } from "../servers/free-port.ts";
import { serversMissing } from "../servers/location.ts";
import { startProsody } from "../servers/prosody.ts";
import { startStage } from "../servers/stage.ts";
import { startSynapse } from "../servers/synapse.ts";

const skip = serversMissing() ?? false;
const timeout = 120_000;
const launcher = fileURLToPath(new URL("../../bin/causeway.js", import.meta.url));

async function check(configFile: string) {
  const child = spawn(process.execPath, [launcher, "check", "--config", configFile], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [stdout] = await Promise.all([text(child.stdout), once(child, "exit")]);
  const lines = stdout.trimEnd().split("\n");
  return { code: child.exitCode, last: lines.at(-1), failures: lines.filter((line) => /^FAIL/.test(line)) };
}

const sound = { code: 0, last: "All is well.", failures: [] };

test("what init writes passes every check, while the bridge runs and while it does not", {
  skip,
  timeout,
}, async (t) => {
  const stage = await startStage();
  t.after(() => stage.stop());
  const configFile = join(dirname(stage.bridge.logFile), "config.json");
  assert.deepEqual(await check(configFile), sound);
  await stage.bridge.stop();
  assert.deepEqual(await check(configFile), sound);

  // What was put off meanwhile is taken afterwards: the check has not taken it.
  const juliet = await stage.matrixUser("juliet");
  const romeo = await stage.xmppUser("romeo");
  const room = await juliet.createRoom({ is_direct: true, invite: ["@_xmpp_romeo=40xmpp.test:hs.test"] });
  await juliet.sendText(room, "Art thou there?");
  assert.deepEqual(await check(configFile), sound);
  await stage.bridge.start();
  await romeo.waitFor((stanza) => stanza.getChildText("body") === "Art thou there?", 60_000);
});

async function freshConfig(t: TestContext): Promise<{ config: Config; folder: string; file: string }> {
  const folder = mkdtempSync(join(tmpdir(), "causeway-setup-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const answers = await completeAnswers({
    homeserverUrl: `http://127.0.0.1:${await freePort()}`,
    restUrl: `http://127.0.0.1:${await freePort()}/rest`,
    port: String(await freePort()),
    adminPort: String(await freePort()),
  });
  const config = configFromAnswers(answers, () => randomBytes(32).toString("hex"));
  writeFiles(folder, filesOf(config), false);
  return { config, folder, file: join(folder, "config.json") };
}

const portOf = (url: string): number => Number(new URL(url).port);

test("real servers that were set up wrongly are found out", { skip, timeout }, async (t) => {
  const { config, file } = await freshConfig(t);
  const down = await check(file);
  assert.equal(down.code, 1);
  assert.deepEqual(
    down.failures.map((line) => line.slice(0, 18)),
    ["FAIL  homeserver: ", "FAIL  Prosody: Pro"],
  );

  const elsewhere = { ...config, appservice: { ...config.appservice, url: "http://127.0.0.1:9" } };
  const otherSecret = { ...config.xmpp, restAuth: { username: config.xmpp.component, password: "Rosaline" } };
  const [synapse, prosody] = await Promise.all([
    startSynapse({ port: portOf(config.homeserver.url), registrationYaml: registrationYamlOf(elsewhere) }),
    startProsody({
      httpPort: portOf(config.xmpp.restUrl),
      componentConfig: prosodyConfigOf({ ...config, xmpp: otherSecret }),
    }),
  ]);
  t.after(() => Promise.all([synapse.stop(), prosody.stop()]));
  const wrong = await check(file);
  assert.equal(wrong.code, 1);
  assert.deepEqual(
    wrong.failures.map((line) => line.split(". To mend: ")[0]),
    [
      "FAIL  homeserver to bridge: M_CONNECTION_FAILED: the homeserver cannot connect to the bridge",
      "FAIL  credentials: mod_rest refuses xmpp.restAuth",
    ],
  );

  const written = JSON.parse(readFileSync(file, "utf8"));
  const save = (): void => writeFileSync(file, JSON.stringify(written));
  written.xmpp.restAuth.password = "Rosaline";
  written.xmpp.callbackSecret = "another0123456789";
  written.homeserver.domain = "capulet.example";
  save();
  assert.deepEqual(
    (await check(file)).failures.map((line) => line.split(". To mend: ")[0]),
    [
      "FAIL  server name: the homeserver's name is hs.test, not capulet.example",
      "FAIL  homeserver to bridge: M_CONNECTION_FAILED: the homeserver cannot connect to the bridge",
      "FAIL  Prosody to bridge: Prosody shows the bridge another secret than xmpp.callbackSecret",
    ],
  );

  written.appservice.asToken = "another-token-0123";
  written.xmpp.restUrl = written.xmpp.restUrl.replace("127.0.0.1", "localhost");
  save();
  const [registration = "", modRest = "", ...others] = (await check(file)).failures;
  assert.match(registration, /^FAIL {2}registration: .*M_UNKNOWN_TOKEN/);
  assert.match(modRest, /^FAIL {2}mod_rest: there is no mod_rest at http:\/\/localhost:.*status 404/);
  assert.deepEqual(others, []);
});
