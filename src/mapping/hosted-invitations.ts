/** Invitations to a hosted room, as the room takes and sends them: XEP-0045 1.35 §7.8.2, XEP-0249 1.2. */
import { type BareJid, bareOf, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";

export interface Invitee {
  to: BareJid;
  reason: string | undefined;
}

const most = 20;

const jidOr = (text: unknown): Jid | undefined =>
  typeof text === "string" && parseJid(text) !== undefined ? (text as Jid) : undefined;
const reasonIn = (element: Element): string | undefined => {
  const text = element.getChildText("reason")?.trim();
  return text ? xmlSafe(text) : undefined;
};
const reasonElement = (reason: string | undefined): Element[] =>
  reason === undefined ? [] : [xml("reason", {}, reason)];

/** Whom somebody in the room asks it to invite; undefined in place of an address that is none. */
export function readInvitees(message: Element): (Invitee | undefined)[] {
  const user = readChild(message, NS.mucUser, "x");
  return (user?.getChildren("invite") ?? []).slice(0, most).map((invite) => {
    const to = jidOr(invite.attrs.to);
    return to && { to: bareOf(to), reason: reasonIn(invite) };
  });
}

/** To whom somebody who was invited says that they do not come. */
export function readRefusal(
  message: Element,
): { to: Jid | undefined; reason: string | undefined } | undefined {
  const decline = readChild(message, NS.mucUser, "x")?.getChild("decline");
  return decline && { to: jidOr(decline.attrs.to), reason: reasonIn(decline) };
}

/** With words for clients that know nothing of invitations, and the invitation of XEP-0249 for those that know this one only. */
export const invitation = (
  head: { from: BareJid; to: BareJid; id: string },
  { from, reason, roomName }: { from: Jid; reason: string | undefined; roomName: string },
): Element =>
  xml(
    "message",
    { ...head },
    xml(
      "body",
      {},
      `${from} invites you to the room ${roomName}${reason === undefined ? "" : `: ${reason}`}`,
    ),
    xml("x", { xmlns: NS.mucUser }, xml("invite", { from }, ...reasonElement(reason))),
    xml("x", { xmlns: NS.conference, jid: head.from, ...(reason !== undefined && { reason }) }),
  );

export const refusedInvitation = (
  head: { from: BareJid; to: Jid; id: string },
  { from, reason }: { from: BareJid; reason: string | undefined },
): Element =>
  xml(
    "message",
    { ...head },
    xml("x", { xmlns: NS.mucUser }, xml("decline", { from }, ...reasonElement(reason))),
  );
