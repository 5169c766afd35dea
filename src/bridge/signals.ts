/** All that people show besides what they say, put together: typing, receipts, presence, names and faces. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { toNick, toPhotoHash } from "../mapping/profiles.ts";
import { requests as receiptRequests } from "../mapping/receipts.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import { localpartOf, type UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Store } from "../store/store.ts";
import { createCards } from "../xmpp/cards.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";
import type { Photo } from "../xmpp/vcard.ts";
import type { Avatars } from "./avatars.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { createGhostPresence, type GhostPresence } from "./ghost-presence.ts";
import { createGhostProfiles } from "./ghost-profiles.ts";
import { createHeardTyping } from "./heard-typing.ts";
import { createMatrixPresence, type MatrixPresence } from "./matrix-presence.ts";
import type { MatrixProfiles } from "./matrix-profiles.ts";
import { createReceipts } from "./receipts.ts";
import { createTyping } from "./typing.ts";

export interface SignalsDeps {
  avatars: Avatars;
  addresses: Addresses;
  permissions: Config["permissions"];
  privacy: Config["privacy"];
  /** Whether delivery is shown on Matrix, by events that some clients know. */
  statusEvents: boolean;
  directRooms: DirectRooms;
  profiles: MatrixProfiles;
  photoOf(jid: BareJid): Promise<Photo | undefined>;
  matrix: MatrixClient;
  xmpp: XmppClient;
  requests: IqRequests;
  store: Store;
  txnId(cause: string, part: string): string;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

export interface Signals {
  /** Takes what the homeserver tells and nobody stores. */
  takeEphemeral(items: readonly Ephemeral[]): void;
  /** Takes any message of an XMPP user, and any presence that is no change of a subscription. */
  hear(stanza: Element): void;
  /** What an XMPP user has sent is done: a message is with the homeserver, a subscription has changed. */
  accepted(stanza: Element): void;
  /** Somebody's membership: their name or picture may have changed. */
  noteMember(event: MatrixEvent): Promise<void>;
  /** Hands over messages to XMPP users, with what they ask to be told and whose they are. */
  send: XmppClient["send"];
  presenceOf: MatrixPresence["of"];
  forgetPresence: GhostPresence["forget"];
  stop(): void;
}

/** What is about another message, and has a body for old clients only. */
const unanswered = [NS.reactions, NS.retract];

export function createSignals(deps: SignalsDeps): Signals {
  const { addresses, privacy, directRooms, profiles, photoOf, store, log } = deps;
  const typing = createTyping(deps);
  const heardTyping = createHeardTyping(deps);
  const receipts = createReceipts({ ...deps, marks: store.readMarks });
  const ghostPresence = createGhostPresence({ ...deps, ghosts: store.ghosts });
  const ghostProfiles = createGhostProfiles({
    ...deps,
    ghosts: store.ghosts,
    store: store.ghostProfiles,
    askForCard: createCards(deps.requests),
  });

  const photoHashOf = async (userId: UserId, avatarUrl: string | undefined): Promise<string | undefined> => {
    if (avatarUrl === undefined) return "";
    const photo = await photoOf(addresses.jidOfUser(userId));
    return photo && createHash("sha1").update(photo.bytes).digest("hex");
  };
  const faceOf = async (userId: UserId): Promise<Element[]> => {
    const profile = await profiles.of(userId).catch(() => undefined);
    if (!profile) return [];
    return [
      toNick(profile.displayName ?? localpartOf(userId)),
      toPhotoHash(await photoHashOf(userId, profile.avatarUrl)),
    ];
  };
  const matrixPresence = createMatrixPresence({
    ...deps,
    subscribers: store.subscribers,
    store: store.presences,
    faceOf,
  });

  /** The name that an XMPP user was told last, by pair. */
  const nicks = new LRUCache<string, string>({ max: 10_000 });
  /** XEP-0172 §4.2: with the first message, and again when it has changed. */
  const nickFor = (userId: UserId, jid: BareJid): Element[] => {
    const profile = profiles.peek(userId);
    // Asked for beside the message, which does not wait: the next one has it.
    profiles.of(userId).catch((error) => log.debug("a name was not had", { user: userId, error }));
    const name = profile?.displayName;
    const pair = `${userId} ${jid}`;
    if (!name || nicks.get(pair) === name) return [];
    nicks.set(pair, name);
    return [toNick(name)];
  };

  const adorn = (message: Element): void => {
    const { from, to, type } = message.attrs;
    const userId = type === "chat" ? addresses.userOfJid(from as Jid) : undefined;
    const says = message.getChild("body") && !unanswered.some((namespace) => readChild(message, namespace));
    if (!userId || !says) return;
    if (privacy.receipts) for (const asked of receiptRequests()) message.append(asked);
    for (const nick of nickFor(userId, bareOf(to as Jid))) message.append(nick);
  };

  return {
    takeEphemeral(items) {
      if (privacy.typing) typing.take(items);
      for (const item of items) {
        if (item.kind === "receipt" && privacy.receipts) receipts.take(item);
        if (item.kind === "presence" && privacy.presence) matrixPresence.take(item);
      }
    },
    hear(stanza) {
      if (stanza.name === "message") {
        if (privacy.typing) heardTyping.hear(stanza);
        if (privacy.receipts) receipts.hear(stanza);
      } else {
        if (privacy.presence) ghostPresence.hear(stanza);
        ghostProfiles.hear(stanza);
      }
    },
    accepted(stanza) {
      if (privacy.receipts && stanza.name === "message") receipts.accepted(stanza);
      ghostProfiles.hear(stanza);
    },
    async noteMember(event) {
      // Whoever invites will write next, and their name is to go along.
      if (event.state_key !== event.sender)
        return void (await profiles.of(event.sender).catch(() => undefined));
      if (!profiles.learn(event)) return;
      const room = await directRooms.ofRoom(event.room_id);
      if (room?.userId === event.state_key) matrixPresence.faceChanged(room.userId);
    },
    send(message) {
      adorn(message);
      return deps.xmpp.send(message);
    },
    presenceOf: matrixPresence.of,
    forgetPresence: ghostPresence.forget,
    stop() {
      ghostPresence.stop();
      deps.avatars.stop();
    },
  };
}
