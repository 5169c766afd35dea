/** Synapse, Prosody and Causeway on loopback, set up with the very files that `causeway init` writes. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prosodyConfigOf } from "../../src/config/prosody.ts";
import { registrationYamlOf } from "../../src/config/registration.ts";
import type { Config } from "../../src/config/schema.ts";
import { completeAnswers, configFromAnswers, filesOf, writeFiles } from "../../src/init.ts";
import { createTestDatabase } from "../support/database.ts";
import { type BridgeProcess, createBridgeProcess } from "./bridge-process.ts";
import { freePort } from "./free-port.ts";
import { createMatrixUser, type MatrixUser } from "./matrix-user.ts";
import { type Prosody, startProsody } from "./prosody.ts";
import { type Synapse, startSynapse } from "./synapse.ts";
import { connectXmpp, type XmppUser } from "./xmpp-user.ts";

export interface Stage {
  synapse: Synapse;
  prosody: Prosody;
  bridge: BridgeProcess;
  /** The domain of Prosody's rooms. */
  muc: string;
  /** A new Matrix account, logged in and syncing. */
  matrixUser: (name: string, password?: string) => Promise<MatrixUser>;
  /** A new XMPP account, logged in and available. */
  xmppUser: (name: string, password?: string) => Promise<XmppUser>;
  /** Another session of an account that `xmppUser` made. */
  xmppSession: (name: string, resource: string, password?: string) => Promise<XmppUser>;
  stop: () => Promise<void>;
}

export interface StageOptions {
  /** Told what is being waited for. */
  progress?: (what: string) => void;
  /** Changes what `causeway init` would write. */
  adjust?: (config: Config) => Config;
  /** Domain of XMPP users by the thousand; see crowd.ts. */
  crowd?: string;
}

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const { progress = () => undefined, adjust = (config) => config, crowd } = options;
  const folder = mkdtempSync(join(tmpdir(), "causeway-stage-"));
  const [synapsePort, httpPort, port, adminPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const answers = await completeAnswers({
    homeserverUrl: `http://127.0.0.1:${synapsePort}`,
    restUrl: `http://127.0.0.1:${httpPort}/rest`,
    port: String(port),
    adminPort: String(adminPort),
  });
  const initial = configFromAnswers(answers, () => randomBytes(32).toString("hex"));
  const database = await createTestDatabase(folder);
  const config = adjust({ ...initial, database: database.address });
  writeFiles(folder, filesOf(config), false);

  const bridge = createBridgeProcess({
    configFile: join(folder, "config.json"),
    adminUrl: `http://127.0.0.1:${adminPort}`,
    logFile: join(folder, "causeway.log"),
  });
  const users: { stop: () => Promise<void> }[] = [];
  progress("Synapse, Prosody and Causeway start");
  const started = await Promise.allSettled([
    startSynapse({ port: synapsePort, registrationYaml: registrationYamlOf(config) }),
    startProsody({ httpPort, componentConfig: prosodyConfigOf(config), ...(crowd && { crowd }) }),
    bridge.start(),
  ]);
  const [synapse, prosody] = started.map((result) =>
    result.status === "fulfilled" ? result.value : undefined,
  ) as [Synapse | undefined, Prosody | undefined];

  const stop = async (): Promise<void> => {
    await Promise.allSettled(users.map((user) => user.stop()));
    await bridge.stop();
    await Promise.all([synapse?.stop(), prosody?.stop(), database.drop()]);
    if (process.env.E2E_KEEP !== "1") rmSync(folder, { recursive: true, force: true });
  };
  const failed = started.find((result) => result.status === "rejected");
  if (failed || !synapse || !prosody) {
    await stop();
    throw failed?.reason;
  }

  const xmppSession: Stage["xmppSession"] = async (name, resource, password = `${name}-password`) => {
    const user = await connectXmpp({
      host: prosody.host,
      port: prosody.c2sPort,
      domain: prosody.domain,
      username: name,
      password,
      resource,
      reconnect: true,
    });
    users.push(user);
    return user;
  };

  return {
    synapse,
    prosody,
    bridge,
    muc: prosody.mucDomain,
    async matrixUser(name, password = `${name}-password`) {
      const user = await createMatrixUser({
        url: synapse.url,
        ...(await synapse.registerUser(name, password)),
      });
      users.push(user);
      return user;
    },
    async xmppUser(name, password = `${name}-password`) {
      await prosody.addUser(name, password);
      return xmppSession(name, "test", password);
    },
    xmppSession,
    stop,
  };
}
