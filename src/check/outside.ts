/** The checks of what is between: the clocks of the three, and the way in from outside. */
import { createHttp, type Http, NoAnswerError } from "../http/client.ts";
import { isObject } from "../matrix/event.ts";
import { mediaPath, noSuchFile } from "../media/links.ts";
import { fail, type Ground, type Outcome, ok, reasonOfSilence, skip, warn } from "./check.ts";
import { pushPath } from "./stand-in.ts";

const mostApartMs = 30_000;

async function clockFits(http: Http, path: string, whose: string, now: () => number): Promise<Outcome> {
  const { headers } = await http.request({ method: "GET", path });
  const theirs = Date.parse(headers.date ?? "");
  if (Number.isNaN(theirs)) return skip(`${whose} does not tell its time`);
  const seconds = Math.round(Math.abs(theirs - now()) / 1000);
  if (seconds * 1000 <= mostApartMs) return ok();
  return fail(
    `${whose}'s clock is ${seconds} seconds ${theirs > now() ? "ahead of" : "behind"} this machine's`,
    "set both by NTP (`timedatectl` shows whether they are)",
  );
}

export const homeserverClockFits = ({ homeserver, now }: Ground): Promise<Outcome> =>
  clockFits(homeserver, "/_matrix/client/versions", "the homeserver", now);

export const prosodyClockFits = ({ prosody, now }: Ground): Promise<Outcome> =>
  clockFits(prosody, "", "Prosody", now);

const isUnrecognized = (body: string): boolean => {
  try {
    const parsed: unknown = JSON.parse(body);
    return isObject(parsed) && parsed.errcode === "M_UNRECOGNIZED";
  } catch {
    return false;
  }
};

/** The push gateway takes POST alone and says so to everybody, which shows that `publicUrl` leads to it. */
export async function publicUrlLeadsHere({ config, standIn, newId }: Ground): Promise<Outcome> {
  const { publicUrl } = config;
  const mark = newId();
  const http = createHttp({ baseUrl: publicUrl, headers: {}, maxInFlight: 1, timeoutMs: 10_000 });
  const proxy = `publicUrl must lead to listen (${config.listen.host}:${config.listen.port}), through a reverse proxy where it is https: docs/operators.md has its lines`;
  try {
    const answer = await http.request({ method: "GET", path: pushPath, query: { check: mark } });
    const ours = answer.status === 405 && isUnrecognized(answer.body);
    if (!ours || (standIn.isOpen() && !standIn.heard.ids.has(mark))) {
      return fail(`what answers at ${publicUrl} is not this bridge (status ${answer.status})`, proxy);
    }
    const media = await http.request({ method: "GET", path: `${mediaPath}/check/${mark}` });
    if (media.body.trim() !== noSuchFile || (standIn.isOpen() && !standIn.heard.ids.has(`media ${mark}`))) {
      return fail(
        `notifications come through at ${publicUrl}, but links to files do not (status ${media.status})`,
        `the reverse proxy must hand ${mediaPath}/ on as well: docs/operators.md has its lines`,
      );
    }
    if (new URL(publicUrl).pathname !== "/") {
      return warn(
        "publicUrl has a path, and homeservers set no pusher below one",
        "for notifications, set publicUrl to an address without a path",
      );
    }
    if (standIn.heard.strangeProxy !== undefined) {
      return warn(
        "requests come through a proxy whose word for where they come from is not taken, so limits count them all as one",
        `set listen.trustedProxies to ["${standIn.heard.strangeProxy.replace(/^::ffff:/, "")}"]`,
      );
    }
    return ok();
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    return fail(`nothing answers at publicUrl ${publicUrl} (${reasonOfSilence(error)})`, proxy);
  } finally {
    http.close();
  }
}
