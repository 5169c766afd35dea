/** Starts a real Prosody for a test: plain TCP on loopback, a MUC component, and whatever component the test adds. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, isListening } from "./free-port.ts";
import { createDataFolder, serverLocation } from "./location.ts";
import { prosodyConfig } from "./prosody-config.ts";
import { createServerProcess, wrapCommand } from "./server-process.ts";

export interface Prosody {
  domain: string;
  /** The MUC component. */
  mucDomain: string;
  /** Where client connections go; the domain itself need not resolve. */
  host: string;
  c2sPort: number;
  httpPort: number;
  /** mod_rest of the component that the test's `componentConfig` adds. */
  restUrl: string;
  /** Where the external component connects, if there is one. */
  crowd: { domain: string; secret: string; port: number } | undefined;
  logFile: string;
  addUser: (name: string, password: string) => Promise<void>;
  /** Stops cleanly and deletes the data. */
  stop: () => Promise<void>;
  /** SIGKILL; data and ports stay for `start`. */
  kill: () => Promise<void>;
  /** Starts again after `kill`, with the same data on the same ports. */
  start: () => Promise<void>;
  /** Stops cleanly, then starts again with the same data. */
  restart: () => Promise<void>;
}

interface ProsodyOptions {
  domain?: string;
  httpPort?: number;
  c2sPort?: number;
  /** Lua appended to the configuration, such as a Component block. */
  componentConfig?: string;
  /** Modules of the user domain beyond the usual ones. */
  modules?: string[];
  /** Domain of an external component; see crowd.ts. */
  crowd?: string;
  /** Where message archives live: on disk by default; "memory" is faster past 10,000 messages. */
  archive?: "internal" | "memory";
}

export async function startProsody(options: ProsodyOptions = {}): Promise<Prosody> {
  const { domain = "xmpp.test", componentConfig = "", modules = [], archive = "internal" } = options;
  const folder = await createDataFolder("prosody");
  const c2sPort = options.c2sPort ?? (await freePort());
  const httpPort = options.httpPort ?? (await freePort());
  const crowd = options.crowd
    ? { domain: options.crowd, secret: "secret", port: await freePort() }
    : undefined;
  const mucDomain = `conference.${domain}`;
  const configFile = join(folder.inside, "prosody.cfg.lua");
  const config = prosodyConfig({
    domain,
    mucDomain,
    c2sPort,
    httpPort,
    folder: folder.inside,
    pluginFolder: serverLocation().modules,
    modules,
    crowd,
    archive,
  });
  await writeFile(join(folder.outside, "prosody.cfg.lua"), `${config}\n${componentConfig}\n`);

  const logFile = join(folder.outside, "prosody.log");
  const server = createServerProcess({
    name: "Prosody",
    command: ["prosody", "--config", configFile, "-F"],
    logFile,
    isReady: async () => (await isListening(httpPort)) && (await isListening(c2sPort)),
  });
  await server.start();

  return {
    domain,
    mucDomain,
    host: "127.0.0.1",
    c2sPort,
    httpPort,
    restUrl: `http://127.0.0.1:${httpPort}/rest`,
    crowd,
    logFile,
    addUser: async (name, password) => {
      const command = ["prosodyctl", "--config", configFile, "register", name, domain, password];
      const { program, args } = wrapCommand(command);
      await promisify(execFile)(program, args);
    },
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
