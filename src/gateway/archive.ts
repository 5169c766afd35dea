/** The history of a hosted room as its XMPP archive, read from the homeserver with the eyes of who asks. */
import { randomUUID } from "node:crypto";
import {
  type Archived,
  type ArchiveQuery,
  archiveEnd,
  archiveForm,
  archiveIdOf,
  archiveMetadata,
  archiveResult,
  readArchiveQuery,
} from "../mapping/hosted-archive.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { type Jid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { clientOf, type Question, type RoomAnswers, refusalOf, stateFor } from "./question.ts";

export interface ArchiveDeps {
  matrix: Pick<MatrixClient, "event" | "eventAt" | "history" | "placeOf">;
  xmpp: Pick<XmppClient, "send">;
  /** The messages that an event is, as those in the room were told. */
  archived(question: Question, event: MatrixEvent): Promise<Element[]>;
}

/** Events of one page, and pages of one answer: what takes longer comes with the next question. */
const pageSize = 100;
const mostPages = 5;
/**
 * Times of a room's events need not rise, and whoever sends one may say any time. So only a page of far-off ones tells
 * that the rest is out of reach.
 */
const slackMs = 60 * 60 * 1000;

const types = [
  "m.room.message",
  "m.sticker",
  "m.reaction",
  "m.room.redaction",
  "m.poll.start",
  "m.poll.response",
  "m.poll.end",
  "org.matrix.msc3381.poll.start",
  "org.matrix.msc3381.poll.response",
  "org.matrix.msc3381.poll.end",
  "m.room.encrypted",
];
const filter = { types };

type Direction = "f" | "b";
/** Where reading begins: without `from` at an end of the history, and nowhere where nothing can be found. */
type Beginning = { from?: string; first?: MatrixEvent } | "nowhere";
interface Found {
  items: Archived[];
  /** Nothing more lies beyond. */
  isComplete: boolean;
}

/** An event that became several messages is not torn apart. */
const isTooMuch = (found: readonly Archived[], more: readonly Archived[], max: number): boolean =>
  more.length > 0 && found.length + more.length > (max > 0 && found.length === 0 ? Infinity : max);

const notFound = () => new IqRefusal("cancel", "item-not-found", "The archive has no such message.");

export function archiveAnswers({ matrix, xmpp, archived }: ArchiveDeps): RoomAnswers {
  const messagesOf = async (question: Question, event: MatrixEvent): Promise<Archived[]> =>
    (await archived(question, event)).map((message, part) => {
      // The archive says when it was, beside the message.
      const delay = message.getChild("delay", NS.delay);
      if (delay) message.remove(delay);
      return { id: archiveIdOf(event.event_id, part), at: event.origin_server_ts, message };
    });

  /** COMPAT(homeservers before Matrix 1.6): times cannot be looked up there. */
  const nextTo = async ({ room, ghost }: Question, time: number, dir: Direction) => {
    try {
      return await matrix.eventAt(ghost, room.roomId, time, dir);
    } catch (error) {
      if (error instanceof MatrixError && error.errcode === "M_UNRECOGNIZED") return "unknown";
      throw error;
    }
  };

  /** At the event, or just beyond it, as the direction has it. */
  const from = (place: { before: string; after: string }, dir: Direction): string =>
    dir === "f" ? place.after : place.before;

  const beginAt = async (question: Question, time: number, dir: Direction): Promise<Beginning> => {
    const { room, ghost } = question;
    const next = await nextTo(question, time, dir);
    if (next === undefined) return "nowhere";
    // What the asker may not see is no place to begin, and neither is one that cannot be found by time.
    const place = next === "unknown" ? undefined : await matrix.placeOf(ghost, room.roomId, next);
    return place ? { from: from(place, dir), first: place.event } : {};
  };

  const beginning = async (question: Question, query: ArchiveQuery, dir: Direction): Promise<Beginning> => {
    const { room, ghost } = question;
    const [id, time] = dir === "f" ? [query.after, query.start] : [query.before, query.end];
    if (id !== undefined) {
      const place = await matrix.placeOf(ghost, room.roomId, id);
      if (!place) throw notFound();
      return { from: from(place, dir) };
    }
    return time === undefined ? {} : beginAt(question, time, dir);
  };

  const isAuthor = async (wanted: Jid, sender: UserId, { room, address }: Question): Promise<boolean> => {
    const resource = resourceOf(wanted);
    if (wanted === address) return true;
    if (wanted.startsWith(`${address}/`)) return (await room.nickOf(sender)) === resource;
    const jid = await room.jidOf(sender);
    return jid !== undefined && (jid === wanted || jid.startsWith(`${wanted}/`));
  };

  /** What the query asks for of an event; undefined where it lies beyond the end. */
  const choose = async (question: Question, query: ArchiveQuery, event: MatrixEvent) => {
    const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY, isFromEnd } = query;
    const { event_id: eventId, origin_server_ts: at, type, sender } = event;
    if (eventId === (isFromEnd ? query.after : query.before)) return undefined;
    if (at < start || at > end || !types.includes(type)) return [];
    if (query.with !== undefined && !(await isAuthor(query.with, sender, question))) return [];
    return messagesOf(question, event);
  };

  const areFarOff = (
    { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY, isFromEnd }: ArchiveQuery,
    events: readonly MatrixEvent[],
  ): boolean => {
    const isFarOff = ({ origin_server_ts: at }: MatrixEvent): boolean =>
      isFromEnd ? at < start - slackMs : at > end + slackMs;
    return events.length > 0 && events.every(isFarOff);
  };

  /** @throws IqRefusal where the event at which reading is to end is unknown. */
  const checkEnd = async ({ room, ghost }: Question, query: ArchiveQuery): Promise<void> => {
    const last = query.isFromEnd ? query.after : query.before;
    if (last !== undefined && !(await matrix.event(ghost, room.roomId, last))) throw notFound();
  };

  const read = async (question: Question, query: ArchiveQuery): Promise<Found> => {
    const { room, ghost } = question;
    const dir: Direction = query.isFromEnd ? "b" : "f";
    await checkEnd(question, query);
    const begin = await beginning(question, query, dir);
    if (begin === "nowhere") return { items: [], isComplete: true };

    const found: Archived[] = [];
    /** @returns whether that was the last one. */
    const take = async (events: readonly MatrixEvent[]): Promise<"end" | "full" | undefined> => {
      for (const event of events) {
        const messages = await choose(question, query, event);
        if (messages === undefined) return "end";
        if (isTooMuch(found, messages, query.max)) return "full";
        found.push(...(dir === "f" ? messages : messages.reverse()));
      }
      return undefined;
    };

    let how = await take(begin.first ? [begin.first] : []);
    let token = begin.from;
    for (let page = 0; how === undefined && page < mostPages; page += 1) {
      const place = { dir, limit: pageSize, filter, ...(token !== undefined && { from: token }) };
      const { events, end } = await matrix.history(ghost, room.roomId, place);
      how = await take(events);
      if (end === undefined || areFarOff(query, events)) how ??= "end";
      token = end;
    }
    return { items: dir === "f" ? found : found.reverse(), isComplete: how === "end" };
  };

  const pick = async (question: Question, ids: readonly EventId[]): Promise<Found> => {
    const { room, ghost } = question;
    const events = await Promise.all(ids.map((id) => matrix.event(ghost, room.roomId, id)));
    if (events.includes(undefined)) throw notFound();
    const inOrder = events
      .filter((event) => event !== undefined)
      .sort((a, b) => a.origin_server_ts - b.origin_server_ts);
    const messages = await Promise.all(inOrder.map((event) => messagesOf(question, event)));
    return { items: messages.flat(), isComplete: true };
  };

  const one = async (question: Question, isFromEnd: boolean): Promise<Archived | undefined> => {
    const query = readArchiveQuery(xml("query", { xmlns: NS.mam }));
    if ("condition" in query) return undefined;
    return (await read(question, { ...query, max: 1, isFromEnd })).items[0];
  };

  return {
    [`get ${NS.mam} query`]: async () => archiveForm(),

    [`get ${NS.mam} metadata`]: async (question) => {
      await stateFor(question);
      const [start, end] = [await one(question, false), await one(question, true)];
      return archiveMetadata(start && end && { start, end });
    },

    [`set ${NS.mam} query`]: async (question) => {
      await stateFor(question);
      const to = clientOf(question);
      const query = readArchiveQuery(question.payload);
      if ("condition" in query) throw refusalOf(query);
      const { items, isComplete } = query.ids ? await pick(question, query.ids) : await read(question, query);
      // The result of the IQ goes back through the callback, so each message has to be with Prosody before it.
      for (const item of query.isFlipped ? items.toReversed() : items) {
        const head = { from: question.address, to, id: randomUUID() };
        await xmpp.send(archiveResult(item, head, query.queryId));
      }
      return archiveEnd(isComplete, { first: items[0]?.id, last: items.at(-1)?.id });
    },
  };
}
