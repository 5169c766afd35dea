/** Subscriptions and presence as a contact would answer them: RFC 6121 §3 and §4.3. */
import type { Addresses } from "../mapping/addresses.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Subscriber, Subscribers } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import { type Element, xml } from "../xmpp/stanza.ts";

export interface PresenceDeps {
  addresses: Addresses;
  bridgeJid: BareJid;
  /** Whether there is such a Matrix user, as far as the bridge can know. */
  userExists(userId: UserId): Promise<boolean>;
  subscribers: Subscribers;
  /** What the bridge's own presence says to an XMPP user besides that it is there. */
  statusOf(jid: BareJid): Promise<string | undefined>;
  xmpp: XmppClient;
  log: Log;
}

export interface Presence {
  /** A change of subscription is worth storing first; the rest is worth something only now. */
  isLasting(stanza: Element): boolean;
  handle(stanza: Element): Promise<void>;
  /** Tells one subscriber that a Matrix user, or the bridge, is online. */
  announce(subscriber: Subscriber): Promise<void>;
}

const lasting = new Set(["subscribe", "subscribed", "unsubscribe", "unsubscribed"]);

/** The one resource under which a Matrix user shows. */
const resource = "matrix";

export function createPresence(deps: PresenceDeps): Presence {
  const { addresses, bridgeJid, userExists, subscribers, statusOf, xmpp, log } = deps;

  const send = async (type: string | undefined, from: BareJid, to: Jid): Promise<void> => {
    // Availability is a resource's, subscription the account's.
    const sender = type === undefined || type === "unavailable" ? `${from}/${resource}` : from;
    const status = type === undefined && from === bridgeJid ? await statusOf(bareOf(to)) : undefined;
    const children = status === undefined ? [] : [xml("status", {}, status)];
    await xmpp.send(xml("presence", { from: sender, to, ...(type && { type }) }, ...children));
  };

  /** The bridge itself is in its own place in the table, under a user ID that nobody has. */
  const keyOf = (contact: BareJid): UserId | undefined =>
    contact === bridgeJid ? addresses.botUserId : addresses.userOfJid(contact);

  return {
    announce: ({ userId, jid }) =>
      send(undefined, userId === addresses.botUserId ? bridgeJid : addresses.jidOfUser(userId), jid),

    isLasting: ({ attrs }) => lasting.has(attrs.type),

    async handle({ attrs }) {
      const [from, contact] = [attrs.from as Jid, bareOf(attrs.to as Jid)];
      const subscriber = bareOf(from);
      const key = keyOf(contact);
      switch (attrs.type) {
        case "subscribe": {
          if (!key || (contact !== bridgeJid && !(await userExists(key)))) {
            return send("unsubscribed", contact, subscriber);
          }
          await subscribers.add(key, subscriber);
          await send("subscribed", contact, subscriber);
          log.info("an XMPP user has a Matrix user in the roster", { jid: subscriber, contact });
          return send(undefined, contact, subscriber);
        }
        case "unsubscribe":
          if (key) await subscribers.remove(key, subscriber);
          await send("unavailable", contact, subscriber);
          return send("unsubscribed", contact, subscriber);
        case "probe":
          if (key && (await subscribers.has(key, subscriber))) return send(undefined, contact, from);
          return send("unsubscribed", contact, subscriber);
        case "subscribed":
        case "unsubscribed":
          return log.debug("a subscription that the bridge has not asked for was answered", {
            jid: subscriber,
          });
        default:
        // Availability and errors ask for no answer.
      }
    },
  };
}
