/** What `POST /rest` answers, read alike for every mod_rest from December 2019 on, whichever format a failure comes in. */
import type { HttpAnswer } from "../http/client.ts";
import { type Element, isStanza, parseElement, xmlSafe } from "./stanza.ts";

export type RestAnswer =
  | { kind: "accepted" }
  /** What Prosody answered at once: one stanza, or with the result of an archive query its messages before it. */
  | { kind: "stanzas"; stanzas: Element[] }
  /** Taken, but answered with something that is no stanza. */
  | { kind: "unreadable" }
  /** Perhaps by a proxy in front of Prosody, which knows nothing of stanzas. */
  | { kind: "refused"; status: number; reason: RestReason; isProxys: boolean };

/** Why mod_rest refused, as far as its answer says. */
export interface RestReason {
  condition?: string;
  text?: string;
}

const longestText = 200;
/** Of a page; what says why stands well before that. */
const longestPage = 16 * 1024;

const short = (text: string): string => xmlSafe(text).replace(/\s+/g, " ").trim().slice(0, longestText);

const reason = (condition: unknown, text: unknown): RestReason => ({
  ...(typeof condition === "string" && condition !== "" && { condition: short(condition) }),
  ...(typeof text === "string" && text.trim() !== "" && { text: short(text) }),
});

/** A stream error, though no stream is about to end. */
function reasonOfXml(body: string): RestReason {
  const children = parseElement(body).getChildElements();
  const text = children.find(({ name }) => name === "text");
  return reason(children.find(({ name }) => name !== "text")?.name, text?.getText());
}

function reasonOfJson(body: string): RestReason {
  const { error } = JSON.parse(body) ?? {};
  return reason(error?.condition, error?.text);
}

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Prosody's page for an error says why in its last paragraph; what a proxy says is in the title. */
const whyOnPage = /<p class="extra">([^<]*)<\/p>/;

const isProxysPage = (body: string): boolean => {
  const page = body.slice(0, longestPage);
  return /^\s*<(?:!doctype\s+html|html)\b/i.test(page) && !whyOnPage.test(page);
};

function reasonOfHtml(body: string): RestReason {
  const page = body.slice(0, longestPage);
  const why = whyOnPage.exec(page)?.[1];
  const title = /<title>(?:\s*\d{3}\b)?([^<]*)<\/title>/i.exec(page)?.[1];
  const text = (why ?? title ?? "").replace(/&(\w+);/g, (whole, name) => entities[name] ?? whole);
  return reason(undefined, text);
}

export function readReason(body: string): RestReason {
  const start = body.trimStart();
  try {
    if (start.startsWith("{")) return reasonOfJson(start);
    if (/^<error[\s>]/.test(start)) return reasonOfXml(start);
    return start.startsWith("<") ? reasonOfHtml(start) : reason(undefined, start);
  } catch {
    return {};
  }
}

function readStanzas(body: string): Element[] {
  try {
    const element = parseElement(body);
    const stanzas = element.name === "xmpp" ? element.getChildElements() : [element];
    return stanzas.every(isStanza) ? stanzas : [];
  } catch {
    return [];
  }
}

export function readRestAnswer({ status, body }: Pick<HttpAnswer, "status" | "body">): RestAnswer {
  const isProxys = isProxysPage(body);
  // Also where its page says that all is well, as one about maintenance does.
  const isTaken = status === 202 || (status === 200 && !isProxys);
  if (!isTaken) return { kind: "refused", status, reason: readReason(body), isProxys };
  if (status === 202 || body.trim() === "") return { kind: "accepted" };
  const stanzas = readStanzas(body);
  return stanzas.length > 0 ? { kind: "stanzas", stanzas } : { kind: "unreadable" };
}
