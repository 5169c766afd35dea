/** When a stanza was sent, where that was long ago: XEP-0203 Delayed Delivery 2.0. */
import { dateTime, dateTimeOf } from "../mapping/date-times.ts";
import { bareOf, domainOf, type Jid } from "./jid.ts";
import { NS } from "./namespaces.ts";
import { type Element, readChild, xml } from "./stanza.ts";

/** Whether it was said before, by whomever the delay is told. */
export const isDelayed = (message: Element): boolean => readChild(message, NS.delay, "delay") !== undefined;

/** A message that took longer says when it was written. */
const lateMs = 5 * 60_000;

/**
 * When a stanza was sent, in Unix milliseconds, if its sender or the sender's server says so; others have no say.
 * @param acceptedAt when the bridge took it.
 * @returns undefined where that is now, or said to be a time that has not been yet.
 */
export function sentAtOf(stanza: Element, acceptedAt: number | undefined, now: number): number | undefined {
  const from = stanza.attrs.from as Jid;
  const trusted = new Set<unknown>([undefined, bareOf(from), domainOf(from)]);
  const times = stanza
    .getChildElements()
    .filter(
      (child) => child.name === "delay" && child.attrs.xmlns === NS.delay && trusted.has(child.attrs.from),
    )
    .map(({ attrs }) => dateTimeOf(String(attrs.stamp)))
    .filter((time) => time > 0 && time < now);
  if (times.length > 0) return Math.min(...times);
  return acceptedAt !== undefined && now - acceptedAt >= lateMs ? acceptedAt : undefined;
}

/** Says when it was written, if that is long ago. */
export function withDelay(stanza: Element, sentAt: number, now: number): Element {
  if (sentAt <= 0 || now - sentAt < lateMs) return stanza;
  const from = domainOf(stanza.attrs.from as Jid);
  stanza.append(xml("delay", { xmlns: NS.delay, from, stamp: dateTime(sentAt) }));
  return stanza;
}
