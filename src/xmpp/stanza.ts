/** Stanzas as values: parsed from untrusted text, built without string joining, written so that any text is harmless. */
import xml from "@xmpp/xml";
import type { Element } from "ltx";
import { NS } from "./namespaces.ts";
import { parseXml } from "./xml.ts";

export type { Element } from "ltx";
export { xml };

export type StanzaKind = "message" | "presence" | "iq";

const kinds: ReadonlySet<string> = new Set<StanzaKind>(["message", "presence", "iq"]);

export class StanzaSyntaxError extends Error {
  override readonly name = "StanzaSyntaxError";
}

/** What XML 1.0 (fifth edition) §2.2 cannot carry, escaped or not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this finds
const notXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** The text with U+FFFD in place of each lone surrogate and each character that XML 1.0 cannot carry. */
export const xmlSafe = (text: string): string => text.toWellFormed().replace(notXml, "\ufffd");

/**
 * Parses one element.
 * @throws StanzaSyntaxError for anything else, document types, comments and processing instructions included
 *   (RFC 6120 §11.1).
 */
export function parseElement(text: string): Element {
  try {
    return parseXml(text);
  } catch (error) {
    throw new StanzaSyntaxError("not XML as XMPP allows it", { cause: error });
  }
}

/** RFC 6120 §4.8.2; mod_rest leaves the content namespace out. */
const contentNamespaces: readonly unknown[] = [undefined, NS.client, NS.component];

export const isStanza = ({ name, attrs }: Element): boolean =>
  kinds.has(name) && contentNamespaces.includes(attrs.xmlns);

/**
 * Parses one stanza.
 * @throws StanzaSyntaxError, as `parseElement`, and for elements that are no stanza.
 */
export function parseStanza(text: string): Element {
  const element = parseElement(text);
  if (!isStanza(element)) throw new StanzaSyntaxError(`<${element.name}/> is not a stanza`);
  return element;
}

/** Changing the copy leaves the stanza as it was. (What ltx itself clones is of another class, and sees no child of this one.) */
export const copyOf = ({ name, attrs, children }: Element): Element =>
  xml(name, { ...attrs }, ...children.map((child) => (typeof child === "object" ? copyOf(child) : child)));

const reference = (character: string): string => `&#${character.charCodeAt(0)};`;

/** Written so that a parser gives back the same: bare line ends and white space in attributes would be normalised. */
export const serialize = (stanza: Element): string =>
  xmlSafe(stanza.toString())
    .replaceAll("\r", reference)
    .replace(/<[^<>]*[\t\n][^<>]*>/g, (tag) => tag.replace(/[\t\n]/g, reference));

/** The first child in the namespace, whatever its name, or with the name where one is given. */
export const readChild = (stanza: Element, namespace: string, name?: string): Element | undefined =>
  stanza
    .getChildElements()
    .find((child) => child.getNS() === namespace && (name === undefined || child.getName() === name));

/** The text of a child, "" where it is empty, undefined where there is none; the one without xml:lang comes first. */
export function readText(stanza: Element, name: string): string | undefined {
  const all = stanza.getChildElements().filter((child) => child.name === name && !child.attrs.xmlns);
  const chosen = all.find((child) => child.attrs["xml:lang"] === undefined) ?? all[0];
  return chosen && xmlSafe(chosen.getText());
}

export interface StanzaError {
  type: string;
  condition: string;
  text?: string;
  /** Where it is to be tried instead, of `gone` and `redirect` (RFC 6120 §8.3.3.5 and §8.3.3.14). */
  address?: string;
}

/** The error that a stanza of type "error" carries (RFC 6120 §8.3.2). */
export function readError(stanza: Element): StanzaError {
  const error = stanza.getChild("error");
  const children = error?.getChildElements().filter((child) => child.getNS() === NS.stanzaErrors) ?? [];
  const text = children.find(({ name }) => name === "text")?.getText();
  const condition = children.find(({ name }) => name !== "text");
  const address = condition?.getText();
  return {
    type: String(error?.attrs.type ?? "cancel"),
    condition: condition?.name ?? "undefined-condition",
    ...(text && { text: xmlSafe(text) }),
    ...(address && { address: xmlSafe(address) }),
  };
}

/** The stanza that refuses another one: to and from exchanged, its ID kept. */
export function errorReply(stanza: Element, { type, condition, text, address }: StanzaError): Element {
  const { from, to, id } = stanza.attrs;
  return xml(
    stanza.name,
    { type: "error", ...(to && { from: to }), ...(from && { to: from }), ...(id && { id }) },
    xml(
      "error",
      { type },
      xml(condition, { xmlns: NS.stanzaErrors }, ...(address ? [address] : [])),
      ...(text ? [xml("text", { xmlns: NS.stanzaErrors }, text)] : []),
    ),
  );
}
