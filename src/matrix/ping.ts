/** Tells an operator what stands between homeserver and bridge: Client-Server API v1.15, application service ping. */
import type { HttpAnswer } from "../http/client.ts";
import { isObject, readString } from "./event.ts";

/** What an errcode means, and what to do about it. */
const remedies: Record<string, [problem: string, remedy: string]> = {
  M_URL_NOT_SET: [
    "the homeserver's registration has no `url`",
    "set it to appservice.url and restart the homeserver",
  ],
  M_FORBIDDEN: [
    "the homeserver does not accept the token for this id",
    "appservice.id and appservice.asToken must be what the registration that it has loaded says",
  ],
  M_UNKNOWN_TOKEN: [
    "the homeserver does not know the token",
    "add registration.yaml to its configuration (Synapse: app_service_config_files) and restart it",
  ],
  M_MISSING_TOKEN: [
    "something between bridge and homeserver removes the Authorization header",
    "let the bridge reach the homeserver directly, or the proxy pass the header on",
  ],
  M_BAD_STATUS: [
    "the homeserver reached something that did not answer 200",
    "check that `url` in the registration leads here, and that hs_token there is appservice.hsToken here",
  ],
  M_CONNECTION_FAILED: [
    "the homeserver cannot connect to the bridge",
    "check `url` in the registration, and that it is reachable from the homeserver's machine or container",
  ],
  M_CONNECTION_TIMEOUT: [
    "the homeserver's connection to the bridge timed out",
    "a firewall or proxy stands between them",
  ],
};

export type PingOutcome =
  | { ok: true; note?: string }
  | { ok: false /** One line that says what to mend. */; problem: string };

/** As {@link readPing}, what is wrong and what to do about it apart from each other. */
export type PingFinding = { ok: true; note?: string } | { ok: false; problem: string; remedy: string };

/** @param url the homeserver's address, for the one failure that it cannot name itself. */
export function readPing(answer: HttpAnswer | undefined, url: string): PingOutcome {
  const finding = explainPing(answer, url);
  if (finding.ok) return finding;
  return { ok: false, problem: `${finding.problem}: ${finding.remedy}` };
}

export function explainPing(answer: HttpAnswer | undefined, url: string): PingFinding {
  if (!answer) {
    return {
      ok: false,
      problem: `the homeserver does not answer at ${url}`,
      remedy: "check homeserver.url, and that it runs",
    };
  }
  if (answer.status === 200) return { ok: true };
  let body: unknown;
  try {
    body = JSON.parse(answer.body);
  } catch {
    body = undefined;
  }
  const fields = isObject(body) ? body : {};
  const errcode = readString(fields, "errcode");
  const known = errcode !== undefined && Object.hasOwn(remedies, errcode) ? remedies[errcode] : undefined;
  if (known) {
    const [problem, remedy] = known;
    const status = typeof fields.status === "number" ? ` (but ${fields.status})` : "";
    return { ok: false, problem: `${errcode}: ${problem}${status}`, remedy };
  }
  // Dendrite has no such endpoint; messages flow all the same.
  if (answer.status === 404 && (errcode === "M_UNRECOGNIZED" || errcode === undefined)) {
    return {
      ok: true,
      note: "this homeserver has no ping: whether it reaches the bridge shows with the first message",
    };
  }
  const error = readString(fields, "error") ?? answer.body.slice(0, 200).replace(/\s+/g, " ");
  return {
    ok: false,
    problem: `the homeserver answered the ping with ${answer.status} ${errcode ?? ""}: ${error}`,
    remedy: "see its log",
  };
}
