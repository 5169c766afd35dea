/** Asks for the name and picture of an XMPP user: XEP-0054 1.2, and XEP-0084 1.1.4, XEP-0172 1.1 and XEP-0292 0.12 by XEP-0163. */
import {
  type Card,
  readAvatarData,
  readAvatarId,
  readNick,
  readVcard,
  readVcard4,
} from "../mapping/profiles.ts";
import { StanzaRefusedError } from "./client.ts";
import type { BareJid } from "./jid.ts";
import { NS } from "./namespaces.ts";
import type { IqRequests } from "./requests.ts";
import { type Element, readChild, xml } from "./stanza.ts";

/**
 * @param from who asks: what people show to contacts only, they show to theirs.
 * @returns what there is to be seen.
 * @throws an error that does not come from the user's own server: nothing is known then.
 */
export type AskForCard = (from: BareJid, of: BareJid) => Promise<Card>;

const timeoutSeconds = 10;

/** The user's server has answered, and has nothing to show. */
const isNo = (error: unknown): boolean =>
  error instanceof StanzaRefusedError && ["auth", "cancel", "modify"].includes(error.error.type);

/** Elsewhere it is the server that was not found, and not what it was asked for. */
const isUnreached = (error: unknown): boolean =>
  error instanceof StanzaRefusedError && error.error.condition.startsWith("remote-server");

export function createCards({ request }: Pick<IqRequests, "request">): AskForCard {
  return async (from, of) => {
    const ask = async (payload: Element): Promise<Element | undefined> => {
      try {
        const result = await request({ from, to: of, payload, timeoutSeconds });
        return result.getChildElements()[0];
      } catch (error) {
        if (isNo(error) && !isUnreached(error)) return undefined;
        throw error;
      }
    };
    /** The newest item of a node, or the one with the ID. */
    const item = async (node: string, id?: string): Promise<Element | undefined> => {
      const wanted = id === undefined ? [] : [xml("item", { id })];
      const items = xml("items", { node, ...(id === undefined && { max_items: "1" }) }, ...wanted);
      const answer = await ask(xml("pubsub", { xmlns: NS.pubsub }, items));
      return answer?.getChild("items")?.getChild("item");
    };
    const payloadOf = (found: Element | undefined, namespace: string): Element | undefined =>
      found && readChild(found, namespace);

    const photo = async (): Promise<Buffer | undefined> => {
      const metadata = payloadOf(await item(NS.avatarMetadata), NS.avatarMetadata);
      const id = metadata && readAvatarId(metadata);
      const data = id === undefined ? undefined : payloadOf(await item(NS.avatarData, id), NS.avatarData);
      return data && readAvatarData(data);
    };
    const name = async (): Promise<string | undefined> => {
      const nick = await item(NS.nick);
      const vcard4 = nick ? undefined : payloadOf(await item(NS.vcard4Node), NS.vcard4);
      return (nick && readNick(nick)) ?? (vcard4 && readVcard4(vcard4));
    };

    const vcard = await ask(xml("vCard", { xmlns: NS.vcard }));
    const card = vcard ? readVcard(vcard) : { name: undefined, photo: undefined };
    return { name: card.name ?? (await name()), photo: card.photo ?? (await photo()) };
  };
}
