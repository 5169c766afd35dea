/** The stage of the cluster's run: three processes of one bridge behind balancers, on a PostgreSQL of their own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type BridgeProcess, createBridgeProcess } from "../servers/bridge-process.ts";
import { freePort } from "../servers/free-port.ts";
import { type Balancer, startFirst, startTurns } from "../support/balancer.ts";
import { type FakeHomeserver, startFakeHomeserver } from "../support/fake-homeserver.ts";
import { type FakeProsody, startFakeProsody } from "../support/fake-prosody.ts";
import { waitFor } from "../support/wait-for.ts";

export interface Member {
  name: string;
  bridge: BridgeProcess;
  isUp: boolean;
  /** Starts it and does not wait. */
  start(): Promise<void>;
  /** Whether it says that it leads; undefined where it says nothing. */
  leads(): Promise<boolean | undefined>;
}

export interface ClusterScene {
  homeserver: FakeHomeserver;
  prosody: FakeProsody;
  members: readonly Member[];
  balancers: Record<"ofHomeserver" | "ofProsody", Balancer>;
  /** Resolves once exactly one says that it leads. */
  led(): Promise<Member>;
  /** Resolves once the balancers see every process up. */
  up(): Promise<unknown>;
}

export interface ClusterSceneOptions {
  /** As in the configuration. */
  database: string;
  processes?: number;
  config?: Record<string, unknown>;
}

/** Node's own cache of what it compiled and stripped of types makes a start three times as fast. */
const cacheFolder = join(tmpdir(), "causeway-faults-compile-cache");

async function createMember(
  name: string,
  folder: string,
  config: object,
): Promise<Member & { port: number }> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const configFile = join(folder, `${name}.json`);
  const [listen, admin] = [port, adminPort].map((one) => ({ host: "127.0.0.1", port: one }));
  writeFileSync(configFile, JSON.stringify({ ...config, listen, admin }), { mode: 0o600 });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const bridge = createBridgeProcess({ configFile, adminUrl, logFile: join(folder, `${name}.log`) });
  const member = {
    name,
    port,
    bridge,
    isUp: false,
    async start() {
      member.isUp = true;
      await bridge.start(false, { environment: { NODE_COMPILE_CACHE: cacheFolder } });
      void bridge.ended().then(async (code) => {
        // Whoever finds no database at its start ends, and is started again as a service manager does.
        if (code !== 1 || !member.isUp) return;
        await delay(1000);
        if (member.isUp) await member.start();
      });
    },
    leads: () =>
      fetch(`${adminUrl}/metrics`, { signal: AbortSignal.timeout(3000) })
        .then((answer) => answer.text())
        .then(
          (text) => /^causeway_lead(?:\{.*\})? 1$/m.test(text),
          () => undefined,
        ),
  };
  return member;
}

/** Runs `work` on a fresh stage, and takes the stage down whatever happens. */
export async function onClusterStage<T>(
  { database, processes = 3, config }: ClusterSceneOptions,
  work: (scene: ClusterScene) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "causeway-cluster-"));
  const [homeserver, prosody] = [await startFakeHomeserver(), await startFakeProsody()];
  const publicPort = await freePort();
  const shared = {
    homeserver: { url: homeserver.url, domain: homeserver.domain },
    appservice: {
      id: homeserver.appserviceId,
      url: `http://127.0.0.1:${publicPort}`,
      asToken: homeserver.asToken,
      hsToken: homeserver.hsToken,
      userPrefix: homeserver.userPrefix,
    },
    xmpp: {
      component: prosody.component,
      restUrl: prosody.restUrl,
      restAuth: { username: prosody.component, password: prosody.secret },
      callbackSecret: prosody.callbackSecret,
    },
    publicUrl: `http://127.0.0.1:${publicPort}`,
    database,
    permissions: { "*": "user" },
    ...config,
  };
  const members = await Promise.all(
    Array.from({ length: processes }, (_, n) => createMember(`process-${n + 1}`, folder, shared)),
  );
  const backends = members.map(({ port, bridge }) => ({
    port,
    healthUrl: `${bridge.adminUrl}/health/ready?part=database`,
  }));
  const balancers = {
    ofHomeserver: await startTurns(backends, publicPort),
    ofProsody: await startFirst(backends),
  };
  homeserver.connect(balancers.ofHomeserver.url);
  prosody.connect(balancers.ofProsody.url);

  const theLead = async (): Promise<Member | false> => {
    const said = await Promise.all(members.map(async (member) => ((await member.leads()) ? [member] : [])));
    const [lead, ...others] = said.flat();
    return others.length === 0 && lead !== undefined && lead;
  };
  const areUp = (): boolean => Object.values(balancers).every((one) => one.up() === processes);
  try {
    return await work({
      homeserver,
      prosody,
      members,
      balancers,
      led: () => waitFor(theLead, "one process to lead", 60_000),
      up: () => waitFor(areUp, "all processes to be up", 60_000),
    });
  } catch (error) {
    const logs = members.map(({ name, bridge }) => {
      const lines = bridge.log().trimEnd().split("\n").slice(-10);
      return `The last lines of ${name}:\n${lines.join("\n")}`;
    });
    throw new Error([(error as Error).stack, ...logs].join("\n"));
  } finally {
    for (const member of members) member.isUp = false;
    await Promise.all(members.map(({ bridge }) => bridge.kill()));
    for (const balancer of Object.values(balancers)) balancer.close();
    await Promise.all([homeserver.close(), prosody.stop()]);
    if (process.env.FAULTS_KEEP !== "1") rmSync(folder, { recursive: true, force: true });
  }
}
