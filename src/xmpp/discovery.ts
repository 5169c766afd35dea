/**
 * What an address of the bridge is and can do: XEP-0030 2.5, with contact addresses by XEP-0157 1.1, and as presence
 * tells it by XEP-0115 1.6.
 */
import { createHash } from "node:crypto";
import { type Addressee, type Answers, IqRefusal } from "./iq-answer.ts";
import { NS } from "./namespaces.ts";
import { type Element, xml } from "./stanza.ts";

/** URIs by purpose, such as "abuse". */
export type Contact = Readonly<Record<string, readonly string[] | undefined>>;

export interface DiscoveryDeps {
  contact?: Contact | undefined;
  /** What the bridge's own address offers beyond what is built in. */
  features?: readonly string[];
  /** What is told of a node of the bridge's own address; undefined where there is no such node. */
  discover?(request: Element, kind: "info" | "items", node: string): Element[] | undefined;
  /** What the bridge's own address lists: rooms that anybody may enter. @throws IqRefusal. */
  rooms?(request: Element): Promise<Element[]>;
}

const everywhere = [NS.discoInfo, NS.discoItems, NS.lastActivity, NS.ping, NS.time, NS.vcard, NS.version];
const bridgeOnly = [NS.gateway, NS.muc, NS.resultSet, NS.search];
/** What clients may send to a Matrix user, beyond a body. */
const usersOnly = [
  NS.chatMarkers,
  NS.chatStates,
  NS.correct,
  NS.fallback,
  NS.fileSharing,
  NS.outOfBand,
  NS.reactions,
  NS.receipts,
  NS.reply,
  NS.retract,
];
const ofUsers = [...everywhere, ...usersOnly];

/** Of a Matrix user's one resource: the same for all of them, so that clients ask once. */
const client = { category: "client", type: "web", name: "Causeway" };
/** XEP-0115 §5.1. */
const capsHash = createHash("sha1")
  .update([`${client.category}/${client.type}//${client.name}`, ...ofUsers.toSorted(), ""].join("<"))
  .digest("base64");
/** It only has to be the bridge's own. */
const capsNode = "urn:x-causeway";

/** COMPAT(Gajim): it tells nobody that its user is typing whose presence does not say that they want to know. */
export const capabilities = (): Element =>
  xml("c", { xmlns: NS.caps, hash: "sha-1", node: capsNode, ver: capsHash });

function identity(addressee: Addressee, isFullJid: boolean): Element {
  if (addressee.kind === "bridge") {
    return xml("identity", { category: "gateway", type: "matrix", name: "Causeway" });
  }
  return xml(
    "identity",
    isFullJid ? client : { category: "account", type: "registered", name: addressee.name },
  );
}

function contactForm(contact: Contact): Element[] {
  const fields = Object.entries(contact).flatMap(([purpose, uris = []]) =>
    uris.length === 0
      ? []
      : [
          xml(
            "field",
            { var: `${purpose}-addresses`, type: "list-multi" },
            ...uris.map((uri) => xml("value", {}, uri)),
          ),
        ],
  );
  if (fields.length === 0) return [];
  const formType = xml("field", { var: "FORM_TYPE", type: "hidden" }, xml("value", {}, NS.serverInfo));
  return [xml("x", { xmlns: NS.dataForm, type: "result" }, formType, ...fields)];
}

export function discoveryAnswers(deps: DiscoveryDeps): Answers {
  const { contact = {}, features = [], discover, rooms } = deps;
  const whole = (addressee: Addressee, request: Element): Element[] => {
    const isBridge = addressee.kind === "bridge";
    const offered = isBridge ? [...everywhere, ...bridgeOnly, ...features] : ofUsers;
    return [
      identity(addressee, String(request.attrs.to).includes("/")),
      // XEP-0045 §6.2: by this clients know that there are rooms to be found.
      ...(isBridge ? [xml("identity", { category: "conference", type: "text", name: "Matrix rooms" })] : []),
      ...offered.map((feature) => xml("feature", { var: feature })),
      ...(isBridge ? contactForm(contact) : []),
    ];
  };
  const listed = async (addressee: Addressee, request: Element): Promise<Element[]> =>
    (addressee.kind === "bridge" && (await rooms?.(request))) || [];
  const answer =
    (namespace: string, kind: "info" | "items"): Answers[string] =>
    async ({ addressee, request, payload }) => {
      const { node } = payload.attrs;
      const isCaps = addressee.kind === "user" && kind === "info" && node === `${capsNode}#${capsHash}`;
      if (isCaps) return xml("query", { xmlns: namespace, node }, ...whole(addressee, request));
      if (node === undefined) {
        const told = kind === "info" ? whole(addressee, request) : await listed(addressee, request);
        return xml("query", { xmlns: namespace }, ...told);
      }
      const told = addressee.kind === "bridge" ? discover?.(request, kind, node) : undefined;
      if (!told) throw new IqRefusal("cancel", "item-not-found");
      return xml("query", { xmlns: namespace, node }, ...told);
    };
  return {
    [`get ${NS.discoInfo} query`]: answer(NS.discoInfo, "info"),
    [`get ${NS.discoItems} query`]: answer(NS.discoItems, "items"),
  };
}
