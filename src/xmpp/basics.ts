/** What every XMPP address is asked: XEP-0199 2.0 (ping), XEP-0092 1.1 (version), XEP-0012 2.0 (last activity), XEP-0202 2.0 (time). */
import type { Answers } from "./iq-answer.ts";
import { NS } from "./namespaces.ts";
import { xml } from "./stanza.ts";

export interface BasicDeps {
  version: string;
  /** Unix time in milliseconds. */
  now: () => number;
  startedAt: number;
}

export const basicAnswers = ({ version, now, startedAt }: BasicDeps): Answers => ({
  [`get ${NS.ping} ping`]: () => xml("ping", { xmlns: NS.ping }),
  [`get ${NS.version} query`]: () =>
    xml("query", { xmlns: NS.version }, xml("name", {}, "Causeway"), xml("version", {}, version)),
  [`get ${NS.lastActivity} query`]: ({ addressee }) => {
    // For the bridge its uptime; a Matrix user counts as active now.
    const seconds = addressee.kind === "bridge" ? Math.floor((now() - startedAt) / 1000) : 0;
    return xml("query", { xmlns: NS.lastActivity, seconds: String(seconds) });
  },
  [`get ${NS.time} time`]: () =>
    xml("time", { xmlns: NS.time }, xml("tzo", {}, "+00:00"), xml("utc", {}, new Date(now()).toISOString())),
});
