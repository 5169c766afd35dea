/** The two round trips that prove a set-up: bridge to homeserver and back, bridge to Prosody and back. */
import { type HttpAnswer, NoAnswerError } from "../http/client.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { readPing } from "../matrix/ping.ts";
import type { Log } from "../ops/log.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { NS } from "../xmpp/namespaces.ts";
import { xml } from "../xmpp/stanza.ts";
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

/** An IQ from the bridge to itself travels through mod_rest, Prosody and the callback, and its answer back. */
export async function checkProsody(
  xmpp: XmppClient,
  component: string,
  newId: () => string,
): Promise<string | undefined> {
  const ping = xml(
    "iq",
    { type: "get", from: component, to: component, id: newId() },
    xml("ping", { xmlns: NS.ping }),
  );
  try {
    const reply = await xmpp.send(ping);
    return reply
      ? undefined
      : "Prosody took a ping and did not answer it: is mod_rest loaded as the component?";
  } catch (error) {
    if (error instanceof NoAnswerError) {
      return `Prosody does not answer at xmpp.restUrl (${error.code}): check the URL, and that Prosody runs`;
    }
    if (error instanceof StanzaRefusedError) {
      return `Prosody cannot reach the bridge (${error.error.condition}): rest_callback_url must be the one that \`causeway prosody-config\` prints, reachable from Prosody's machine`;
    }
    return failureOf(error).operator ?? (error as Error).message;
  }
}
