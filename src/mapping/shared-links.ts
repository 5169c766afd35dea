/**
 * Files that a message stanza shares by link: XEP-0447 Stateless File Sharing 0.3.1, XEP-0385 SIMS 0.2.1 and
 * XEP-0066 Out of Band Data 1.5, with the fallback of XEP-0428 0.2.1 cut out of the text.
 */
import { NS } from "../xmpp/namespaces.ts";
import { copyOf, type Element, readText, xml, xmlSafe } from "../xmpp/stanza.ts";
import { fallbackRanges, withoutRange } from "./bodies.ts";
import { fileNameOf, mediaTypeOf } from "./file-names.ts";
import type { FileFacts } from "./files.ts";

export interface SharedLink extends FileFacts {
  url: string;
  name?: string | undefined;
  description?: string | undefined;
  /** What the bytes have to give, by the names of XEP-0300; base64. */
  hashes: Record<string, string>;
}

export interface SharedLinks {
  files: SharedLink[];
  /** The stanza without its files: the text beside them, if it has any. */
  rest: Element;
}

/** More are left as links in the text. */
const mostFiles = 10;
const longestUrl = 4096;

function isFetchable(url: string): boolean {
  if (url.length > longestUrl) return false;
  const parsed = URL.parse(url);
  if (!parsed || (parsed.protocol !== "https:" && parsed.protocol !== "http:")) return false;
  return parsed.username === "" && parsed.password === "";
}

const bodyOf = (stanza: Element): string => readText(stanza, "body") ?? "";

const childrenOf = (parent: Element, namespace: string, name: string): Element[] =>
  parent.getChildElements().filter((child) => child.getName() === name && child.getNS() === namespace);

const textOf = (parent: Element | undefined, name: string): string | undefined => {
  const text = parent?.getChildText(name);
  return text ? xmlSafe(text).trim() || undefined : undefined;
};

const countOf = (parent: Element | undefined, name: string): number | undefined => {
  const text = textOf(parent, name);
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
};

function hashesOf(file: Element): Record<string, string> {
  const hashes = childrenOf(file, NS.hashes, "hash").filter(({ attrs }) => typeof attrs.algo === "string");
  return Object.fromEntries(hashes.map((hash) => [hash.attrs.algo, hash.getText().trim()]));
}

/** Both extensions describe a file by the same names. */
const describe = (url: string, file: Element | undefined): SharedLink => ({
  url,
  name: fileNameOf(textOf(file, "name") ?? ""),
  description: textOf(file, "desc"),
  type: mediaTypeOf(textOf(file, "media-type")),
  size: countOf(file, "size"),
  width: countOf(file, "width"),
  height: countOf(file, "height"),
  durationMs: countOf(file, "length"),
  hashes: file ? hashesOf(file) : {},
});

function ofFileSharing(sharing: Element): SharedLink[] {
  const [file] = childrenOf(sharing, NS.fileMetadata, "file");
  const sources = childrenOf(sharing, NS.fileSharing, "sources");
  const urls = sources.flatMap((source) => childrenOf(source, NS.urlData, "url-data"));
  const url = urls.map(({ attrs }) => String(attrs.target)).find(isFetchable);
  return url === undefined ? [] : [describe(url, file)];
}

function ofSims(reference: Element): SharedLink[] {
  return childrenOf(reference, NS.sims, "media-sharing").flatMap((sharing) => {
    const [file] = childrenOf(sharing, NS.jingleFile, "file");
    const sources = childrenOf(sharing, NS.sims, "sources");
    const urls = sources.flatMap((source) => childrenOf(source, NS.reference, "reference"));
    const url = urls.map(({ attrs }) => String(attrs.uri)).find(isFetchable);
    return url === undefined ? [] : [describe(url, file)];
  });
}

/** A copy without what of the body only stands in for the files. */
const withoutFallbacks = (stanza: Element): Element =>
  [NS.fileSharing, NS.outOfBand].reduce(
    (cut, feature) => fallbackRanges(cut, feature).reverse().reduce(withoutRange, cut),
    copyOf(stanza),
  );

/** A copy in whose body the words are missing where they come first. */
function withoutWords(stanza: Element, words: string): Element {
  const [before = "", ...after] = bodyOf(stanza).split(words);
  const start = [...before].length;
  return after.length === 0 ? stanza : withoutRange(stanza, { start, end: start + [...words].length });
}

/** @returns undefined where the stanza shares no file that could be fetched. */
export function readSharedLinks(stanza: Element): SharedLinks | undefined {
  const unmarked = withoutFallbacks(stanza);
  const [body, beside] = [bodyOf(stanza), bodyOf(unmarked)];
  const oob = childrenOf(stanza, NS.outOfBand, "x");
  const described = [
    ...childrenOf(stanza, NS.fileSharing, "file-sharing").flatMap(ofFileSharing),
    ...childrenOf(stanza, NS.reference, "reference").flatMap(ofSims),
  ];
  // A link beside other words is a link and no file, unless it is marked as what stands in for one.
  const isFile = (url: string): boolean =>
    body.trim() === "" || body.trim() === url || (body.includes(url) && !beside.includes(url));
  const bare = oob
    .map((x) => ({ url: textOf(x, "url") ?? "", description: textOf(x, "desc"), hashes: {} }))
    .filter(({ url }) => isFetchable(url) && isFile(url));
  const byUrl = new Map([...bare, ...described].map((file) => [file.url, file]));
  if (byUrl.size === 0) return undefined;

  const files = [...byUrl.values()];
  const cut = files.reduce((text, { url }) => withoutWords(text, url), unmarked);
  const rest = withoutWords(cut, /^\s*/.exec(bodyOf(cut))?.[0] ?? "");
  const texts = [bodyOf(rest).trim(), ...files.slice(mostFiles).map(({ url }) => url)];
  for (const child of rest.getChildElements()) {
    const isShared =
      child.getNS() === NS.fileSharing ||
      (child.getNS() === NS.outOfBand && byUrl.has(textOf(child, "url") ?? "")) ||
      childrenOf(child, NS.sims, "media-sharing").length > 0;
    if (isShared || child.is("body")) rest.remove(child);
  }
  const text = texts.filter((line) => line !== "").join("\n");
  if (text !== "") rest.append(xml("body", {}, text));
  return { files: files.slice(0, mostFiles), rest };
}
