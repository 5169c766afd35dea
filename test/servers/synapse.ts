/** Starts a real Synapse for a test: SQLite, one loopback port, no federation, no rate limits. */
import { createHmac, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { createDataFolder } from "./location.ts";
import { createServerProcess } from "./server-process.ts";
import { synapseConfig, synapseLogging } from "./synapse-config.ts";

export interface Synapse {
  /** Base URL without a trailing slash. */
  url: string;
  domain: string;
  logFile: string;
  registerUser: (name: string, password: string) => Promise<{ userId: string; accessToken: string }>;
  /** Stops cleanly and deletes the data. */
  stop: () => Promise<void>;
  /** SIGKILL; data and port stay for `start`. */
  kill: () => Promise<void>;
  /** Starts again after `kill`, with the same data on the same port. */
  start: () => Promise<void>;
  /** Stops cleanly, then starts again with the same data. */
  restart: () => Promise<void>;
}

interface SynapseOptions {
  domain?: string;
  port?: number;
  /** Text of an application service registration. */
  registrationYaml?: string;
  /** Top-level keys of homeserver.yaml that replace or add to those of the tests. */
  config?: Record<string, unknown>;
}

async function answer(response: Response): Promise<Record<string, string>> {
  if (!response.ok) throw new Error(`registering: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

/** Shared-Secret Registration of Synapse's admin API. */
async function registerUser(url: string, secret: string, username: string, password: string) {
  const endpoint = `${url}/_synapse/admin/v1/register`;
  const { nonce = "" } = await answer(await fetch(endpoint));
  const mac = createHmac("sha1", secret)
    .update([nonce, username, password, "notadmin"].join("\0"))
    .digest("hex");
  const body = JSON.stringify({ nonce, username, password, admin: false, mac });
  const { user_id = "", access_token = "" } = await answer(await fetch(endpoint, { method: "POST", body }));
  return { userId: user_id, accessToken: access_token };
}

export async function startSynapse(options: SynapseOptions = {}): Promise<Synapse> {
  const { domain = "hs.test", registrationYaml, config = {} } = options;
  const folder = await createDataFolder("synapse");
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const secret = randomBytes(16).toString("hex");
  const write = (name: string, text: string) => writeFile(join(folder.outside, name), text);

  const settings = synapseConfig({
    domain,
    port,
    folder: folder.inside,
    secret,
    hasRegistration: registrationYaml !== undefined,
  });
  await write("homeserver.yaml", JSON.stringify({ ...settings, ...config }, null, 2));
  await write("logging.yaml", JSON.stringify(synapseLogging, null, 2));
  await write("signing.key", `ed25519 a_test ${randomBytes(32).toString("base64").replace(/=+$/, "")}\n`);
  if (registrationYaml !== undefined) await write("registration.yaml", registrationYaml);

  const logFile = join(folder.outside, "synapse.log");
  const server = createServerProcess({
    name: "Synapse",
    command: [
      "python3",
      "-m",
      "synapse.app.homeserver",
      "--config-path",
      join(folder.inside, "homeserver.yaml"),
    ],
    logFile,
    isReady: async () => (await fetch(`${url}/_matrix/client/versions`)).ok,
  });
  await server.start();

  return {
    url,
    domain,
    logFile,
    registerUser: (name, password) => registerUser(url, secret, name, password),
    stop: async () => {
      await server.stop();
      folder.remove();
    },
    kill: server.kill,
    start: server.start,
    restart: async () => {
      await server.stop();
      await server.start();
    },
  };
}
