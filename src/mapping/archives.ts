/** The archive of an XMPP room: XEP-0313 1.1.3 with XEP-0059 1.0, and XEP-0359 0.7 for what its IDs are. */

import { type BareJid, bareOf, type FullJid, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";
import { formElement } from "./data-forms.ts";

/** Which part of it, oldest first in any case. */
export type ArchivePart =
  | { after: string; max: number }
  /** From that time on, by XEP-0082. */
  | { since: string; after?: string; max: number }
  /** The newest, or those just before one. */
  | { before: string; max: number };

export function archiveQuery(queryId: string, part: ArchivePart): Element {
  const set = xml(
    "set",
    { xmlns: NS.resultSet },
    xml("max", {}, String(part.max)),
    ...("before" in part ? [xml("before", {}, ...(part.before ? [part.before] : []))] : []),
    ...("after" in part && part.after !== undefined ? [xml("after", {}, part.after)] : []),
  );
  const form =
    "since" in part ? [formElement("submit", NS.mam, [{ name: "start", values: [part.since] }])] : [];
  return xml("query", { xmlns: NS.mam, queryid: queryId }, ...form, set);
}

export interface ArchivePage {
  /** The ID of its last message; undefined for an empty page. */
  last: string | undefined;
  first: string | undefined;
  isComplete: boolean;
}

/** @param result the IQ that ends a page. */
export function readArchivePage(result: Element): ArchivePage {
  const fin = readChild(result, NS.mam, "fin");
  const set = fin && readChild(fin, NS.resultSet, "set");
  return {
    first: set?.getChildText("first") || undefined,
    last: set?.getChildText("last") || undefined,
    isComplete: fin === undefined || fin.attrs.complete === "true" || fin.attrs.complete === "1",
  };
}

/** The query that a message carries a result of. */
export const queryIdOf = (message: Element): string | undefined =>
  readChild(message, NS.mam, "result")?.attrs.queryid;

export interface Archived {
  id: string;
  /** As if it came now, but for the time that it tells; undefined where it is no message of the room's occupants. */
  message: Element | undefined;
}

/** @returns undefined for what is no result. */
export function readArchived(carrier: Element, muc: BareJid, to: FullJid): Archived | undefined {
  const result = readChild(carrier, NS.mam, "result");
  const id: unknown = result?.attrs.id;
  const forwarded = result?.getChild("forwarded");
  if (carrier.attrs.from !== muc || typeof id !== "string" || id === "" || !forwarded) return undefined;
  return { id, message: messageIn(forwarded, id, muc, to) };
}

/** Within a result it has to say that it is a client's; by itself it need not, and must not. */
const plain = (element: Element): Element => {
  const { xmlns, ...attrs } = element.attrs;
  return xmlns === NS.client ? xml(element.name, attrs, ...element.children) : element;
};

function messageIn(forwarded: Element, id: string, muc: BareJid, to: FullJid): Element | undefined {
  const archived = forwarded.getChild("message");
  const { from, type } = archived?.attrs ?? {};
  const isOfRoom = typeof from === "string" && parseJid(from) && bareOf(from as Jid) === muc;
  if (!archived || !isOfRoom || type !== "groupchat") return undefined;
  const stamp: unknown = readChild(forwarded, NS.delay, "delay")?.attrs.stamp;
  // COMPAT(Prosody): what the sender has put there itself is before it.
  const whose = archived.getChildren("x", NS.mucUser).at(-1);
  const kept = archived
    .getChildElements()
    .filter((child) => !child.is("x", NS.mucUser) || child === whose)
    // Only the archive itself says what is called how and when it came.
    .filter((child) => !(child.is("stanza-id", NS.stableId) && child.attrs.by === muc))
    .filter((child) => !(child.is("delay", NS.delay) && child.attrs.from === muc));
  return xml(
    "message",
    { ...plain(archived).attrs, to },
    ...kept.map(plain),
    xml("stanza-id", { xmlns: NS.stableId, by: muc, id }),
    ...(typeof stamp === "string" ? [xml("delay", { xmlns: NS.delay, from: muc, stamp })] : []),
  );
}
