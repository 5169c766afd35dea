/** A room's history as an XMPP archive: XEP-0313 1.1.3 (Message Archive Management), pages by XEP-0059 1.0. */
import { type EventId, parseEventId } from "../matrix/ids.ts";
import { type BareJid, type FullJid, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, type StanzaError, xml } from "../xmpp/stanza.ts";
import { type FormField, formElement, readForm } from "./data-forms.ts";
import { dateTime, dateTimeOf } from "./date-times.ts";
import { type PageEnds, readPageRequest, resultSet } from "./result-sets.ts";

export interface ArchiveQuery {
  /** By which the client knows its results. */
  queryId: string | undefined;
  /** In Unix milliseconds, inclusive. */
  start: number | undefined;
  end: number | undefined;
  with: Jid | undefined;
  /** Between these two, which are left out; by the form or by the page. */
  after: EventId | undefined;
  before: EventId | undefined;
  /** These alone. */
  ids: readonly EventId[] | undefined;
  max: number;
  /** The last page, instead of the first one. */
  isFromEnd: boolean;
  /** Within the page, the newest first. */
  isFlipped: boolean;
}

const mostResults = 100;
const usualResults = 50;

/** An archive's ID is that of the event, and of its n-th stanza where it became several. */
export const eventOfArchiveId = (id: string): EventId | undefined =>
  parseEventId(id.replace(/#\d{1,3}$/, ""));
export const archiveIdOf = (eventId: EventId, part: number): string =>
  part === 0 ? eventId : `${eventId}#${part}`;

const fields: readonly FormField[] = [
  { name: "with", type: "jid-single" },
  { name: "start", type: "text-single" },
  { name: "end", type: "text-single" },
  { name: "before-id", type: "text-single" },
  { name: "after-id", type: "text-single" },
  {
    name: "ids",
    type: "list-multi",
    more: [xml("validate", { xmlns: NS.dataValidate, datatype: "xs:string" }, xml("open"))],
  },
];
const known = new Set(fields.map(({ name }) => name));

/** §4.1.5: what a query may say. */
export const archiveForm = (): Element =>
  xml("query", { xmlns: NS.mam }, formElement("form", NS.mam, fields));

const badRequest = (text: string): StanzaError => ({ type: "modify", condition: "bad-request", text });
const notFound: StanzaError = { type: "cancel", condition: "item-not-found" };

/** @returns the error that the specification names, where the query is none. */
export function readArchiveQuery(query: Element): ArchiveQuery | StanzaError {
  const form = readForm(query);
  const values = form?.values ?? new Map<string, readonly string[]>();
  if (form && form.formType !== NS.mam) return badRequest("The form is of another type.");
  const unknown = [...values.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    return {
      type: "cancel",
      condition: "feature-not-implemented",
      text: `This archive knows no "${unknown}".`,
    };
  }
  const first = (name: string): string | undefined => values.get(name)?.[0]?.trim() || undefined;
  const [start, end] = [first("start"), first("end")].map((text) =>
    text === undefined ? undefined : dateTimeOf(text),
  );
  const isTime = (time: number | undefined): boolean => time === undefined || !Number.isNaN(time);
  if (!isTime(start) || !isTime(end)) return badRequest("start and end are times of XEP-0082.");
  const withJid = first("with");
  if (withJid !== undefined && !parseJid(withJid)) return badRequest("with is a JID.");

  const page = readPageRequest(query);
  const [afterText, beforeText] = [page?.after ?? first("after-id"), page?.before || first("before-id")];
  const [after, before] = [afterText, beforeText].map((id) =>
    id === undefined ? undefined : eventOfArchiveId(id),
  );
  const idTexts = values.get("ids");
  const ids = idTexts?.map((id) => eventOfArchiveId(id));
  const isUnknown =
    (afterText !== undefined && !after) || (beforeText !== undefined && !before) || ids?.includes(undefined);
  if (isUnknown) return notFound;
  if (ids && ids.length > mostResults) return badRequest(`Ask for ${mostResults} at most.`);
  return {
    queryId: typeof query.attrs.queryid === "string" ? query.attrs.queryid : undefined,
    start,
    end,
    with: withJid as Jid | undefined,
    after,
    before,
    ids: ids?.filter((id) => id !== undefined),
    max: Math.min(page?.max ?? usualResults, mostResults),
    isFromEnd: page?.before !== undefined,
    isFlipped: readChild(query, NS.mam, "flip-page") !== undefined,
  };
}

export interface Archived {
  /** In the archive. */
  id: string;
  /** In Unix milliseconds. */
  at: number;
  /** As it was said. */
  message: Element;
}

/** @param id of the message that carries the result. */
export const archiveResult = (
  { id: archiveId, at, message }: Archived,
  head: { from: BareJid; to: FullJid; id: string },
  queryId: string | undefined,
): Element => {
  message.attrs.xmlns = NS.client;
  return xml(
    "message",
    { ...head },
    xml(
      "result",
      { xmlns: NS.mam, id: archiveId, ...(queryId !== undefined && { queryid: queryId }) },
      xml(
        "forwarded",
        { xmlns: NS.forward },
        xml("delay", { xmlns: NS.delay, stamp: dateTime(at) }),
        message,
      ),
    ),
  );
};

export const archiveEnd = (isComplete: boolean, ends: PageEnds): Element =>
  xml("fin", { xmlns: NS.mam, ...(isComplete && { complete: "true" }) }, resultSet(ends));

/** §5: the first and the last message; none where the archive is empty. */
export const archiveMetadata = (ends?: Record<"start" | "end", { id: string; at: number }>): Element =>
  xml(
    "metadata",
    { xmlns: NS.mam },
    ...(ends
      ? (["start", "end"] as const).map((name) =>
          xml(name, { id: ends[name].id, timestamp: dateTime(ends[name].at) }),
        )
      : []),
  );
