/** What a room that the bridge hosts says to its occupants besides their presence: XEP-0045 1.35, XEP-0359, XEP-0421. */
import { type BareJid, bareOf, type FullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { copyOf, type Element, errorReply, type StanzaError, xml } from "../xmpp/stanza.ts";
import type { Rank } from "./affiliations.ts";
import { dateTime, dateTimeOf } from "./date-times.ts";

export interface OccupantMessage {
  /** The occupant, or the room itself. */
  from: Jid;
  /** Undefined where that is not said yet. */
  to?: FullJid;
  /** Undefined where the room itself speaks. */
  occupantId?: string | undefined;
  /** XEP-0359, for what is in the archive. */
  stanzaId?: { id: string; by: BareJid } | undefined;
}

/** What only the room itself can truly say of a stanza, whoever has put it there. */
const isMark = (child: Element): boolean => {
  const namespace = child.getNS();
  if (namespace === NS.stableId) return child.name === "stanza-id";
  return (
    namespace === NS.occupantId || namespace === NS.mucUser || namespace === NS.muc || namespace === NS.delay
  );
};

/** A copy of a stanza as an occupant gets it; only the room says who and what it is. */
export function asOccupantMessage(
  stanza: Element,
  type: "groupchat" | "chat" | "error",
  way: OccupantMessage,
): Element {
  const { from, to, occupantId, stanzaId } = way;
  const copy = copyOf(stanza);
  copy.children = copy.children.filter((child) => typeof child !== "object" || !isMark(child));
  delete copy.attrs.to;
  Object.assign(copy.attrs, { from, type, ...(to && { to }) });
  if (stanzaId) copy.append(xml("stanza-id", { xmlns: NS.stableId, ...stanzaId }));
  if (type !== "groupchat") copy.append(xml("x", { xmlns: NS.mucUser }));
  if (occupantId) copy.append(xml("occupant-id", { xmlns: NS.occupantId, id: occupantId }));
  return copy;
}

/** Who an archived message is from, as their presence would say it. */
export const authorOf = (jid: BareJid, { affiliation, role }: Rank): Element =>
  xml("x", { xmlns: NS.mucUser }, xml("item", { affiliation, role, jid }));

/** §7.2.14 and §8.1: a subject and no body; empty where there is none. */
export const subjectMessage = (from: Jid, to: FullJid, subject: string, id?: string): Element =>
  xml(
    "message",
    { type: "groupchat", from, to, ...(id !== undefined && { id }) },
    xml("subject", {}, ...(subject ? [subject] : [])),
  );

/** When it was said, in Unix milliseconds; the stanza itself is changed. */
export function withStamp(stanza: Element, from: BareJid, at: number): Element {
  const old = stanza.getChild("delay", NS.delay);
  if (old) stanza.remove(old);
  stanza.append(xml("delay", { xmlns: NS.delay, from, stamp: dateTime(at) }));
  return stanza;
}

/** §10.2.1 and §17.3: something about the room is not as it was. */
export const roomChanged = (from: BareJid, to: FullJid, statuses: readonly number[]): Element =>
  xml(
    "message",
    { type: "groupchat", from, to },
    xml("x", { xmlns: NS.mucUser }, ...statuses.map((code) => xml("status", { code: String(code) }))),
  );

/** The refusal of a presence, with where to go instead (RFC 6120 §8.3.3.5) where there is such a place. */
export function refusedPresence(stanza: Element, error: StanzaError, elsewhere?: BareJid): Element {
  const refused = errorReply(stanza, error);
  const why = refused.getChild("error");
  // The room itself says so, and no occupant's client.
  if (why) why.attrs.by = bareOf(stanza.attrs.to as Jid);
  if (elsewhere !== undefined) why?.getChild(error.condition)?.append(`xmpp:${elsewhere}?join`);
  return refused;
}

export interface HistoryWish {
  /** How many messages at most. */
  maxStanzas?: number;
  /** How many characters of XML at most. */
  maxChars?: number;
  /** In Unix milliseconds. */
  since?: number;
}

const count = (value: unknown): number | undefined =>
  typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : undefined;

/** §7.2.13: what of the history a newcomer wants; what is no number wishes nothing. */
export function readHistoryWish(stanza: Element, now: number): HistoryWish {
  const attrs: Record<string, unknown> = stanza.getChild("x", NS.muc)?.getChild("history")?.attrs ?? {};
  const [maxStanzas, maxChars, seconds] = [
    count(attrs.maxstanzas),
    count(attrs.maxchars),
    count(attrs.seconds),
  ];
  const stamp = dateTimeOf(String(attrs.since ?? ""));
  const times = [
    ...(seconds === undefined ? [] : [now - seconds * 1000]),
    ...(Number.isNaN(stamp) ? [] : [stamp]),
  ];
  return {
    ...(maxStanzas !== undefined && { maxStanzas }),
    ...(maxChars !== undefined && { maxChars }),
    ...(times.length > 0 && { since: Math.max(...times) }),
  };
}
