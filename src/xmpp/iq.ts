/** Answers to IQs, given inside the callback since mod_rest cannot send an IQ result later: RFC 6120 §8.2.3. */
import { basicAnswers } from "./basics.ts";
import { type DiscoveryDeps, discoveryAnswers } from "./discovery.ts";
import { type GatewayDeps, gatewayAnswers } from "./gateway.ts";
import {
  type Addressee,
  type Answer,
  type Answers,
  answerWith,
  IqRefusal,
  unavailable,
} from "./iq-answer.ts";
import { pepAnswers } from "./pep.ts";
import { type SearchDeps, searchAnswers } from "./search.ts";
import { type Element, errorReply } from "./stanza.ts";
import { type VcardDeps, vcardAnswers } from "./vcard.ts";

export interface IqDeps extends Omit<DiscoveryDeps, "services">, GatewayDeps, SearchDeps, VcardDeps {
  /** @returns undefined where nobody has the address. */
  lookUp(to: string): Promise<Addressee | undefined>;
  /** Whether a JID may use more than what tells what the bridge is. */
  permits(from: string): boolean;
  version: string;
  /** Unix time in milliseconds. */
  now: () => number;
  startedAt: number;
  /** Whole answers to what else is asked of the bridge, by namespace and name of the payload. */
  handlers?: Record<string, (request: Element) => Promise<Element>>;
}

/** Answers an IQ of type get or set; every one gets a result or an error. */
export function createIqAnswers(deps: IqDeps): (request: Element) => Promise<Element> {
  const services: Answers = { ...gatewayAnswers(deps), ...searchAnswers(deps) };
  const all: Answers = {
    ...basicAnswers(deps),
    ...discoveryAnswers(deps),
    ...vcardAnswers(deps),
    ...pepAnswers(deps),
    ...services,
  };
  const known = new Set(Object.keys(all).map((key) => key.replace(/^[gs]et /, "")));
  const handlers = deps.handlers ?? {};

  const choose = (type: string, key: string, addressee: Addressee, asker: string): Answer => {
    const answer = all[`${type} ${key}`];
    if (!answer) throw known.has(key) ? new IqRefusal("cancel", "not-allowed") : unavailable();
    if (!Object.hasOwn(services, `${type} ${key}`)) return answer;
    if (addressee.kind !== "bridge") throw unavailable();
    if (!deps.permits(asker)) throw new IqRefusal("auth", "forbidden", "You may not use this bridge.");
    return answer;
  };

  return async (request) => {
    const { type, from, to } = request.attrs;
    const [payload, ...more] = request.getChildElements();
    if (!payload || more.length > 0) return errorReply(request, { type: "modify", condition: "bad-request" });
    const key = `${payload.getNS()} ${payload.getName()}`;
    const handler = Object.hasOwn(handlers, key) ? handlers[key] : undefined;
    const addressee = handler || known.has(key) ? await deps.lookUp(String(to)) : undefined;
    if (handler && addressee?.kind === "bridge") return handler(request);
    return answerWith(request, async () => {
      if (!addressee) throw unavailable();
      return choose(type, key, addressee, String(from))({ addressee, request, payload });
    });
  };
}
