/** Moderation: m.room.redaction of what others have written (Client-Server API v1.15 §11.9) <-> XEP-0425 Moderated Message Retraction 0.3.0. */
import { bareOf, isFullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";
import { type Head, type KnownMessage, referencesOfStanza } from "./references.ts";

const longestReason = 1000;

const reasonOf = (reason: string | undefined): Element[] =>
  reason === undefined ? [] : [xml("reason", {}, reason)];

/** What a room is asked for, to remove the message that it calls so. */
export const moderationRequest = (id: string, reason: string | undefined): Element =>
  xml("moderate", { xmlns: NS.moderate, id }, xml("retract", { xmlns: NS.retract }), ...reasonOf(reason));

/** What a room tells its occupants, a stanza for each part. @param head from the occupant who has removed it. */
export const moderatedStanzas = (
  { from, to, id }: Head,
  parts: readonly KnownMessage[],
  reason: string | undefined,
): Element[] =>
  parts.flatMap(({ stanzaId }, index) => {
    if (!stanzaId) return [];
    const retract = xml(
      "retract",
      { xmlns: NS.retract, id: stanzaId.id },
      xml("moderated", { xmlns: NS.moderate, by: from }),
      ...reasonOf(reason),
    );
    const name = index === 0 ? id : `part-${index}-${id}`;
    return [xml("message", { type: "groupchat", from: bareOf(from), to, id: name }, retract)];
  });

/** What a moderator has removed. Only the room itself may say so, and a stanza in which an occupant does says nothing. */
export function readModeration(stanza: Element): { id: string; reason?: string } | "nothing" | undefined {
  const retract = readChild(stanza, NS.retract, "retract");
  if (!retract || !readChild(retract, NS.moderate, "moderated")) return undefined;
  const { retracts: id } = referencesOfStanza(stanza);
  const isFromRoom = stanza.attrs.type === "groupchat" && !isFullJid(stanza.attrs.from as Jid);
  if (!isFromRoom || id === undefined) return "nothing";
  const reason = xmlSafe(retract.getChildText("reason") ?? "").slice(0, longestReason);
  return { id, ...(reason !== "" && { reason }) };
}
