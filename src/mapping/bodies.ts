/**
 * Changes to a stanza's body that leave whatever points into it where it was: XEP-0426 0.3 offsets of XEP-0372
 * references, XEP-0513 mentions, XEP-0394 markup and XEP-0428 fallbacks, all in Unicode code points.
 */
import { NS } from "../xmpp/namespaces.ts";
import { copyOf, type Element, readChild, readText } from "../xmpp/stanza.ts";

/** From `start` up to, but not with, `end`. */
export interface Range {
  start: number;
  end: number;
}

const pointers: ReadonlySet<unknown> = new Set([NS.reference, NS.mentions, NS.markup, NS.fallback]);
const offsets = ["begin", "start", "end"] as const;

function shift(element: Element, moved: (offset: number) => number): void {
  for (const name of offsets) {
    const offset = Number(element.attrs[name]);
    if (element.attrs[name] !== undefined && Number.isSafeInteger(offset)) {
      element.attrs[name] = String(moved(offset));
    }
  }
  for (const child of element.getChildElements()) shift(child, moved);
}

const isShown = (child: Element): boolean => child.name === "body" && !child.attrs.xmlns;

/** A copy of the stanza in whose body the text stands in place of the range. */
function replaced(stanza: Element, { start, end }: Range, text: string): Element {
  const changed = copyOf(stanza);
  const bodies = changed.getChildElements().filter(isShown);
  const body = bodies.find(({ attrs }) => attrs["xml:lang"] === undefined) ?? bodies[0];
  if (!body) return changed;
  const characters = [...(readText(stanza, "body") ?? "")];
  body.children = [[...characters.slice(0, start), text, ...characters.slice(end)].join("")];
  const by = [...text].length - (end - start);
  const moved = (offset: number): number => {
    if (offset >= end) return offset + by;
    return Math.min(offset, start);
  };
  for (const child of changed.getChildElements()) {
    if (pointers.has(child.attrs.xmlns)) shift(child, moved);
    // The same words in another form, and now others.
    else if (child.attrs.xmlns === NS.xhtmlIm) changed.remove(child);
  }
  return changed;
}

/** The stanza with text ahead of all that its body says. */
export const withPrefix = (stanza: Element, prefix: string): Element =>
  replaced(stanza, { start: 0, end: 0 }, prefix);

/** The stanza with text after all that its body says. */
export function withSuffix(stanza: Element, suffix: string): Element {
  const end = [...(readText(stanza, "body") ?? "")].length;
  return suffix === "" ? stanza : replaced(stanza, { start: end, end }, suffix);
}

/** The stanza without a part of its body. */
export const withoutRange = (stanza: Element, range: Range): Element => replaced(stanza, range, "");

/** What of the body only stands in for a feature (XEP-0428 0.2.1), in order and apart; what is no range is left out. */
export function fallbackRanges(stanza: Element, feature: string): Range[] {
  const length = [...(readText(stanza, "body") ?? "")].length;
  const marks = stanza
    .getChildElements()
    .filter((child) => child.attrs.xmlns === NS.fallback && child.name === "fallback")
    .filter(({ attrs }) => attrs.for === feature);
  const parts = marks.flatMap((mark) => {
    const children = mark.getChildElements();
    const bodies = children.filter(({ name }) => name === "body");
    return children.length === 0 ? [{}] : bodies.map(({ attrs }) => attrs);
  });
  const ranges = parts.map(({ start = 0, end = length }) => ({
    start: Number(start),
    end: Math.min(Number(end), length),
  }));
  const valid = ranges
    .filter(({ start, end }) => Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end)
    .sort((a, b) => a.start - b.start);
  return valid.reduce<Range[]>((apart, { start, end }) => {
    const last = apart.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else apart.push({ start, end });
    return apart;
  }, []);
}

/** The stanza without what only stands in for a feature that is understood, unless nothing would be left. */
export function withoutFallback(stanza: Element, feature: string): Element {
  const cut = fallbackRanges(stanza, feature).reverse().reduce(withoutRange, stanza);
  return readText(cut, "body")?.trim() ? cut : stanza;
}

/** Whether the whole body only stands in for a feature. */
export function isAllFallback(stanza: Element, feature: string): boolean {
  if (!readChild(stanza, NS.fallback)) return false;
  const length = [...(readText(stanza, "body") ?? "")].length;
  const [first] = fallbackRanges(stanza, feature);
  return first !== undefined && first.start === 0 && first.end === length;
}
