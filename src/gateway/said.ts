/** What is said in a hosted room, as its guests hear it. */
import type { Conversation } from "../bridge/conversation.ts";
import { type Crossing, nothing } from "../bridge/crossing.ts";
import { hostedStanzaId, idsKey } from "../bridge/memory.ts";
import type { ToXmpp } from "../bridge/to-xmpp.ts";
import { asOccupantMessage } from "../mapping/hosted-stanzas.ts";
import { passedByStanza, withVia } from "../mapping/via.ts";
import { isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import { type BareJid, bareOf, type FullJid, fullJid, isFullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";
import type { HostedRoom } from "./hosted-room.ts";

/** A room as far as messages are concerned. */
type Room = Pick<HostedRoom, "roomId" | "nickOf" | "userOfNick" | "occupantId">;

export interface SaidDeps {
  isGhost(userId: UserId): boolean;
  toXmpp: ToXmpp;
}

export type Said = ReturnType<typeof createSaid>;

/** What an XMPP user has called the message that an event stands for. */
const ownIdIn = ({ content }: MatrixEvent): string | undefined =>
  isObject(content[idsKey]) ? readString(content[idsKey], "id") : undefined;

/** A ghost says it for the bridge, and nobody on XMPP has. */
const isOwnNotice = ({ content }: MatrixEvent): boolean =>
  readString(content, "msgtype") === "m.notice" && !isObject(content[idsKey]);

export function createSaid({ isGhost, toXmpp }: SaidDeps) {
  const conversationIn = (room: Room, address: BareJid, reader: UserId): Conversation => ({
    roomId: room.roomId,
    reader,
    room: { jid: address, isHosted: true, nickOf: room.nickOf, userOfNick: room.userOfNick },
  });

  /** The same message as somebody says it, for one who hears it. */
  const marked = (
    stanza: Element,
    room: Room,
    way: { from: Jid; to?: FullJid; sender: UserId; stanzaId?: string },
  ): Element =>
    asOccupantMessage(stanza, "groupchat", {
      from: way.from,
      ...(way.to && { to: way.to }),
      ...(isFullJid(way.from) && { occupantId: room.occupantId(way.sender) }),
      ...(way.stanzaId !== undefined && { stanzaId: { id: way.stanzaId, by: bareOf(way.from) } }),
    });

  /** What a guest has said, as they have said it. */
  const reflected: typeof marked = (message, room, way) => {
    const heard = marked(message, room, way);
    const before = readChild(heard, NS.via, "via");
    if (before) heard.remove(before);
    return withVia(heard, [...passedByStanza(message), room.roomId]);
  };

  return {
    conversationIn,
    reflected,
    /** The stanzas of an event, without `to`, or why there are none. */
    async of(event: MatrixEvent, room: Room, address: BareJid, reader: UserId): Promise<Crossing> {
      if (isGhost(event.sender) && isOwnNotice(event)) return nothing("it is a notice of the bridge itself");
      const from = fullJid(address, await room.nickOf(event.sender));
      const crossing = await toXmpp(event, conversationIn(room, address, reader), { from, to: address });
      if (crossing.kind !== "stanzas") return crossing;
      const ownId = isGhost(event.sender) ? ownIdIn(event) : undefined;
      const stanzas = crossing.stanzas.map((stanza, part) => {
        const heard = marked(stanza, room, {
          from: stanza.attrs.from,
          sender: event.sender,
          stanzaId: hostedStanzaId(event.event_id, part),
        });
        if (ownId !== undefined && part === 0) heard.attrs.id = ownId;
        return heard;
      });
      return { ...crossing, stanzas };
    },
  };
}
