/** Questions to an occupant of a hosted room: a guest's own client is asked, for Matrix users the bridge answers. */
import type { Addresses } from "../mapping/addresses.ts";
import { IqTimeoutError, StanzaRefusedError } from "../xmpp/client.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { bareOf, type FullJid, fullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { copyOf, type Element, errorReply } from "../xmpp/stanza.ts";
import type { Question } from "./question.ts";

export interface OccupantIqsDeps {
  addresses: Addresses;
  requests: Pick<IqRequests, "request">;
  /** The bridge's answer to an IQ to a Matrix user. */
  answerOwn(request: Element): Promise<Element>;
}

/** Who asked waits no longer, and Prosody neither. */
const timeoutSeconds = 10;

/** What an account's server answers, and not its client (XEP-0045 1.35 §17.4). */
const ofAccounts = new Set<string>([NS.vcard, NS.pubsub]);
const disco = new Set<string>([NS.discoInfo, NS.discoItems]);

export function createOccupantIqs({ addresses, requests, answerOwn }: OccupantIqsDeps) {
  /** The same question to another address, and its answer as if from this one. */
  const redirected = async (request: Element, to: Jid): Promise<Element> => {
    const asked = copyOf(request);
    asked.attrs.to = to;
    const answer = await answerOwn(asked);
    answer.attrs.from = request.attrs.to;
    return answer;
  };

  const passOn = async (question: Question, nick: string, to: FullJid): Promise<Element> => {
    const { request, payload, address } = question;
    const { type, from: asker, to: asked, id } = request.attrs;
    try {
      const result = await requests.request({
        from: fullJid(address, nick),
        to: ofAccounts.has(payload.getNS() ?? "") ? bareOf(to) : to,
        type,
        payload: copyOf(payload),
        timeoutSeconds,
      });
      const answer = copyOf(result);
      Object.assign(answer.attrs, { from: asked, to: asker, id });
      return answer;
    } catch (error) {
      if (error instanceof StanzaRefusedError) return errorReply(request, error.error);
      if (error instanceof IqTimeoutError) throw new IqRefusal("wait", "remote-server-timeout");
      throw error;
    }
  };

  /** @throws IqRefusal. */
  return async (question: Question, nick: string): Promise<Element> => {
    const { request, payload, room, guest } = question;
    if (!guest) {
      // §6.6 for service discovery, and what MUC services answer to all else.
      if (disco.has(payload.getNS() ?? ""))
        throw new IqRefusal("modify", "bad-request", "Enter the room first.");
      throw new IqRefusal("cancel", "not-acceptable", "Enter the room first.");
    }
    const userId = await room.userOfNick(nick);
    if (!userId) throw new IqRefusal("cancel", "item-not-found", "Nobody of that name is in the room.");
    if (!addresses.isGhost(userId)) {
      // With a resource, since it is a client that is asked.
      const isAccount = ofAccounts.has(payload.getNS() ?? "");
      const jid = addresses.jidOfUser(userId);
      return redirected(request, isAccount ? jid : fullJid(jid, "matrix"));
    }
    const other = room.guests().find(({ ghost }) => ghost === userId);
    if (!other) throw new IqRefusal("cancel", "service-unavailable");
    return passOn(question, guest.nick, other.jid);
  };
}
