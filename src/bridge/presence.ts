/** Subscriptions and presence as a contact would answer them: RFC 6121 §3 and §4.3. */
import type { Addresses } from "../mapping/addresses.ts";
import type { ShownPresence } from "../mapping/presence.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Subscriber, Subscribers } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { resource } from "./matrix-presence.ts";

export interface PresenceDeps {
  addresses: Addresses;
  bridgeJid: BareJid;
  /** Whether an XMPP user may use the bridge. */
  permits(jid: BareJid): boolean;
  /** Whether there is such a Matrix user, as far as the bridge can know. */
  userExists(userId: UserId): Promise<boolean>;
  subscribers: Subscribers;
  /** What a Matrix user's presence stanza says now. */
  presenceOf(userId: UserId): Promise<ShownPresence>;
  /** Whether Matrix users see who is there on XMPP. */
  asksBack: boolean;
  /** An XMPP user shows their presence no longer. */
  onHidden(jid: BareJid): void;
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

export function createPresence(deps: PresenceDeps): Presence {
  const { addresses, bridgeJid, permits, userExists, subscribers, statusOf, xmpp, log } = deps;

  const send = async (type: string, from: BareJid, to: Jid): Promise<void> => {
    // Availability is a resource's, subscription the account's.
    const sender = type === "unavailable" ? `${from}/${resource}` : from;
    await xmpp.send(xml("presence", { from: sender, to, type }));
  };

  /** Tells how it is now, the bridge or a Matrix user. */
  const show = async (userId: UserId, from: BareJid, to: Jid): Promise<void> => {
    const isBridge = from === bridgeJid;
    const status = isBridge ? await statusOf(bareOf(to)) : undefined;
    const { type, children } = isBridge
      ? { type: undefined, children: status === undefined ? [] : [xml("status", {}, status)] }
      : await deps.presenceOf(userId);
    await xmpp.send(xml("presence", { from: `${from}/${resource}`, to, ...(type && { type }) }, ...children));
  };

  /** The bridge itself is in its own place in the table, under a user ID that nobody has. */
  const userOf = (contact: BareJid): UserId | undefined =>
    contact === bridgeJid ? addresses.botUserId : addresses.userOfJid(contact);

  const onSubscribe = async (
    userId: UserId | undefined,
    contact: BareJid,
    subscriber: BareJid,
  ): Promise<void> => {
    const isBridge = contact === bridgeJid;
    if (!userId || !permits(subscriber) || !(isBridge || (await userExists(userId))))
      return send("unsubscribed", contact, subscriber);
    await subscribers.add(userId, subscriber);
    await send("subscribed", contact, subscriber);
    log.info("an XMPP user has a Matrix user in the roster", { jid: subscriber, contact });
    await show(userId, contact, subscriber);
    // Asked for only now that they have shown that they want to know each other.
    const asks = deps.asksBack && !isBridge && !(await subscribers.isMutual(userId, subscriber));
    if (asks) await send("subscribe", contact, subscriber);
  };

  const onUnsubscribe = async (
    userId: UserId | undefined,
    contact: BareJid,
    subscriber: BareJid,
  ): Promise<void> => {
    const wasMutual = userId !== undefined && (await subscribers.isMutual(userId, subscriber));
    if (userId) await subscribers.remove(userId, subscriber);
    await send("unavailable", contact, subscriber);
    await send("unsubscribed", contact, subscriber);
    if (wasMutual) await send("unsubscribe", contact, subscriber);
  };

  return {
    async announce({ userId, jid }) {
      if (!permits(jid)) return;
      const contact = userId === addresses.botUserId ? bridgeJid : addresses.jidOfUser(userId);
      await show(userId, contact, jid);
      if (await subscribers.isMutual(userId, jid)) await send("probe", contact, jid);
    },

    isLasting: ({ attrs }) => lasting.has(attrs.type),

    async handle({ attrs }) {
      const [from, contact] = [attrs.from as Jid, bareOf(attrs.to as Jid)];
      const subscriber = bareOf(from);
      const userId = userOf(contact);
      switch (attrs.type) {
        case "subscribe":
          return onSubscribe(userId, contact, subscriber);
        case "unsubscribe":
          return onUnsubscribe(userId, contact, subscriber);
        case "probe":
          if (userId && permits(subscriber) && (await subscribers.has(userId, subscriber)))
            return show(userId, contact, from);
          return send("unsubscribed", contact, subscriber);
        case "subscribed":
          if (userId && contact !== bridgeJid) await subscribers.setMutual(userId, subscriber, true);
          return;
        case "unsubscribed":
          if (userId) await subscribers.setMutual(userId, subscriber, false);
          return deps.onHidden(subscriber);
        default:
        // Availability is heard elsewhere, and errors ask for no answer.
      }
    },
  };
}
