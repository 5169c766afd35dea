/** The status page as HTML: whole without scripts, so that the script only has to put a newer one in its place. */
import type { Rates } from "../throughput.ts";
import { type Html, html } from "./html.ts";
import type { Report } from "./report.ts";

const labels: Record<string, string> = { homeserver: "Homeserver", prosody: "Prosody", database: "Database" };

/** "45 s", "12 min", "3 h", "5 days". */
function durationOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** A lane as people would call it; the log has its own name for it. */
function wordsOf(lane: string): string {
  const [way, from = "", to] = lane.split(" ");
  if (way === "tell") return `Word to ${from}`;
  if (to !== undefined) return `${from} → ${to}`;
  return `Room ${from}`;
}

const countOf = (count: number, one: string, many: string): string =>
  count === 1 ? `1 ${one}` : `${count.toLocaleString("en")} ${many}`;

const frame = (title: string, main: Html): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/status/status.css">
<script src="/status/status.js" defer></script>
</head>
<body>
${main}
</body>
</html>
`.text;

const titleOf = (problems: Record<string, string>): string =>
  `${Object.keys(problems).length === 0 ? "Causeway" : "⚠ Causeway"} – status`;

const head = (problems: Record<string, string>): Html => {
  const isWell = Object.keys(problems).length === 0;
  return html`<header>
<h1>Causeway</h1>
<p class="badge ${isWell ? "well" : "ill"}" role="status">${isWell ? "All is well" : "Something is wrong"}</p>
</header>`;
};

const health = (parts: readonly string[], problems: Record<string, string>): Html =>
  html`<section aria-labelledby="health">
<h2 id="health">Health</h2>
<ul class="tiles">
${parts.map(
  (part) => html`<li class="tile ${problems[part] === undefined ? "well" : "ill"}">
<h3>${labels[part] ?? part}</h3>
<p>${problems[part] ?? "well"}</p>
</li>`,
)}
</ul>
</section>`;

/** Bars of an hour, a minute each. */
function bars({ minutes }: Rates): Html {
  const highest = Math.max(1, ...minutes);
  return html`<svg viewBox="0 0 60 12" preserveAspectRatio="none" role="img" aria-label="Messages a minute, over the last hour; at most ${highest}">
${minutes.map((count, minute) => {
  const height = (12 * count) / highest;
  return html`<rect x="${minute}" y="${12 - height}" width="0.8" height="${height}"></rect>`;
})}
</svg>`;
}

const rates = (title: string, of: Rates): Html => html`<li class="tile">
<h3>${title}</h3>
<p><strong>${of.lastMinute.toLocaleString("en")}</strong> in the last minute</p>
<p class="quiet">${of.lastHour.toLocaleString("en")} in the last hour</p>
${bars(of)}
</li>`;

const numbers = ({ lanes, counts }: Report): Html => {
  const { working, queued, retrying } = lanes;
  const oldest = counts.queued === 0 ? "" : `, the oldest for ${durationOf(counts.oldestSeconds * 1000)}`;
  return html`<li class="tile">
<h3>On their way</h3>
<p><strong>${counts.queued.toLocaleString("en")}</strong> waiting${oldest}</p>
<p class="quiet">Lanes: ${working} at work, ${queued} queued, ${retrying} to try again</p>
</li>`;
};

const isShared = ({ processes }: Report): boolean => processes.length > 1;

const traffic = (report: Report): Html => html`<section aria-labelledby="traffic">
<h2 id="traffic">Messages</h2>
${isShared(report) && html`<p class="quiet">Rates and lanes are those of the process ${report.process}; what waits is counted for all.</p>`}
<ul class="tiles">
${rates("Matrix → XMPP", report.throughput.to_xmpp)}
${rates("XMPP → Matrix", report.throughput.to_matrix)}
${numbers(report)}
</ul>
</section>`;

const processes = (report: Report): Html => html`<section aria-labelledby="processes">
<h2 id="processes">Processes</h2>
<ul class="rows">
${report.processes.map(
  ({ id, host, version, startedAt, isLead, report: own }) => html`<li data-key="${id}">
<p class="name">${id}${isLead && " – leads"}${id === report.process && ", shows this page"}</p>
<p class="quiet">${host}, version ${version}, up for ${durationOf(report.at - startedAt)}. Lanes: ${own.working ?? 0} at work, ${own.queued ?? 0} queued, ${own.retrying ?? 0} to try again. In the last minute: ${own.toXmpp ?? 0} to XMPP, ${own.toMatrix ?? 0} to Matrix.</p>
</li>`,
)}
</ul>
</section>`;

const button = (action: string, words: string, formKey: string | undefined, id?: number): Html =>
  html`<form method="post" action="/status/${action}"${action === "drop" && html` data-confirm="Forget this message? Nobody will get it."`}>
<input type="hidden" name="key" value="${formKey ?? ""}">
${id !== undefined && html`<input type="hidden" name="id" value="${id}">`}
<button class="${action}">${words}</button>
</form>`;

const waiting = ({ waiting: lanes, at }: Report, formKey: string | undefined): Html =>
  html`<section aria-labelledby="waiting">
<h2 id="waiting">Waiting lanes</h2>
${lanes.length === 0 && html`<p class="quiet">Nothing waits.</p>`}
<ul class="rows">
${lanes.map(
  ({ lane, depth, acceptedAt, attempts, problem }) => html`<li data-key="${lane}">
<p class="name" title="${lane}">${wordsOf(lane)}</p>
<p class="quiet">${countOf(depth, "job", "jobs")}, the first for ${durationOf(at - acceptedAt)}${attempts > 0 && `, tried ${countOf(attempts, "time", "times")}`}</p>
${problem !== undefined && html`<p class="problem">${problem}</p>`}
</li>`,
)}
</ul>
${lanes.some(({ attempts }) => attempts > 0) && button("retry-now", "Try all now", formKey)}
</section>`;

const parked = (report: Report, formKey: string | undefined): Html => html`<section aria-labelledby="parked">
<h2 id="parked">Parked messages</h2>
${
  report.parked.length === 0
    ? html`<p class="quiet">None was given up.</p>`
    : html`<p class="quiet">${countOf(report.counts.parked, "was given up, and its sender", "were given up, and their senders")} told.${report.counts.parked > report.parked.length && ` The newest ${report.parked.length}:`}</p>`
}
<ul class="rows">
${report.parked.map(
  ({ id, lane, cause, acceptedAt, parkedAt, attempts, problem }) => html`<li data-key="${id}">
<p class="name" title="${lane}">${wordsOf(lane)}</p>
<p class="quiet">#${id}, ${cause}: came ${durationOf(report.at - acceptedAt)} ago, parked ${durationOf(report.at - parkedAt)} ago after ${countOf(attempts + 1, "attempt", "attempts")}</p>
<p class="problem">${problem}</p>
<div class="actions">${button("retry", "Retry", formKey, id)}${button("drop", "Drop", formKey, id)}</div>
</li>`,
)}
</ul>
${report.parked.length > 1 && button("retry-all", "Retry all", formKey)}
</section>`;

const shownOf = ({ shown, fitting, all }: { shown: unknown[]; fitting: number; all: number }): string => {
  const some = fitting === all ? `${all}` : `${fitting} of ${all}`;
  return shown.length < fitting ? `${some}; the first ${shown.length}:` : some;
};

const rooms = ({ linked, hosted, search }: Report): Html => html`<section aria-labelledby="rooms">
<h2 id="rooms">Rooms</h2>
<form method="get" action="/status" role="search" data-keep>
<input type="search" name="q" value="${search}" placeholder="Name or address" aria-label="Search rooms" autocomplete="off">
<button>Search</button>
</form>
<h3>Linked: ${shownOf(linked)}</h3>
<ul class="rows">
${linked.shown.map(
  ({ muc, roomId, name, kind, mode, linkedBy, isHeard, fromXmpp, fromMatrix }) => html`<li data-key="${muc}">
<p class="name"><span class="dot ${isHeard ? "well" : "ill"}" title="${isHeard ? "well" : "the bot is not in the XMPP room"}"></span>${name !== undefined && html`<bdi>${name}</bdi> – `}${muc}</p>
<p class="quiet">${roomId}, ${kind}${linkedBy !== undefined && ` by ${linkedBy}`}, ${mode}: ${fromXmpp} from XMPP${mode === "puppets" && `, ${fromMatrix} from Matrix`}</p>
${!isHeard && html`<p class="problem">The bot is not in the XMPP room, so nothing comes from there; it tries to get in.</p>`}
</li>`,
)}
</ul>
<h3>Entered from XMPP: ${shownOf(hosted)}</h3>
<ul class="rows">
${hosted.shown.map(
  ({ roomId, address, name, people, clients }) => html`<li data-key="${roomId}">
<p class="name">${name !== undefined && html`<bdi>${name}</bdi> – `}${address}</p>
<p class="quiet">${roomId}: ${countOf(people, "XMPP user", "XMPP users")} with ${countOf(clients, "client", "clients")}</p>
</li>`,
)}
</ul>
</section>`;

const people = ({ counts }: Report): string =>
  [
    countOf(counts.directRooms, "direct conversation", "direct conversations"),
    countOf(counts.ghosts, "ghost", "ghosts"),
    countOf(counts.puppets, "puppet", "puppets"),
    countOf(counts.guests, "guest client", "guest clients"),
  ].join(", ");

/** For whoever has shown the token. */
export const statusPage = (report: Report, formKey: string | undefined): string =>
  frame(
    titleOf(report.problems),
    html`<main data-refresh>
${head(report.problems)}
${health(report.parts, report.problems)}
${traffic(report)}
${isShared(report) && processes(report)}
${parked(report, formKey)}
${waiting(report, formKey)}
${rooms(report)}
<footer><p class="quiet">Causeway ${report.version}, up for ${durationOf(report.at - report.startedAt)}. ${people(report)}.</p>
${button("logout", "Log out", formKey)}
</footer>
</main>`,
  );

const login = html`<form class="login" method="post" action="/status/login">
<label for="token">The value of <code>admin.token</code> in the configuration</label>
<input id="token" type="password" name="token" required autocomplete="current-password">
<button>Log in</button>
</form>`;

const howToSet = html`<section><h2>No more without a token</h2>
<p>To see messages and rooms here, set <code>admin.token</code> in <code>config.json</code> to 16 or more random
characters, such as those that <code>openssl rand -hex 32</code> prints, and restart the bridge.</p></section>`;

/** For everybody else: health, and how to see more. */
export function frontPage(
  parts: readonly string[],
  problems: Record<string, string>,
  { hasToken, refusal }: { hasToken: boolean; refusal?: string },
): string {
  const main = html`<main>
${head(problems)}
${health(parts, problems)}
${refusal !== undefined && html`<p class="problem" role="alert">${refusal}</p>`}
${hasToken ? login : howToSet}
</main>`;
  return frame(titleOf(problems), main);
}
