/** The two round trips that prove a set-up: bridge to homeserver and back, bridge to Prosody and back. */
import { type HttpAnswer, NoAnswerError } from "../http/client.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { readPing } from "../matrix/ping.ts";
import type { Log } from "../ops/log.ts";
import { IqTimeoutError, IqUnansweredError, StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { failureOf } from "./failure.ts";

export interface HomeserverCheckDeps {
  matrix: MatrixClient;
  url: string;
  newId: () => string;
  log: Log;
}

export interface HomeserverCheck {
  run(): Promise<string | undefined>;
  /** The homeserver has called the bridge with this transaction ID. */
  seen(transactionId: string | undefined): void;
}

export function createHomeserverCheck({ matrix, url, newId, log }: HomeserverCheckDeps): HomeserverCheck {
  let arrived: string | undefined;
  return {
    seen(transactionId) {
      arrived = transactionId;
    },
    async run() {
      const id = newId();
      let answer: HttpAnswer | undefined;
      try {
        answer = await matrix.ping(id);
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
      }
      const outcome = readPing(answer, url);
      if (outcome.ok) {
        if (outcome.note) log.info(outcome.note);
        return undefined;
      }
      // COMPAT(Synapse 1.160): answers 502 to a ping that meets a retry under way, though the call has come through.
      return arrived === id ? undefined : outcome.problem;
    },
  };
}

/** In seconds: this is on the way to ourselves. */
const pingTimeout = 20;

const problemOf = (error: unknown): string => {
  if (error instanceof NoAnswerError) {
    return `Prosody does not answer at xmpp.restUrl (${error.code}): check the URL, and that Prosody runs`;
  }
  if (error instanceof StanzaRefusedError) {
    return `Prosody cannot reach the bridge (${error.error.condition}): rest_callback_url must be the one that \`causeway prosody-config\` prints, reachable from Prosody's machine`;
  }
  if (error instanceof IqUnansweredError) {
    return "Prosody took a ping and did not answer it: is mod_rest loaded as the component?";
  }
  if (error instanceof IqTimeoutError) {
    return "Prosody handed a ping over and got no answer: is rest_callback_url the bridge's?";
  }
  return failureOf(error).operator ?? (error as Error).message;
};

/** An IQ from the bridge to itself travels through mod_rest, Prosody and the callback, and its answer back. */
async function checkProsody(
  xmpp: XmppClient,
  component: string,
  newId: () => string,
): Promise<string | undefined> {
  const address = { from: component, to: component, id: newId() };
  const ping = xml("iq", { type: "get", ...address }, xml("ping", { xmlns: NS.ping }));
  try {
    await xmpp.ask(ping, pingTimeout);
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}

export interface ProsodyCheckDeps {
  xmpp: XmppClient;
  component: string;
  /** Whether mod_rest is given any; only that of 2019 asks for none. */
  hasCredentials: boolean;
  newId: () => string;
  /** How long a message may take from mod_rest to the callback. */
  patienceMs?: number;
}

export interface ProsodyCheck {
  run(): Promise<string | undefined>;
  /** @returns whether the stanza was the check's own, which is done with then. */
  seen(stanza: Element): boolean;
}

export function createProsodyCheck(deps: ProsodyCheckDeps): ProsodyCheck {
  const { xmpp, component, hasCredentials, newId, patienceMs = 5000 } = deps;
  const awaited = new Map<string, () => void>();

  /** COMPAT(mod_rest of 2019-12-30): sends the result of an IQ to ourselves round for ever, so this is a message. */
  const checkByMessage = async (): Promise<string | undefined> => {
    const id = newId();
    let timer: NodeJS.Timeout | undefined;
    const arrival = new Promise<boolean>((resolve) => {
      awaited.set(id, () => resolve(true));
      timer = setTimeout(() => resolve(false), patienceMs);
    });
    try {
      await xmpp.send(xml("message", { from: component, to: component, id }));
      if (await arrival) return undefined;
      return "Prosody took a message that did not reach the bridge: rest_callback_url must be the one that `causeway prosody-config` prints, reachable from Prosody's machine";
    } catch (error) {
      return problemOf(error);
    } finally {
      clearTimeout(timer);
      awaited.delete(id);
    }
  };

  return {
    run: () => (hasCredentials ? checkProsody(xmpp, component, newId) : checkByMessage()),
    seen({ name, attrs }) {
      const arrived = name === "message" && attrs.from === component ? awaited.get(attrs.id) : undefined;
      arrived?.();
      return arrived !== undefined;
    },
  };
}
