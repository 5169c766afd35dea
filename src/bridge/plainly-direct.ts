/** What needs no rooms, no bot and no new conversation, so that any process may do it by itself. */
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import { domainOf, type UserId } from "../matrix/ids.ts";
import type { DirectRoom, Job, Store } from "../store/store.ts";
import { bareOf, isFullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, parseStanza, readChild } from "../xmpp/stanza.ts";
import { isInUse } from "./direct-rooms.ts";

export interface PlainlyDirectDeps {
  addresses: Pick<Addresses, "userOfJid">;
  homeserverDomain: string;
  store: Pick<Store, "directRooms" | "botRooms" | "links" | "guests">;
  /** Whether a stanza is for a room, as its addresses and what it says show. */
  isForRoom(stanza: Element): boolean;
}

export interface PlainlyDirect {
  /** Whether a stanza is what one person says to another one. */
  isStanza(stanza: Element): Promise<boolean>;
  /** Whether a job is of a conversation that is there. */
  isJob(job: Job): Promise<boolean>;
}

export function createPlainlyDirect(deps: PlainlyDirectDeps): PlainlyDirect {
  const { addresses, homeserverDomain, store, isForRoom } = deps;
  const { directRooms, botRooms, links, guests } = store;

  /** To whom it is, where its looks alone do not say that it is anything else. */
  const addresseeOf = (stanza: Element): UserId | undefined => {
    const { type, to } = stanza.attrs;
    if (stanza.name !== "message" || type === "groupchat" || type === "error") return undefined;
    if (readChild(stanza, NS.mucUser, "x") || isForRoom(stanza)) return undefined;
    return addresses.userOfJid(bareOf(to as Jid));
  };
  const isStanza = async (stanza: Element): Promise<boolean> =>
    addresseeOf(stanza) !== undefined && !(await links.ofMuc(bareOf(stanza.attrs.from as Jid)));

  const isThere = (room: DirectRoom | undefined): room is DirectRoom =>
    room?.roomId !== undefined &&
    isInUse(room) &&
    !isFullJid(room.jid) &&
    // What others are called is learned from events, and only where they are all heard.
    domainOf(room.userId) === homeserverDomain;

  const isEvent = async ({ room_id: roomId, state_key: stateKey, sender }: MatrixEvent): Promise<boolean> => {
    if (stateKey !== undefined) return false;
    const room = await directRooms.ofRoom(roomId);
    if (!isThere(room) || room.userId !== sender) return false;
    const [bots, link, inside] = await Promise.all([
      botRooms.ofRoom(roomId),
      links.ofRoom(roomId),
      guests.ofRoom(roomId),
    ]);
    return !bots && !link && inside.length === 0;
  };

  return {
    isStanza,
    async isJob({ work }) {
      if (work.kind === "notice" || work.kind === "bounce") return true;
      if (work.kind === "event") return isEvent(work.event);
      if (work.kind !== "stanza") return false;
      const stanza = parseStanza(work.xml);
      const userId = addresseeOf(stanza);
      if (!userId) return false;
      const jid = bareOf(stanza.attrs.from as Jid);
      return isThere(await directRooms.ofPair(userId, jid)) && (await isStanza(stanza));
    },
  };
}
