/** The benchmark's servers: a real Prosody, Causeway as a process of its own, and a stub in the homeserver's place. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prosodyConfigOf } from "../src/config/prosody.ts";
import { completeAnswers, configFromAnswers } from "../src/init.ts";
import { freePort } from "../test/servers/free-port.ts";
import { startProsody } from "../test/servers/prosody.ts";
import { createRuns } from "./bridge-runs.ts";
import type { Send } from "./drive.ts";
import { createLeanClient } from "./lean-http.ts";
import { connectLeanXmpp, type LeanXmpp } from "./lean-xmpp.ts";
import { buildPackage } from "./package.ts";
import { clients, julietOf, romeoOf } from "./people.ts";
import { startRawCallback } from "./raw-callback.ts";
import { startStubHomeserver } from "./stub-homeserver.ts";

const rawComponent = "raw.xmpp.test";
const password = "romeo-password";

export type Stage = Awaited<ReturnType<typeof startStage>>;

export interface StageDeps {
  /** Told of the text of each message that arrives on either side, by whichever way. */
  onText: (text: string) => void;
  onProblem: (problem: string) => void;
}

export async function startStage({ onText, onProblem }: StageDeps) {
  const ports: number[] = [];
  while (ports.length < 5) ports.push(await freePort());
  const [stubPort = 0, httpPort = 0, rawPort = 0, port = 0, adminPort = 0] = ports;
  const folder = mkdtempSync(join(tmpdir(), "causeway-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const answers = await completeAnswers({
    homeserverUrl: `http://127.0.0.1:${stubPort}`,
    restUrl: `http://127.0.0.1:${httpPort}/rest`,
    port: String(port),
    adminPort: String(adminPort),
  });
  const config = configFromAnswers(answers, () => randomBytes(32).toString("hex"));
  const { domain } = config.homeserver;
  const { component, restAuth } = config.xmpp;
  if (!restAuth || !("password" in restAuth)) throw new Error("the benchmark needs a component's password");

  const { hsToken } = config.appservice;
  const stub = await startStubHomeserver({ port: stubPort, bridgePort: port, hsToken, domain, onText });
  const rawCallback = await startRawCallback(rawPort, onText);
  // Without http_host, mod_rest of this component answers to its own name and does not get into the other's way.
  const rawConfig = `
Component "${rawComponent}" "rest"
    component_secret = "${restAuth.password}"
    rest_callback_url = "http://127.0.0.1:${rawPort}/"
`;
  const componentConfig = `${prosodyConfigOf(config)}\n${rawConfig}`;
  const prosody = await startProsody({ httpPort, archive: "memory", componentConfig });
  const launcher = buildPackage(folder);
  const runs = createRuns({ folder, launcher, config, xmppDomain: prosody.domain, stub });

  const accounts = Array.from({ length: clients }, (_, n) => romeoOf(n));
  await Promise.all(accounts.map((username) => prosody.addUser(username, password)));
  const romeos: LeanXmpp[] = [];
  for (const username of accounts) {
    const account = { port: prosody.c2sPort, domain: prosody.domain, username, password };
    romeos.push(await connectLeanXmpp({ ...account, onText, onProblem }));
  }
  const posts = Array.from({ length: clients }, () =>
    createLeanClient(httpPort, {
      authorization: `Basic ${Buffer.from(`${component}:${restAuth.password}`).toString("base64")}`,
      "content-type": "application/xmpp+xml",
    }),
  );
  const jidOf = (conversation: number): string => `${julietOf(conversation)}%${domain}@${component}`;
  const toBridge: Send = (conversation, text) =>
    romeos[conversation % clients]?.say(jidOf(conversation), text);
  const toRawCallback: Send = (conversation, text) =>
    romeos[conversation % clients]?.say(`x@${rawComponent}`, text);

  return {
    runs,
    stub,
    /** Straight to mod_rest, the stanza that the bridge would make; resolves with Prosody's answer. */
    postRest: (async (conversation, text) => {
      const to = `${romeoOf(conversation)}@${prosody.domain}`;
      const stanza =
        `<message type="chat" from="${jidOf(conversation)}" to="${to}" id="${text}"><body>${text}</body>` +
        `<origin-id xmlns="urn:xmpp:sid:0" id="${text}"/><request xmlns="urn:xmpp:receipts"/>` +
        `<markable xmlns="urn:xmpp:chat-markers:0"/></message>`;
      const { status } = (await posts[conversation % clients]?.request("POST", "/rest", stanza)) ?? {};
      if (status !== 202) throw new Error(`POST /rest: ${status}`);
    }) satisfies Send,
    /** As an XMPP user to the trivial callback, and to the Matrix user of the conversation. */
    toRawCallback,
    toBridge,
    /** As the homeserver to the bridge, in one transaction. */
    transaction: stub.transaction,
    async stop() {
      for (const romeo of romeos) romeo.close();
      for (const post of posts) post.close();
      await runs.stop();
      await prosody.stop();
      stub.stop();
      rawCallback.stop();
    },
  };
}
