/** The benchmark's servers: a real Prosody, Causeway as a process of its own, and a stub in the homeserver's place. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import xml, { type Element } from "@xmpp/xml";
import { prosodyConfigOf } from "../src/config/prosody.ts";
import { completeAnswers, configFromAnswers, filesOf, writeFiles } from "../src/init.ts";
import { createBridgeProcess } from "../test/servers/bridge-process.ts";
import { freePort } from "../test/servers/free-port.ts";
import { startProsody } from "../test/servers/prosody.ts";
import { connectXmpp, type XmppUser } from "../test/servers/xmpp-user.ts";
import { startRawCallback } from "./raw-callback.ts";
import { startStubHomeserver } from "./stub-homeserver.ts";

export const conversations = 20;
const rawComponent = "raw.xmpp.test";

export type BenchStage = Awaited<ReturnType<typeof startBenchStage>>;

/** @param onMessage told of the body of each message that arrives on either side, by whichever way. */
export async function startBenchStage(onMessage: (body: string) => void) {
  const [stubPort, httpPort, rawPort, port, adminPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const folder = mkdtempSync(join(tmpdir(), "causeway-bench-"));
  const answers = await completeAnswers({
    homeserverUrl: `http://127.0.0.1:${stubPort}`,
    restUrl: `http://127.0.0.1:${httpPort}/rest`,
    port: String(port),
    adminPort: String(adminPort),
  });
  const config = configFromAnswers(answers, () => randomBytes(32).toString("hex"));
  writeFiles(folder, filesOf(config), false);
  const { domain } = config.homeserver;
  const { component, restAuth } = config.xmpp;
  if (!restAuth || !("password" in restAuth)) throw new Error("the benchmark needs a component's password");

  const stub = await startStubHomeserver({
    port: stubPort,
    bridgeUrl: config.appservice.url,
    hsToken: config.appservice.hsToken,
    domain,
    onMessage,
  });
  const rawCallback = await startRawCallback(rawPort, onMessage);
  // Without http_host, mod_rest of this component answers to its own name and does not get into the other's way.
  const rawConfig = `
Component "${rawComponent}" "rest"
    component_secret = "${restAuth.password}"
    rest_callback_url = "http://127.0.0.1:${rawPort}/"
`;
  const bridge = createBridgeProcess({
    configFile: join(folder, "config.json"),
    adminUrl: `http://127.0.0.1:${adminPort}`,
    logFile: join(folder, "causeway.log"),
  });
  const [prosody] = await Promise.all([
    startProsody({
      httpPort,
      archive: "memory",
      componentConfig: `${prosodyConfigOf(config)}\n${rawConfig}`,
    }),
    bridge.start(),
  ]);

  const hear = (stanza: Element): void => {
    const body = stanza.is("message") && stanza.attrs.type !== "error" ? stanza.getChildText("body") : null;
    if (body) onMessage(body);
  };
  const romeos: XmppUser[] = [];
  for (let n = 0; n < conversations; n += 1) {
    const account = { username: `romeo${n}`, password: "romeo-password" };
    await prosody.addUser(account.username, account.password);
    const { host, c2sPort, domain: xmppDomain } = prosody;
    romeos.push(await connectXmpp({ host, port: c2sPort, domain: xmppDomain, ...account, onStanza: hear }));
  }
  const pairOf = (index: number) => {
    const n = index % conversations;
    return { n, juliet: `@juliet${n}:${domain}`, julietJid: `juliet${n}%${domain}@${component}` };
  };

  const agent = new Agent({ keepAlive: true, maxSockets: conversations });
  const authorization = `Basic ${Buffer.from(`${component}:${restAuth.password}`).toString("base64")}`;
  const chat = (to: string, body: string, more: Record<string, string> = {}): Element =>
    xml("message", { type: "chat", to, ...more }, xml("body", {}, body));

  return {
    bridge,
    /** Straight to mod_rest; resolves with Prosody's answer. */
    async postRest(index: number, body: string): Promise<void> {
      const { n, julietJid } = pairOf(index);
      const headers = { authorization, "content-type": "application/xmpp+xml" };
      const sent = request(prosody.restUrl, { method: "POST", agent, headers });
      sent.end(String(chat(`romeo${n}@${prosody.domain}`, body, { from: julietJid, id: body })));
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      response.resume();
      if (response.statusCode !== 202) throw new Error(`POST /rest: ${response.statusCode}`);
      await once(response, "end");
    },
    /** As an XMPP user to the trivial callback. */
    toRawCallback: async (index: number, body: string): Promise<void> =>
      romeos[pairOf(index).n]?.send(chat(`x@${rawComponent}`, body)),
    /** As an XMPP user to the Matrix user of the conversation. */
    toBridge: async (index: number, body: string): Promise<void> =>
      romeos[pairOf(index).n]?.send(chat(pairOf(index).julietJid, body)),
    /** As the homeserver to the bridge, in one transaction. */
    transaction: (messages: readonly { index: number; text: string }[]): Promise<void> =>
      stub.transaction(
        messages.map(({ index, text }) => {
          const { juliet } = pairOf(index);
          return { room_id: stub.roomOf(juliet), sender: juliet, text };
        }),
      ),
    async stop() {
      agent.destroy();
      await Promise.allSettled(romeos.map((romeo) => romeo.stop()));
      await bridge.stop();
      await Promise.all([prosody.stop(), stub.stop()]);
      rawCallback.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
