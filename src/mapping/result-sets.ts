/** Long lists, page by page: XEP-0059 1.0 (Result Set Management). */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";

export interface PageRequest {
  /** 0 asks for the count alone. */
  max: number | undefined;
  after: string | undefined;
  /** "" asks for the last page. */
  before: string | undefined;
  index: number | undefined;
}

export interface Page<T> {
  items: readonly T[];
  /** The place of the first of them in the whole list. */
  index: number;
  count: number;
}

const numberOr = (text: string | null | undefined): number | undefined =>
  text && /^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined;

/** @returns undefined where nothing is said of pages. */
export function readPageRequest(query: Element): PageRequest | undefined {
  const set = readChild(query, NS.resultSet, "set");
  if (!set) return undefined;
  const textOf = (name: string): string | undefined => set.getChild(name)?.getText();
  return {
    max: numberOr(textOf("max")),
    after: textOf("after") || undefined,
    before: textOf("before"),
    index: numberOr(textOf("index")),
  };
}

/** @returns undefined where the request names an item that is not in the list (XEP-0059 §2.2). */
export function pageOf<T>(
  all: readonly T[],
  request: PageRequest | undefined,
  { idOf, most }: { idOf: (item: T) => string; most: number },
): Page<T> | undefined {
  const max = Math.min(request?.max ?? most, most);
  const place = (id: string): number => all.findIndex((item) => idOf(item) === id);
  let start = request?.index ?? 0;
  if (request?.after !== undefined) {
    const at = place(request.after);
    if (at === -1) return undefined;
    start = at + 1;
  } else if (request?.before !== undefined) {
    const end = request.before === "" ? all.length : place(request.before);
    if (end === -1) return undefined;
    start = Math.max(0, end - max);
    return { items: all.slice(start, end), index: start, count: all.length };
  }
  return { items: all.slice(start, start + max), index: start, count: all.length };
}

export interface PageEnds {
  first?: string | undefined;
  last?: string | undefined;
  index?: number;
  count?: number;
}

export const resultSet = ({ first, last, index, count }: PageEnds): Element =>
  xml(
    "set",
    { xmlns: NS.resultSet },
    ...(first === undefined
      ? []
      : [xml("first", index === undefined ? {} : { index: String(index) }, first)]),
    ...(last === undefined ? [] : [xml("last", {}, last)]),
    ...(count === undefined ? [] : [xml("count", {}, String(count))]),
  );
