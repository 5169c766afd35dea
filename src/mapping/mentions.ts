/** Mentions: m.mentions (Client-Server API v1.15 §11.21) <-> XEP-0372 References 0.5, and from XEP-0513 Explicit Mentions 0.1. */
import { bareJid, fullJid, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";

/** More are no message to anybody. */
const most = 50;

const jidIn = (address: string): Jid | undefined => {
  const jid = parseJid(address);
  const bare = jid && bareJid(jid.local, jid.domain);
  return bare && jid.resource !== undefined ? fullJid(bare, jid.resource) : bare;
};

const addressIn = (uri: string): Jid | undefined => {
  try {
    return jidIn(decodeURIComponent(/^xmpp:([^?#]+)/.exec(uri)?.[1] ?? ""));
  } catch {
    return undefined;
  }
};

function mentioned({ name, attrs }: Element): Jid | undefined {
  if (name === "mention" && attrs.xmlns === NS.mentions) return jidIn(String(attrs.jid));
  const isMention = name === "reference" && attrs.xmlns === NS.reference && attrs.type === "mention";
  return isMention ? addressIn(String(attrs.uri)) : undefined;
}

/** Whom a stanza mentions, an occupant of a room by `room/nick`. */
export const mentionedIn = (stanza: Element): Jid[] =>
  stanza
    .getChildElements()
    .flatMap((child) => mentioned(child) ?? [])
    .slice(0, most);

/** Occupant IDs (XEP-0421) of those whom a groupchat message mentions (XEP-0513 §3.1). */
export const occupantsMentionedIn = (stanza: Element): string[] =>
  stanza
    .getChildElements()
    .filter(({ name, attrs }) => name === "mention" && attrs.xmlns === NS.mentions)
    .map(({ attrs }) => attrs.occupantid)
    .filter((id) => typeof id === "string" && id !== "")
    .slice(0, most);

/** Whether a text may begin with a name, as people call each other in groupchats: `Juliet: …` or `Juliet, …`. */
export const mayCallByName = (body: string): boolean => /^[^\n:,]{1,100}[:,]\s/.test(body);

export const callsByName = (body: string, name: string): boolean =>
  name !== "" && body.startsWith(name) && /^[:,]\s/.test(body.slice(name.length));

/** The names that the beginning of a text may be, the longest last: a name can have a comma in it. */
export function namesCalled(body: string): string[] {
  const [start = ""] = /^[^\n]{1,200}/.exec(body) ?? [];
  return [...start.matchAll(/(?<=\S)[:,](?=\s)/g)].slice(0, 3).map(({ index }) => start.slice(0, index));
}

/** @param begin and `end` in Unicode code points of the body. */
export const mention = (jid: Jid, begin: number, end: number): Element =>
  xml("reference", {
    xmlns: NS.reference,
    type: "mention",
    begin: String(begin),
    end: String(end),
    uri: `xmpp:${encodeURI(jid).replaceAll(/[#?]/g, encodeURIComponent)}`,
  });
