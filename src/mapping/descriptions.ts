/** What an XMPP entity says it is, in words: disco#info (XEP-0030 2.5) and software version (XEP-0092 1.1). */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";

export interface Description {
  /** Such as "a chat room". */
  kind: string | undefined;
  isRoom: boolean;
  /** What it calls itself. */
  name: string | undefined;
}

/** Identities by category, or category and type; of several that an entity has the first in this table counts. */
const kinds: [RegExp, string][] = [
  [/^conference\/irc$/, "a chat room on IRC"],
  [/^conference\//, "a chat room"],
  [/^gateway\//, "a gateway to another network"],
  [/^server\//, "an XMPP server"],
  [/^account\//, "a person's account"],
  [/^client\/bot$/, "a bot"],
  [/^client\//, "a client"],
  [/^(automation|component|directory|headline|proxy|pubsub|store)\//, "a service"],
];

export function describe(result: Element): Description {
  const query = readChild(result, NS.discoInfo, "query");
  const identities = (query?.getChildren("identity") ?? []).map(({ attrs }) => ({
    key: `${attrs.category}/${attrs.type}`,
    name: attrs.name as string | undefined,
  }));
  const [pattern, kind] = kinds.find(([wanted]) => identities.some(({ key }) => wanted.test(key))) ?? [];
  const identity = pattern && identities.find(({ key }) => pattern.test(key));
  return {
    kind,
    isRoom: pattern?.source.startsWith("^conference") ?? false,
    name: identity?.name || undefined,
  };
}

/** Such as "Prosody 13.0.7". */
export function softwareOf(result: Element): string | undefined {
  const query = readChild(result, NS.version, "query");
  const parts = [query?.getChildText("name"), query?.getChildText("version")].filter(Boolean);
  return parts.length === 0 ? undefined : parts.join(" ");
}
