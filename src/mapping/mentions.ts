/** Mentions: m.mentions (Client-Server API v1.15 §11.21) <-> XEP-0372 References 0.5. */
import { type BareJid, bareJid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";

/** More are no message to anybody. */
const most = 50;

const addressIn = (uri: string): BareJid | undefined => {
  const address = /^xmpp:([^?#]+)/.exec(uri)?.[1] ?? "";
  try {
    const jid = parseJid(decodeURIComponent(address));
    return jid && bareJid(jid.local, jid.domain);
  } catch {
    return undefined;
  }
};

/** Whom a stanza mentions. */
export const mentionedIn = (stanza: Element): BareJid[] =>
  stanza
    .getChildElements()
    .filter(({ name, attrs }) => name === "reference" && attrs.xmlns === NS.reference)
    .filter(({ attrs }) => attrs.type === "mention")
    .slice(0, most)
    .flatMap(({ attrs }) => addressIn(String(attrs.uri)) ?? []);

/** @param begin and `end` in Unicode code points of the body. */
export const mention = (jid: BareJid, begin: number, end: number): Element =>
  xml("reference", {
    xmlns: NS.reference,
    type: "mention",
    begin: String(begin),
    end: String(end),
    uri: `xmpp:${encodeURI(jid).replaceAll(/[#?]/g, encodeURIComponent)}`,
  });
