/**
 * What others read of a person by personal eventing (XEP-0163 1.2.2): picture (XEP-0084 1.1.4), nickname (XEP-0172 1.1)
 * and vCard4 (XEP-0292 0.12). A component has no such service, so the bridge answers for it and announces nothing.
 */
import { createHash } from "node:crypto";
import { type Addressee, type Answers, IqRefusal, unavailable } from "./iq-answer.ts";
import { NS } from "./namespaces.ts";
import { type Element, xml } from "./stanza.ts";
import type { VcardDeps } from "./vcard.ts";

type Person = Extract<Addressee, { kind: "user" }>;
/** The ID of the one item of a node, and what it holds; undefined where there is none. */
type Node = (person: Person) => Promise<[id: string, payload: Element] | undefined>;

const current = "current";

export function pepAnswers({ photoOf }: VcardDeps): Answers {
  const picture = async ({ jid }: Person) => {
    const photo = await photoOf(jid);
    return photo && { ...photo, id: createHash("sha1").update(photo.bytes).digest("hex") };
  };
  const nodes: Record<string, Node> = {
    [NS.avatarMetadata]: async (person) => {
      const photo = await picture(person);
      if (!photo) return undefined;
      const { id, type, bytes } = photo;
      const info = xml("info", { bytes: String(bytes.length), id, type });
      return [id, xml("metadata", { xmlns: NS.avatarMetadata }, info)];
    },
    [NS.avatarData]: async (person) => {
      const photo = await picture(person);
      return photo && [photo.id, xml("data", { xmlns: NS.avatarData }, photo.bytes.toString("base64"))];
    },
    [NS.nick]: async ({ name }) => [current, xml("nick", { xmlns: NS.nick }, name)],
    [NS.vcard4Node]: async ({ name, uri }) => [
      current,
      xml(
        "vcard",
        { xmlns: NS.vcard4 },
        xml("fn", {}, xml("text", {}, name)),
        xml("nickname", {}, xml("text", {}, name)),
        xml("url", {}, xml("uri", {}, uri)),
      ),
    ],
  };

  return {
    [`get ${NS.pubsub} pubsub`]: async ({ addressee, payload }) => {
      const asked = payload.getChild("items");
      const node = String(asked?.attrs.node);
      if (addressee.kind !== "user" || !asked || !Object.hasOwn(nodes, node)) throw unavailable();
      const item = await nodes[node]?.(addressee);
      if (!item) throw new IqRefusal("cancel", "item-not-found");
      const [id, content] = item;
      const wanted = asked.getChildren("item").map(({ attrs }) => attrs.id);
      const isWanted = wanted.length === 0 || wanted.includes(id);
      const items = isWanted ? [xml("item", { id }, content)] : [];
      return xml("pubsub", { xmlns: NS.pubsub }, xml("items", { node }, ...items));
    },
  };
}
