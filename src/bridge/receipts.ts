/** Tells either side what became of their messages: arrived, read. Best effort: what fails is forgotten. */
import { LRUCache } from "lru-cache";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { deliveredStatus, readRequest, readWord, statusType, toWord } from "../mapping/receipts.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Place, ReadMarks } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { bareOf, isFullJid, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { createLocks } from "./locks.ts";

export interface ReceiptsDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  directRooms: Pick<DirectRooms, "ofPair" | "ofRoom">;
  marks: ReadMarks;
  matrix: Pick<MatrixClient, "eventsBefore" | "markRead" | "send">;
  xmpp: Pick<XmppClient, "send">;
  /** Whether delivery is shown on Matrix, by events that some clients know. */
  statusEvents: boolean;
  txnId(cause: string, part: string): string;
  log: Log;
}

export type ReadReceipt = Extract<Ephemeral, { kind: "receipt" }>;

export interface Receipts {
  /** A Matrix user has read up to an event. */
  take(receipt: ReadReceipt): void;
  /** Takes any message of an XMPP user, and what it says of messages from Matrix. */
  hear(message: Element): void;
  /** The homeserver has taken a message. */
  accepted(message: Element): void;
}

export function createReceipts(deps: ReceiptsDeps): Receipts {
  const { addresses, permissions, directRooms, marks, matrix, xmpp, txnId, log } = deps;
  const locks = createLocks();
  /** Messages that are shown as delivered. */
  const delivered = new LRUCache<EventId, true>({ max: 10_000 });

  /** In the order in which they come, conversation by conversation. */
  const inOrder = (key: string, work: () => Promise<void>): void =>
    void locks.run(key, work).catch((error) => log.debug("a receipt was not passed on", { key, error }));

  /** The newest message of the XMPP user up to an event, which need not be a message: it may be a new name of theirs. */
  const newestRead = async ({ roomId, eventId }: ReadReceipt, ghost: UserId): Promise<Place | undefined> => {
    const read = await marks.newestFromXmpp(roomId, eventId);
    if (read) return read;
    for (const { event_id: earlier } of await matrix.eventsBefore(ghost, roomId, eventId)) {
      const found = await marks.newestFromXmpp(roomId, earlier);
      if (found) return found;
    }
    return undefined;
  };

  const show = async (receipt: ReadReceipt): Promise<void> => {
    const { roomId, userId } = receipt;
    const room = await directRooms.ofRoom(roomId);
    if (room?.userId !== userId || levelOf(permissions, userId) === "block") return;
    // An occupant has another address whenever they change their nick, and only rooms say which.
    if (isFullJid(room.jid)) return;
    const read = await newestRead(receipt, addresses.ghostOf(room.jid));
    if (!read || !(await marks.advance(roomId, "matrix", read.position))) return;
    const ends = { from: addresses.jidOfUser(userId), to: room.jid };
    await xmpp.send(toWord({ kind: "displayed", id: read.messageId }, ends));
  };

  const showDelivered = async (ghost: UserId, roomId: RoomId, eventId: EventId): Promise<void> => {
    if (!deps.statusEvents || delivered.has(eventId)) return;
    const content = deliveredStatus(eventId, ghost);
    await matrix.send(ghost, roomId, statusType, content, txnId(eventId, `${ghost} delivered`));
    delivered.set(eventId, true);
  };

  return {
    take: (receipt) => inOrder(receipt.roomId, () => show(receipt)),

    hear(message) {
      const word = readWord(message);
      const [jid, userId] = [bareOf(message.attrs.from as Jid), addresses.userOfJid(message.attrs.to as Jid)];
      if (!word || !userId || levelOf(permissions, jid) === "block") return;
      inOrder(`${userId} ${jid}`, async () => {
        const room = await directRooms.ofPair(userId, jid);
        const sent = room?.roomId && (await marks.sent(room.roomId, word.id));
        if (!room?.roomId || !sent) return;
        const ghost = addresses.ghostOf(jid);
        await showDelivered(ghost, room.roomId, sent.eventId);
        if (word.kind !== "displayed" || !(await marks.advance(room.roomId, "xmpp", sent.position))) return;
        await matrix.markRead(ghost, room.roomId, sent.eventId);
      });
    },

    accepted(message) {
      const id = readRequest(message);
      if (id === undefined) return;
      const ends = { from: bareOf(message.attrs.to as Jid), to: message.attrs.from as Jid };
      inOrder(
        `${ends.from} ${ends.to}`,
        async () => void (await xmpp.send(toWord({ kind: "received", id }, ends))),
      );
    },
  };
}
