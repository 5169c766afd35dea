/** Both clients over fakes that speak real HTTP, and a store: what tests of parts of rooms stand on. */
import type { TestContext } from "node:test";
import { createHttp } from "../../src/http/client.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import { createMatrixClient } from "../../src/matrix/client.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { createXmppClient } from "../../src/xmpp/client.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { type Element, parseStanza, serialize } from "../../src/xmpp/stanza.ts";
import { startFakeHomeserver } from "../support/fake-homeserver.ts";
import { startFakeServer } from "../support/fake-server.ts";
import { createLogLines } from "../support/log-lines.ts";

export const component = "bridge.xmpp.test" as BareJid;
export const botJid = "bridge.xmpp.test/causeway" as FullJid;

/** @param answer what Prosody answers to a stanza at once, if anything. */
export async function setEdges(
  t: TestContext,
  answer: (stanza: Element) => Element | undefined,
  now: () => number = Date.now,
) {
  const homeserver = await startFakeHomeserver();
  const server = await startFakeServer(async ({ body }) => {
    const reply = answer(parseStanza(body));
    if (!reply) return { status: 202 };
    return { status: 200, headers: { "content-type": "application/xmpp+xml" }, body: serialize(reply) };
  });
  const http = (baseUrl: string) => createHttp({ baseUrl, headers: {}, maxInFlight: 4, timeoutMs: 5000 });
  const [homeserverHttp, prosodyHttp] = [http(homeserver.url), http(`${server.url}/rest`)];
  const store = openSqliteStore({ path: ":memory:", now });
  t.after(async () => {
    for (const one of [homeserverHttp, prosodyHttp]) one.close();
    await Promise.all([homeserver.close(), server.stop(), store.close()]);
  });
  const { asToken, appserviceId } = homeserver;
  return {
    homeserver,
    store,
    addresses: createAddresses({
      homeserverDomain: "hs.test",
      component,
      userPrefix: "_xmpp_",
      digest: (text) => text,
    }),
    matrix: createMatrixClient({ http: homeserverHttp, asToken, appserviceId, now: Date.now }),
    xmpp: createXmppClient({ http: prosodyHttp, auth: undefined }),
    ...createLogLines(),
  };
}
