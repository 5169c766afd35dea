/**
 * Answers to IQs, given inside the callback since mod_rest cannot send an IQ result later: XEP-0030 2.5,
 * XEP-0199 2.0, XEP-0092 1.1, XEP-0012 2.0, XEP-0054 1.2, XEP-0202 2.0.
 */
import type { BareJid } from "./jid.ts";
import { NS } from "./namespaces.ts";
import { type Element, errorReply, xml } from "./stanza.ts";

/** What an address of the bridge stands for. */
export type Addressee = { kind: "bridge" } | { kind: "user"; jid: BareJid; name: string; uri: string };

export interface IqDeps {
  /** @returns undefined where nobody has the address. */
  lookUp(to: string): Promise<Addressee | undefined>;
  version: string;
  /** Unix time in milliseconds. */
  now: () => number;
  startedAt: number;
}

type Answer = (addressee: Addressee, request: Element) => Element | undefined;

function identity(addressee: Addressee, isFullJid: boolean): Element {
  if (addressee.kind === "bridge") {
    return xml("identity", { category: "gateway", type: "matrix", name: "Causeway" });
  }
  const type = isFullJid ? { category: "client", type: "web" } : { category: "account", type: "registered" };
  return xml("identity", { ...type, name: addressee.name });
}

function answers({ version, now, startedAt }: IqDeps): Record<string, Answer> {
  const features = [NS.discoInfo, NS.discoItems, NS.lastActivity, NS.ping, NS.time, NS.vcard, NS.version];
  return {
    [`${NS.discoInfo} query`]: (addressee, request) => {
      if (request.getChild("query")?.attrs.node !== undefined) return undefined;
      return xml(
        "query",
        { xmlns: NS.discoInfo },
        identity(addressee, String(request.attrs.to).includes("/")),
        ...features.map((feature) => xml("feature", { var: feature })),
      );
    },
    [`${NS.discoItems} query`]: () => xml("query", { xmlns: NS.discoItems }),
    [`${NS.ping} ping`]: () => xml("ping", { xmlns: NS.ping }),
    [`${NS.version} query`]: () =>
      xml("query", { xmlns: NS.version }, xml("name", {}, "Causeway"), xml("version", {}, version)),
    [`${NS.lastActivity} query`]: (addressee) => {
      // For the bridge its uptime; a Matrix user counts as active now.
      const seconds = addressee.kind === "bridge" ? Math.floor((now() - startedAt) / 1000) : 0;
      return xml("query", { xmlns: NS.lastActivity, seconds: String(seconds) });
    },
    [`${NS.time} time`]: () =>
      xml(
        "time",
        { xmlns: NS.time },
        xml("tzo", {}, "+00:00"),
        xml("utc", {}, new Date(now()).toISOString()),
      ),
    [`${NS.vcard} vCard`]: (addressee) =>
      addressee.kind === "bridge"
        ? xml("vCard", { xmlns: NS.vcard }, xml("FN", {}, "Causeway"), xml("DESC", {}, "A bridge to Matrix"))
        : xml(
            "vCard",
            { xmlns: NS.vcard },
            xml("FN", {}, addressee.name),
            xml("NICKNAME", {}, addressee.name),
            xml("JABBERID", {}, addressee.jid),
            xml("URL", {}, addressee.uri),
          ),
  };
}

/** Answers an IQ of type get or set; every one gets a result or an error. */
export function createIqAnswers(deps: IqDeps): (request: Element) => Promise<Element> {
  const table = answers(deps);
  return async (request) => {
    const { from, to, id, type } = request.attrs;
    const unknown = errorReply(request, { type: "cancel", condition: "service-unavailable" });
    const [payload, ...more] = request.getChildElements();
    if (!payload || more.length > 0) return errorReply(request, { type: "modify", condition: "bad-request" });
    const key = `${payload.getNS()} ${payload.getName()}`;
    if (type !== "get" || !Object.hasOwn(table, key)) return unknown;
    const addressee = await deps.lookUp(String(to));
    if (!addressee) return unknown;
    const answer = table[key]?.(addressee, request);
    if (!answer) return errorReply(request, { type: "cancel", condition: "item-not-found" });
    return xml("iq", { type: "result", to: from, from: to, id }, answer);
  };
}
