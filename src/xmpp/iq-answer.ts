/** What an answer to an IQ is made of: who is asked, and the refusals that every kind of question shares. */
import type { BareJid } from "./jid.ts";
import { type Element, errorReply, type StanzaError, xml } from "./stanza.ts";

/** What an address of the bridge stands for. */
export type Addressee = { kind: "bridge" } | { kind: "user"; jid: BareJid; name: string; uri: string };

export interface Question {
  addressee: Addressee;
  /** The whole IQ. */
  request: Element;
  /** Its one child. */
  payload: Element;
}

/** The payload of the result; throws IqRefusal. */
export type Answer = (question: Question) => Element | Promise<Element>;

/** Answers by type, namespace and name of the question, such as "get urn:xmpp:ping ping". */
export type Answers = Record<string, Answer>;

export class IqRefusal extends Error {
  override readonly name = "IqRefusal";
  readonly error: StanzaError;
  constructor(type: string, condition: string, text?: string) {
    super(`${type}/${condition}`);
    this.error = { type, condition, ...(text !== undefined && { text }) };
  }
}

export const unavailable = () => new IqRefusal("cancel", "service-unavailable");

/** The result, empty where `work` gives nothing, or, where `work` throws an IqRefusal, the error. */
export async function answerWith(
  request: Element,
  work: () => Promise<Element | undefined>,
): Promise<Element> {
  const { from, to, id } = request.attrs;
  try {
    const payload = await work();
    return xml("iq", { type: "result", to: from, from: to, id }, ...(payload ? [payload] : []));
  } catch (error) {
    if (error instanceof IqRefusal) return errorReply(request, error.error);
    throw error;
  }
}
