/** Notifications on XMPP, put together: the gateway behind its routes, and what people may ask of it. */
import type { Config } from "../config/schema.ts";
import type { Http } from "../http/client.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import { noteStanza } from "../mapping/notifications.ts";
import { addPusher, type PusherRequest, removePusher, setPusher } from "../matrix/pushers.ts";
import type { Log } from "../ops/log.ts";
import type { PushKey, PushKeyOwner, Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, domainOf, localOf, parseBareJid } from "../xmpp/jid.ts";
import { createCodes, validMinutes } from "./codes.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { createKeys } from "./keys.ts";
import { PushRefusal } from "./refusal.ts";
import { createUnread } from "./unread.ts";

export interface PushDeps {
  permissions: Config["permissions"];
  bridgeJid: BareJid;
  /** Where the homeserver finds the push gateway. */
  gatewayUrl: string;
  store: Pick<Store, "pushKeys" | "pushDeliveries">;
  xmpp: XmppClient;
  /** Calls to the homeserver, without any credentials of the bridge. */
  homeserver: Http;
  showPresence(jid: BareJid): Promise<void>;
  stanzaId(eventId: string, digest: string): string;
  randomBytes(count: number): Buffer;
  newId(): string;
  now: () => number;
  log: Log;
}

export interface Push extends Delivery {
  gatewayUrl: string;
  /** What the bridge's status says to an XMPP user. */
  statusOf(jid: BareJid): Promise<string | undefined>;
  /** @throws PushRefusal where notifications cannot go there. */
  parseAddress(text: string): BareJid;
  /** Sends a code that proves the address. @throws PushRefusal, and what `XmppClient.send` throws. */
  sendCode(owner: PushKeyOwner, jid: BareJid): Promise<void>;
  /** @throws PushRefusal */
  confirm(owner: PushKeyOwner, code: string): Promise<PushKey>;
  /** A key for an address that is proven. */
  ensure(owner: PushKeyOwner, jid: BareJid): Promise<PushKey>;
  /** Those that somebody may see and turn off, oldest first. */
  of(owner: PushKeyOwner): Promise<PushKey[]>;
  works(key: PushKey): boolean;
  test(key: PushKey): Promise<void>;
  remove(key: PushKey): Promise<void>;
  /** What sets the pusher of a key on its user's homeserver. */
  pusherOf(key: PushKey): PusherRequest;
  /** @throws MatrixError, NoAnswerError */
  setPusher(accessToken: string, key: PushKey): Promise<void>;
  removePusher(accessToken: string, key: PushKey): Promise<void>;
}

const [minute, hour] = [60, 3600];

export function createPush(deps: PushDeps): Push {
  const { permissions, bridgeJid, gatewayUrl, store, xmpp, homeserver, randomBytes, newId, now, log } = deps;
  const keys = createKeys({
    permissions,
    store: store.pushKeys,
    newKey: () => randomBytes(32).toString("base64url"),
    now,
  });
  const codes = createCodes({
    randomBytes,
    now,
    limits: {
      owner: createRateLimit({ points: 10, seconds: hour }),
      address: createRateLimit({ points: 5, seconds: hour }),
    },
  });
  const unread = createUnread({ store: store.pushKeys, showPresence: deps.showPresence, log });
  const delivery = createDelivery({
    keys,
    deliveries: store.pushDeliveries,
    unread,
    xmpp,
    bridgeJid,
    stanzaId: deps.stanzaId,
    limits: {
      key: createRateLimit({ points: 60, seconds: minute }),
      address: createRateLimit({ points: 120, seconds: minute }),
      counts: createRateLimit({ points: 60, seconds: minute }),
      unknown: createRateLimit({ points: 60, seconds: minute }),
    },
    log,
    now,
  });
  const say = async (jid: BareJid, text: string): Promise<void> => {
    await xmpp.send(noteStanza(text, { from: bridgeJid, to: jid, id: newId() }));
  };
  const pusherOf = (key: PushKey): PusherRequest => addPusher(gatewayUrl, key.key, key.jid);

  return {
    ...delivery,
    gatewayUrl,
    statusOf: unread.statusOf,

    parseAddress(text) {
      // Clients write addresses as links too.
      const jid = parseBareJid(text.replace(/^xmpp:([^?]*).*$/i, "$1"));
      if (jid === undefined || localOf(jid) === undefined) {
        throw new PushRefusal("That is not an XMPP address such as romeo@xmpp.example.");
      }
      if (domainOf(jid) === bridgeJid)
        throw new PushRefusal(`${jid} is this bridge's, not a person's on XMPP.`);
      if (!keys.isPermitted(jid)) throw new PushRefusal(`${jid} may not use this bridge.`);
      return jid;
    },

    async sendCode(owner, jid) {
      const code = await codes.make(owner, jid);
      const who = owner.startsWith("@") ? `${owner} on Matrix` : owner;
      await say(
        jid,
        `${who} wants notifications from Matrix to come to this address. If that is you, answer the bridge ` +
          `where you asked for it: notify confirm ${code}\nThe code is good for ${validMinutes} minutes. ` +
          "If it was not you, do nothing: without the code nothing will come.",
      );
      log.info("sent a code to an XMPP address", { jid, owner });
    },

    async confirm(owner, code) {
      return keys.ensure(owner, codes.take(owner, code));
    },

    ensure: keys.ensure,
    of: keys.of,
    works: keys.works,
    test: ({ jid }) => say(jid, "This is a test: notifications from Matrix come to this address."),

    async remove(key) {
      await keys.remove(key);
      log.info("notifications to an address were turned off", { jid: key.jid, owner: key.owner });
      if (key.unread > 0) await unread.show(key.jid);
    },

    pusherOf,
    setPusher: (accessToken, key) => setPusher(homeserver, accessToken, pusherOf(key), now()),
    removePusher: (accessToken, key) => setPusher(homeserver, accessToken, removePusher(key.key), now()),
  };
}
