/** The clients of both servers, with whoever looks on at what they do. */
import type { JobOutcomes } from "./bridge/job-outcomes.ts";
import type { Config } from "./config/schema.ts";
import { createHttp, type Http } from "./http/client.ts";
import { createMatrixClient, type MatrixClient } from "./matrix/client.ts";
import type { Metrics } from "./ops/metrics.ts";
import { createXmppClient, type XmppClient } from "./xmpp/client.ts";
import { maxOutstanding } from "./xmpp/requests.ts";
import type { Element } from "./xmpp/stanza.ts";

export interface FarSidesDeps {
  config: Config;
  metrics: Pick<Metrics, "answered">;
  jobs: Pick<JobOutcomes, "sent">;
  /** Unix time in milliseconds. */
  now: () => number;
  /** Told after each call: undefined where the server answered as it should, else what was wrong. */
  onContact(part: "homeserver" | "prosody", problem: string | undefined): void;
}

export interface FarSides {
  homeserverHttp: Http;
  matrix: MatrixClient;
  xmpp: XmppClient;
  xmppForIqs: XmppClient;
  /** Breaks off what is under way. */
  close(): void;
}

const timeoutMs = 60_000;

export function createFarSides({ config, metrics, jobs, now, onContact }: FarSidesDeps): FarSides {
  const { homeserver, appservice, xmpp: prosody } = config;
  const homeserverHttp = createHttp({
    baseUrl: homeserver.url,
    headers: {},
    maxInFlight: 32,
    timeoutMs,
    onAnswer(answer) {
      metrics.answered("homeserver", answer);
      const { method, path, status = 0 } = answer;
      if (method !== "GET" && status < 300 && status > 0 && !path.endsWith("/register")) jobs.sent();
    },
  });
  const toRest = { baseUrl: prosody.restUrl, headers: {}, timeoutMs, repeatAfterReset: true };
  const prosodyHttp = createHttp({
    ...toRest,
    maxInFlight: 16,
    onAnswer: (answer) => metrics.answered("prosody", answer),
  });
  // An IQ holds its connection until its answer comes, so messages get others.
  const prosodyIqHttp = createHttp({
    ...toRest,
    maxInFlight: maxOutstanding + 1,
    onAnswer: (answer) => metrics.answered("prosody_iq", answer),
  });
  const toProsody = {
    auth: prosody.restAuth,
    onContact: (problem: string | undefined) => onContact("prosody", problem),
    onTaken: (stanza: Element) => {
      if (stanza.name !== "iq" || stanza.attrs.type === "set") jobs.sent();
    },
  };
  return {
    homeserverHttp,
    matrix: createMatrixClient({
      http: homeserverHttp,
      asToken: appservice.asToken,
      appserviceId: appservice.id,
      now,
      onContact: (problem) => onContact("homeserver", problem),
    }),
    xmpp: createXmppClient({ http: prosodyHttp, ...toProsody }),
    xmppForIqs: createXmppClient({ http: prosodyIqHttp, ...toProsody }),
    close() {
      for (const http of [homeserverHttp, prosodyHttp, prosodyIqHttp]) http.close();
    },
  };
}
