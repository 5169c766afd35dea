/** A set-up to be checked: both servers as stand-ins, a configuration file that fits them, and the bridge if wanted. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { z } from "zod";
import { startApp } from "../../src/app.ts";
import type { Result } from "../../src/check/check.ts";
import { type CheckDeps, checkSetup } from "../../src/check/checks.ts";
import { lineOf } from "../../src/check/report.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { configSchema } from "../../src/config/schema.ts";
import { freePort } from "../servers/free-port.ts";
import { temporaryFolder } from "../support/bridge.ts";
import { startFakeHomeserver } from "../support/fake-homeserver.ts";
import { startFakeProsody } from "../support/fake-prosody.ts";
import { createLogLines } from "../support/log-lines.ts";
import { waitFor } from "../support/wait-for.ts";

type Input = z.input<typeof configSchema>;

export async function setUp(t: TestContext) {
  const homeserver = await startFakeHomeserver();
  const prosody = await startFakeProsody();
  const folder = temporaryFolder();
  t.after(async () => {
    await Promise.all([homeserver.close(), prosody.stop()]);
    folder.remove();
  });
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  homeserver.connect(url);
  prosody.connect(url);
  const file = join(folder.path, "config.json");
  const sound: Input = {
    homeserver: { url: homeserver.url, domain: homeserver.domain },
    appservice: { id: "causeway", url, asToken: homeserver.asToken, hsToken: homeserver.hsToken },
    xmpp: {
      component: prosody.component,
      restUrl: prosody.restUrl,
      restAuth: { username: prosody.component, password: prosody.secret },
      callbackSecret: prosody.callbackSecret,
    },
    listen: { host: "127.0.0.1", port },
    admin: { host: "127.0.0.1", port: adminPort },
    publicUrl: url,
    database: "sqlite:causeway.db",
    permissions: { "hs.test": "user" },
  };
  const write = (text: string): void => {
    writeFileSync(file, text);
    chmodSync(file, 0o600);
  };
  let ids = 0;
  const deps: CheckDeps = {
    file,
    env: {},
    readFile: (path) => readFileSync(path, "utf8"),
    now: () => Date.now(),
    newId: () => `check-${ids++}`,
  };
  const sources = { file, env: {}, readFile: deps.readFile };

  return {
    homeserver,
    prosody,
    folder: folder.path,
    file,
    port,
    adminPort,
    url,
    sound,
    write,
    /** Writes the sound configuration with sections in place of its own. */
    configure: (sections: Partial<Input> = {}): void => write(JSON.stringify({ ...sound, ...sections })),
    /** The bridge as it is configured now, once both sides are reached. */
    async run(): Promise<void> {
      const app = await startApp({ config: loadConfig(sources), log: createLogLines().log, clock: Date.now });
      t.after(() => app.stop());
      const ready = () => fetch(`http://127.0.0.1:${adminPort}/health/ready`).then(({ ok }) => ok);
      await waitFor(ready, "the bridge to reach both sides");
    },
    async check(change: Partial<CheckDeps> = {}): Promise<Result[]> {
      const told: Result[] = [];
      const results = await checkSetup({ ...deps, ...change }, (result) => told.push(result));
      if (JSON.stringify(told) !== JSON.stringify(results))
        throw new Error("what was told is not what came out");
      return results;
    },
  };
}

/** The lines that say something, without those that are skipped because of another. */
export const findings = (results: readonly Result[]): string[] =>
  results
    .filter((result) => result.status !== "ok" && !(result.problem ?? "").startsWith("builds on"))
    .map(lineOf);

export const skipped = (results: readonly Result[]): string[] =>
  results.filter((result) => result.status === "skip").map((result) => result.check);
