/** What is known of what an event or a stanza refers to, put into what it becomes. Each relation has a file of its own. */
import type { Content, MatrixEvent } from "../matrix/event.ts";
import type { EventId, UserId } from "../matrix/ids.ts";
import { type Element, readText } from "../xmpp/stanza.ts";
import { asCorrection, asNewMessage, newVersion, replacing } from "./edits.ts";
import type { KnownMessage } from "./references.ts";
import { asReply, type Quote, withoutQuotation, withoutQuote } from "./replies.ts";
import { inThread, relationTo } from "./threads.ts";

/** What the bridge has found of what an event refers to. */
export interface EventFacts {
  /** The parts of the version that it replaces; none where that has not crossed. */
  first?: readonly KnownMessage[];
  reply?: { target: KnownMessage | undefined; quote: Quote | undefined };
  thread?: { rootId: EventId; root: KnownMessage | undefined };
}

/** What an event says, apart from what it refers to. */
export const saidBy = (event: MatrixEvent): MatrixEvent => newVersion(withoutQuotation(event));

/** @param stanzas what the event says. */
export function relateStanzas(
  [first, ...others]: readonly Element[],
  event: MatrixEvent,
  facts: EventFacts,
): Element[] {
  if (!first) return [];
  let stanza = facts.first ? asCorrection(first, event, facts.first) : first;
  if (facts.reply) stanza = asReply(stanza, facts.reply.target, facts.reply.quote);
  if (facts.thread) stanza = inThread(stanza, facts.thread.rootId, facts.thread.root);
  return [stanza, ...others];
}

/** What the bridge has found of what a stanza refers to. */
export interface StanzaFacts {
  /** The first version of what it corrects, if it is known and still there. */
  first?: EventId | "unknown" | "removed";
  repliesTo?: EventId;
  /** What that says, where it matters and is known. */
  original?: string;
  thread?: EventId;
  mentions?: readonly UserId[];
}

const isEventId = (first: StanzaFacts["first"]): first is EventId =>
  first !== undefined && first !== "unknown" && first !== "removed";

/** What a stanza says, apart from what it refers to. */
export function saidIn(stanza: Element, facts: StanzaFacts): Element {
  const said = facts.repliesTo ? withoutQuote(stanza, facts.original) : stanza;
  return facts.first === "unknown" && readText(said, "body") ? asNewMessage(said) : said;
}

/** @param content what the stanza says, as a message. */
export function relateContent(content: Content, facts: StanzaFacts): Content {
  // Where it is left out, homeservers look for names and @room in the text ("User and room mentions").
  const mentions = facts.mentions?.length ? { user_ids: [...new Set(facts.mentions)] } : {};
  const said = { "m.mentions": mentions, ...content };
  if (isEventId(facts.first)) return replacing(said, facts.first);
  const relation = relationTo(facts);
  return relation ? { ...said, "m.relates_to": relation } : said;
}
