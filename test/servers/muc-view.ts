/** What a client makes of the presences of a room (XEP-0045 1.35): who is in it, and as what. */
import type { Element } from "@xmpp/xml";

const mucUser = "http://jabber.org/protocol/muc#user";

export interface MucOccupant {
  nick: string;
  affiliation: string;
  role: string;
  /** Where the room shows it. */
  jid: string | undefined;
  /** XEP-0421. */
  occupantId: string | undefined;
}

export const typeOf = ({ attrs }: Element): string | undefined => attrs.type;

/** The status codes of a stanza from a room, in its order. */
export function statusesOf(stanza: Element): string[] {
  const statuses = stanza.getChild("x", mucUser)?.getChildren("status") ?? [];
  return statuses.map(({ attrs }) => String(attrs.code));
}

function occupantOf(presence: Element): MucOccupant {
  const item = presence.getChild("x", mucUser)?.getChild("item")?.attrs ?? {};
  return {
    nick: String(presence.attrs.from).replace(/^[^/]*\//, ""),
    affiliation: String(item.affiliation),
    role: String(item.role),
    jid: item.jid,
    occupantId: presence.getChild("occupant-id", "urn:xmpp:occupant-id:0")?.attrs.id,
  };
}

/** Who is in the room after these stanzas. */
export function occupantsOf(stanzas: readonly Element[]): Map<string, MucOccupant> {
  const occupants = new Map<string, MucOccupant>();
  for (const stanza of stanzas) {
    if (!stanza.is("presence") || !String(stanza.attrs.from).includes("/")) continue;
    const occupant = occupantOf(stanza);
    if (typeOf(stanza) === undefined) occupants.set(occupant.nick, occupant);
    // A session of several that leaves under one nick is told so alone; the others still see the occupant.
    else if (typeOf(stanza) === "unavailable") occupants.delete(occupant.nick);
  }
  return occupants;
}
