/** Whether a client is still in a room, and whether others answer there: XEP-0410 1.1, with XEP-0199. */
import { bareOf, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, errorReply, readChild, xml } from "../xmpp/stanza.ts";
import type { HostedRooms } from "./hosted-room.ts";

/** To an occupant; those to the room itself are no question of who is in it. */
export const isPing = (request: Element): boolean =>
  request.attrs.type === "get" &&
  resourceOf(request.attrs.to) !== undefined &&
  readChild(request, NS.ping, "ping") !== undefined;

/** The room answers for its occupants, whose clients may be of the other network. */
export async function answerPing(request: Element, rooms: HostedRooms): Promise<Element> {
  const { from, to, id } = request.attrs;
  const guest = rooms.guestAt(bareOf(to), from);
  if (!guest) return errorReply(request, { type: "cancel", condition: "not-acceptable" });
  const nick = resourceOf(to) ?? "";
  const isThere = nick === guest.nick || (await rooms.of(guest.roomId).userOfNick(nick)) !== undefined;
  if (!isThere) return errorReply(request, { type: "cancel", condition: "item-not-found" });
  return xml("iq", { type: "result", from: to, to: from, id });
}
