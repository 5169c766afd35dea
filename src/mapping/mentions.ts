/** Mentions: m.mentions (Client-Server API v1.15 §11.21) <-> XEP-0372 References 0.5, and from XEP-0513 Explicit Mentions 0.1. */
import { type BareJid, bareJid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";

/** More are no message to anybody. */
const most = 50;

const bareOf = (address: string): BareJid | undefined => {
  const jid = parseJid(address);
  return jid && bareJid(jid.local, jid.domain);
};

const addressIn = (uri: string): BareJid | undefined => {
  try {
    return bareOf(decodeURIComponent(/^xmpp:([^?#]+)/.exec(uri)?.[1] ?? ""));
  } catch {
    return undefined;
  }
};

function mentioned({ name, attrs }: Element): BareJid | undefined {
  if (name === "mention" && attrs.xmlns === NS.mentions) return bareOf(String(attrs.jid));
  const isMention = name === "reference" && attrs.xmlns === NS.reference && attrs.type === "mention";
  return isMention ? addressIn(String(attrs.uri)) : undefined;
}

/** Whom a stanza mentions. */
export const mentionedIn = (stanza: Element): BareJid[] =>
  stanza
    .getChildElements()
    .flatMap((child) => mentioned(child) ?? [])
    .slice(0, most);

/** Whether a text may begin with a name, as people call each other in groupchats: `Juliet: …` or `Juliet, …`. */
export const mayCallByName = (body: string): boolean => /^[^\n:,]{1,100}[:,]\s/.test(body);

export const callsByName = (body: string, name: string): boolean =>
  name !== "" && body.startsWith(name) && /^[:,]\s/.test(body.slice(name.length));

/** @param begin and `end` in Unicode code points of the body. */
export const mention = (jid: BareJid, begin: number, end: number): Element =>
  xml("reference", {
    xmlns: NS.reference,
    type: "mention",
    begin: String(begin),
    end: String(end),
    uri: `xmpp:${encodeURI(jid).replaceAll(/[#?]/g, encodeURIComponent)}`,
  });
