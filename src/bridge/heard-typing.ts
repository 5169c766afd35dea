/** Shows a Matrix user that the XMPP user of their conversation is typing. Best effort: what fails is forgotten. */
import { LRUCache } from "lru-cache";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { readTyping } from "../mapping/chat-states.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { createLatest } from "./latest.ts";

export interface HeardTypingDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  directRooms: Pick<DirectRooms, "ofPair">;
  matrix: Pick<MatrixClient, "setTyping">;
  log: Log;
}

export interface HeardTyping {
  /** Takes any message of an XMPP user. */
  hear(message: Element): void;
}

/** After which a homeserver takes it back by itself. */
const lastsMs = 30_000;
/** A client may say it with every key; so often is enough. */
const againMs = 10_000;

export function createHeardTyping({
  addresses,
  permissions,
  directRooms,
  matrix,
  log,
}: HeardTypingDeps): HeardTyping {
  /** Who shows as typing; those who have just been shown, too. */
  const typing = new LRUCache<string, true>({ max: 10_000, ttl: lastsMs });
  const fresh = new LRUCache<string, true>({ max: 10_000, ttl: againMs });

  const latest = createLatest<string, { userId: UserId; jid: BareJid; isTyping: boolean }>({
    async show(pair, { userId, jid, isTyping }) {
      if (isTyping ? fresh.has(pair) : !typing.has(pair)) return;
      const room = await directRooms.ofPair(userId, jid);
      if (!room?.roomId || (room.membership !== "join" && room.membership !== "invite")) return;
      fresh.delete(pair);
      typing.delete(pair);
      await matrix.setTyping(addresses.ghostOf(jid), room.roomId, isTyping, lastsMs);
      if (!isTyping) return;
      fresh.set(pair, true);
      typing.set(pair, true);
    },
    onError: (pair, error) => log.debug("typing was not shown", { pair, error }),
  });

  return {
    hear(message) {
      const isTyping = readTyping(message);
      const [jid, userId] = [bareOf(message.attrs.from as Jid), addresses.userOfJid(message.attrs.to as Jid)];
      if (isTyping === undefined || !userId || levelOf(permissions, jid) === "block") return;
      latest.set(`${userId} ${jid}`, { userId, jid, isTyping });
    },
  };
}
