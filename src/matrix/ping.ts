/** Tells an operator what stands between homeserver and bridge: Client-Server API v1.15, application service ping. */
import type { HttpAnswer } from "../http/client.ts";
import { isObject, readString } from "./event.ts";

const remedies: Record<string, string> = {
  M_URL_NOT_SET:
    "the homeserver's registration has no `url`: set it to appservice.url and restart the homeserver",
  M_FORBIDDEN:
    "the homeserver does not accept the token for this id: appservice.id and appservice.asToken must be what the registration that it has loaded says",
  M_UNKNOWN_TOKEN:
    "the homeserver does not know the token: add registration.yaml to its configuration (Synapse: app_service_config_files) and restart it",
  M_MISSING_TOKEN: "something between bridge and homeserver removes the Authorization header",
  M_BAD_STATUS:
    "the homeserver reached something that did not answer 200: check that `url` in the registration leads here, and that hs_token there is appservice.hsToken here",
  M_CONNECTION_FAILED:
    "the homeserver cannot connect to the bridge: check `url` in the registration, and that it is reachable from the homeserver's machine or container",
  M_CONNECTION_TIMEOUT:
    "the homeserver's connection to the bridge timed out: a firewall or proxy stands between them",
};

export type PingOutcome =
  | { ok: true; note?: string }
  | { ok: false /** One line that says what to mend. */; problem: string };

/** @param url the homeserver's address, for the one failure that it cannot name itself. */
export function readPing(answer: HttpAnswer | undefined, url: string): PingOutcome {
  if (!answer) {
    return {
      ok: false,
      problem: `the homeserver does not answer at ${url}: check homeserver.url, and that it runs`,
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
  if (errcode !== undefined && Object.hasOwn(remedies, errcode)) {
    const status = typeof fields.status === "number" ? ` (it answered ${fields.status})` : "";
    return { ok: false, problem: `${errcode}: ${remedies[errcode]}${status}` };
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
  };
}
