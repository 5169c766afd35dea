/** The bridge, run after run, each with the database and in as many processes as asked for. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../src/config/schema.ts";
import { filesOf, writeFiles } from "../src/init.ts";
import { type BridgeProcess, createBridgeProcess } from "../test/servers/bridge-process.ts";
import { freePort } from "../test/servers/free-port.ts";
import { fillConversations, fillMessages } from "./fill.ts";
import { createLeanClient } from "./lean-http.ts";
import { type Usage, usageOf } from "./process-usage.ts";
import type { StubHomeserver } from "./stub-homeserver.ts";

export interface RunsDeps {
  folder: string;
  launcher: string;
  config: Config;
  xmppDomain: string;
  stub: Pick<StubHomeserver, "know" | "share">;
}

interface Running {
  bridge: BridgeProcess;
  port: number;
  admin: ReturnType<typeof createLeanClient>;
  hasEnded: boolean;
}

const manyConversations = 50_000;
const limitMs = 120_000;

export function createRuns({ folder, launcher, config, xmppDomain, stub }: RunsDeps) {
  const known = { config, xmppDomain, conversations: manyConversations };
  let processes: Running[] = [];
  let runs = 0;
  let filled: Promise<string> | undefined;

  const logs = (): string => processes.map(({ bridge }) => bridge.log().slice(-2000)).join("\n");
  const until = async (isMet: () => Promise<boolean>, what: string, everyMs: number): Promise<void> => {
    const deadline = performance.now() + limitMs;
    while (!(await isMet())) {
      if (performance.now() > deadline) throw new Error(`${what} takes too long:\n${logs()}`);
      if (processes.some(({ hasEnded }) => hasEnded)) throw new Error(`Causeway has ended:\n${logs()}`);
      await delay(everyMs);
    }
  };
  const hasLogged = (words: string): boolean => processes.some(({ bridge }) => bridge.log().includes(words));
  const isReady = ({ bridge, admin }: Running): Promise<boolean> =>
    admin.request("GET", "/health/ready").then(
      ({ status }) => status === 200 && bridge.log().includes(" listening "),
      () => false,
    );
  const areReady = async (): Promise<boolean> =>
    (await Promise.all(processes.map(isReady))).every((ready) => ready);

  const stop = async (): Promise<void> => {
    for (const { admin } of processes) admin.close();
    await Promise.all(processes.map(({ bridge }) => bridge.stop()));
    processes = [];
  };
  /** The first has the ports that the configuration names. */
  const portsOf = async (n: number): Promise<[number, number]> =>
    n === 0 ? [config.listen.port, config.admin.port] : [await freePort(), await freePort()];
  const launch = async (n: number, database: string): Promise<Running> => {
    const home = join(folder, `run-${runs}-${n}`);
    const [port, adminPort] = await portsOf(n);
    const [listen, itsAdmin] = [
      { ...config.listen, port },
      { ...config.admin, port: adminPort },
    ];
    writeFiles(home, filesOf({ ...config, listen, admin: itsAdmin, database }), false);
    const bridge = createBridgeProcess({
      configFile: join(home, "config.json"),
      adminUrl: `http://127.0.0.1:${adminPort}`,
      logFile: join(home, "causeway.log"),
      launcher,
    });
    await bridge.start(false);
    const running = { bridge, port, admin: createLeanClient(adminPort), hasEnded: false };
    void bridge.ended().then(() => {
      running.hasEnded = true;
    });
    return running;
  };

  return {
    /**
     * Starts it in place of the one before.
     * @param database a file below the stage's folder, or the URL of one on PostgreSQL; a new file where it is left out.
     * @returns milliseconds until it was ready.
     */
    async start(database = join(folder, `run-${runs + 1}.db`), count = 1): Promise<number> {
      await stop();
      runs += 1;
      const url = database.startsWith("postgres:") ? database : `sqlite:${database}`;
      const begun = performance.now();
      for (let n = 0; n < count; n += 1) processes.push(await launch(n, url));
      await until(areReady, "its start", 4);
      const taken = performance.now() - begun;
      stub.share(processes.map(({ port }) => port));
      return taken;
    },
    /** Resolves once it has compared its rooms with the homeserver's, which each start does beside the messages. */
    async settled(): Promise<void> {
      await until(async () => hasLogged("compared the rooms"), "comparing the rooms", 200);
      await delay(3000);
    },
    /** Of all processes together. */
    usage(): Usage {
      const used = processes.map(({ bridge }) => usageOf(bridge.pid() ?? Number.NaN));
      const sum = (of: keyof Usage): number => used.reduce((total, one) => total + one[of], 0);
      return { residentMb: sum("residentMb"), peakMb: sum("peakMb"), cpuMs: sum("cpuMs") };
    },
    /** A database with 50,000 conversations, made once. @returns its file. */
    manyKnown(): Promise<string> {
      filled ??= fillConversations(join(folder, "many.db"), { ...known, stub });
      return filled;
    },
    /** As many messages in those conversations, remembered beside what the database holds. */
    remember: (file: string, messages: number): Promise<void> => fillMessages(file, { ...known, messages }),
    stop,
  };
}
