/**
 * The rooms that a message has passed, so that bridges in a circle do not send it round for ever: `<via/>` in stanzas,
 * `causeway.via` in events. Both are Causeway's own; others ignore them.
 */
import { type Content, isObject, type MatrixEvent } from "../matrix/event.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";

const key = "causeway.via";

/** No chain of bridges is longer; whoever writes more wants something else. */
const most = 20;
const longest = 3100;

const isRoom = (room: unknown): room is string =>
  typeof room === "string" && room !== "" && room.length <= longest;

/** Room IDs and addresses of XMPP rooms, in order. */
export const passedByStanza = (stanza: Element): string[] =>
  (readChild(stanza, NS.via, "via")?.getChildElements() ?? [])
    .filter(({ name }) => name === "room")
    .map(({ attrs }) => attrs.jid ?? attrs.id)
    .filter(isRoom)
    .slice(-most);

export function passedByEvent({ content }: Pick<MatrixEvent, "content">): string[] {
  const said = isObject(content["m.new_content"]) ? content["m.new_content"][key] : undefined;
  const rooms = content[key] ?? said;
  return Array.isArray(rooms) ? rooms.filter(isRoom).slice(-most) : [];
}

/** What an event says of them. */
export const viaContent = (rooms: readonly string[]): Content =>
  rooms.length === 0 ? {} : { [key]: [...new Set(rooms)] };

/** The stanza, which says the same. */
export function withVia(stanza: Element, rooms: readonly string[]): Element {
  const named = [...new Set(rooms)].map((room) =>
    xml("room", { [room.startsWith("!") ? "id" : "jid"]: room }),
  );
  stanza.append(xml("via", { xmlns: NS.via }, ...named));
  return stanza;
}
