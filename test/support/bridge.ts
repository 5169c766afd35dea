/** Runs Causeway between the two stand-ins, inside this process or as the one that people start. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { startApp } from "../../src/app.ts";
import { configSchema, secretsOf } from "../../src/config/schema.ts";
import { createLog } from "../../src/ops/log.ts";
import { freePort } from "../servers/free-port.ts";
import type { FakeHomeserver } from "./fake-homeserver.ts";
import type { FakeProsody } from "./fake-prosody.ts";
import { waitFor } from "./wait-for.ts";

type ConfigInput = z.input<typeof configSchema>;

export interface BridgeOptions {
  homeserver: FakeHomeserver;
  prosody: FakeProsody;
  /** As in the configuration; SQLite in memory where it is left out. */
  database?: string;
  /** Takes the place of whole sections of the configuration. */
  config?: Partial<ConfigInput>;
  /** Unix time in milliseconds. */
  clock?: () => number;
  /** Where its log goes, too: several processes of one bridge may share it. */
  log?: string[];
  /** Another process runs already: all comes to that one until this one listens. */
  isFurther?: boolean;
}

/** A folder of its own, and how to be rid of it. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "causeway-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

async function configFor({ homeserver, prosody, database, config }: BridgeOptions): Promise<ConfigInput> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const { asToken, hsToken, appserviceId, userPrefix } = homeserver;
  return {
    homeserver: { url: homeserver.url, domain: homeserver.domain },
    appservice: { id: appserviceId, url, asToken, hsToken, userPrefix },
    xmpp: {
      component: prosody.component,
      restUrl: prosody.restUrl,
      ...(!prosody.oldModule && { restAuth: { username: prosody.component, password: prosody.secret } }),
      callbackSecret: prosody.callbackSecret,
    },
    listen: { host: "127.0.0.1", port },
    admin: { host: "127.0.0.1", port: adminPort },
    publicUrl: url,
    database: database ?? "sqlite::memory:",
    permissions: { "*": "user" },
    ...config,
  };
}

const isReady = (adminUrl: string): Promise<boolean> =>
  fetch(`${adminUrl}/health/ready`).then(
    ({ status }) => status === 200,
    () => false,
  );

/** Resolves as soon as it listens; `ready()` waits for both sides. */
export async function startBridge(options: BridgeOptions) {
  const input = await configFor(options);
  const config = configSchema.parse(input);
  const lines = options.log ?? [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk).trimEnd());
      done();
    },
  });
  const clock = options.clock ?? Date.now;
  const log = createLog({ level: "debug", format: "text", now: clock, secrets: secretsOf(config), stream });
  const url = input.publicUrl;
  const connect = (): void => {
    options.homeserver.connect(url);
    options.prosody.connect(url);
  };
  if (!options.isFurther) connect();
  const app = await startApp({ config, log, clock });
  if (options.isFurther) connect();
  const adminUrl = `http://127.0.0.1:${app.adminPort}`;
  return {
    url,
    adminUrl,
    /** The log so far, a line each. */
    log: lines,
    ready: (): Promise<true> => waitFor(() => isReady(adminUrl), "both sides to be reached"),
    stop: (): Promise<void> => app.stop(),
  };
}

const executable = fileURLToPath(new URL("../../bin/causeway.js", import.meta.url));

const exitOf = async (child: ChildProcess): Promise<number | NodeJS.Signals> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? (child.signalCode as NodeJS.Signals);
};

/** `causeway run` as a process of its own. Resolves once it answers on the admin port. */
export async function startBridgeProcess(options: BridgeOptions & { folder: string }) {
  const input = await configFor(options);
  const file = join(options.folder, "config.json");
  writeFileSync(file, JSON.stringify(input), { mode: 0o600 });
  const url = input.publicUrl;
  options.homeserver.connect(url);
  options.prosody.connect(url);
  const child = spawn(process.execPath, [executable, "run", "--config", file], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const adminUrl = `http://127.0.0.1:${input.admin.port}`;
  await waitFor(async () => {
    if (child.exitCode !== null) throw new Error(`the bridge ended with ${child.exitCode}: ${output}`);
    return fetch(`${adminUrl}/health/live`).then(
      ({ ok }) => ok,
      () => false,
    );
  }, "the bridge process to listen");

  const end = async (signal: NodeJS.Signals): Promise<number | NodeJS.Signals> => {
    child.kill(signal);
    return exitOf(child);
  };
  return {
    url,
    adminUrl,
    output: (): string => output,
    ready: (): Promise<true> => waitFor(() => isReady(adminUrl), "both sides to be reached"),
    /** At once, with nothing put in order. */
    kill: (): Promise<number | NodeJS.Signals> => end("SIGKILL"),
    /** @returns the exit code once it has stopped by itself. */
    terminate: (): Promise<number | NodeJS.Signals> => end("SIGTERM"),
  };
}
