/** Invitations to rooms of XMPP services: mediated (XEP-0045 1.35 §7.8.2) and direct (XEP-0249 1.2). */
import {
  type BareJid,
  bareOf,
  type FullJid,
  isFullJid,
  type Jid,
  parseBareJid,
  parseJid,
} from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";

export interface MucInvitation {
  muc: BareJid;
  /** A real JID, or that of an occupant where the room keeps it; undefined where nothing is said. */
  from: Jid | undefined;
  reason: string | undefined;
  password: string | undefined;
}

const jidOr = (text: unknown): Jid | undefined =>
  typeof text === "string" && parseJid(text) !== undefined ? (text as Jid) : undefined;

const textOr = (text: unknown): string | undefined =>
  typeof text === "string" && text !== "" ? xmlSafe(text) : undefined;

/** @returns undefined for a message that invites nobody, or could not be from whom it says. */
export function readInvitation(message: Element): MucInvitation | undefined {
  const from = jidOr(message.attrs.from);
  const { type } = message.attrs;
  if (message.name !== "message" || !from || type === "error" || type === "groupchat") return undefined;
  const user = readChild(message, NS.mucUser, "x");
  const invite = user?.getChild("invite");
  if (user && invite && !isFullJid(from)) {
    return {
      muc: from as BareJid,
      from: jidOr(invite.attrs.from),
      reason: textOr(invite.getChildText("reason")),
      password: textOr(user.getChildText("password")),
    };
  }
  const conference = readChild(message, NS.conference, "x");
  const muc = parseBareJid(String(conference?.attrs.jid ?? ""));
  if (!conference || !muc) return undefined;
  return {
    muc,
    from: bareOf(from),
    reason: textOr(conference.attrs.reason),
    password: textOr(conference.attrs.password),
  };
}

/** An occupant has somebody invited. */
export const mediatedInvitation = (from: FullJid, muc: BareJid, to: BareJid, reason?: string): Element =>
  xml(
    "message",
    { from, to: muc },
    xml("x", { xmlns: NS.mucUser }, xml("invite", { to }, ...(reason ? [xml("reason", {}, reason)] : []))),
  );

/** Somebody who was invited by an occupant does not come. */
export const declinedInvitation = (from: BareJid, muc: BareJid, to: Jid, reason?: string): Element =>
  xml(
    "message",
    { from, to: muc },
    xml("x", { xmlns: NS.mucUser }, xml("decline", { to }, ...(reason ? [xml("reason", {}, reason)] : []))),
  );

export interface Decline {
  from: Jid;
  reason: string | undefined;
}

/** Somebody does not come whom an occupant of ours has invited; the room hands it on. */
export function readDecline(message: Element): Decline | undefined {
  // An occupant who writes to one of ours in private is not the room.
  const isOfRoom = message.name === "message" && !isFullJid(message.attrs.from);
  const decline = isOfRoom && readChild(message, NS.mucUser, "x")?.getChild("decline");
  const from = decline ? jidOr(decline.attrs.from) : undefined;
  return decline && from ? { from, reason: textOr(decline.getChildText("reason")) } : undefined;
}
