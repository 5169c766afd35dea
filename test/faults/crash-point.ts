/**
 * Kills the process at a step of a message's way; loaded into the bridge by `node --import`. It looks on through
 * Node's own diagnostics channels and at the statements of the database, so the bridge has no code for it.
 */
import { subscribe } from "node:diagnostics_channel";
import { type StatementResultingChanges, StatementSync } from "node:sqlite";
import { crashVariable, type Step } from "./steps.ts";

const [, count = "", wanted = ""] = /^(\d+) (.*)$/.exec(process.env[crashVariable] ?? "") ?? [];
let left = Number(count);

function reach(step: Step): void {
  if (step !== wanted) return;
  left -= 1;
  // The signal ends the process before this call is over.
  if (left === 0) process.kill(process.pid, "SIGKILL");
}

interface Message {
  /** Express changes the URL of what it hands on. */
  request: { method: string; originalUrl?: string; url?: string; path?: string };
}

const on = (channel: string, reached: (what: string) => Step | undefined): void =>
  subscribe(channel, (message) => {
    const { request } = message as Message;
    const step = reached(`${request.method} ${request.originalUrl ?? request.url ?? request.path}`);
    if (step) reach(step);
  });

const isTransaction = (what: string): boolean => what.startsWith("PUT /_matrix/app/v1/transactions/");
const isCallback = (what: string): boolean => what.startsWith("POST /xmpp/callback");

on("http.server.request.start", (what) =>
  isTransaction(what) ? "a transaction has come" : isCallback(what) ? "a callback has come" : undefined,
);
on("http.server.response.finish", (what) =>
  isTransaction(what) ? "a transaction is answered" : isCallback(what) ? "a callback is answered" : undefined,
);
on("http.client.request.start", (what) => {
  if (what === "POST /rest") return "a stanza goes to Prosody";
  if (what.includes("/send/m.room.message/")) return "an event goes to the homeserver";
  if (what.includes("/join?")) return "a ghost enters a room";
  return what.includes("/createRoom") ? "a room is asked for" : undefined;
});
on("http.client.response.finish", (what) => {
  if (what === "POST /rest") return "Prosody has answered";
  if (what.includes("/send/m.room.message/")) return "the homeserver has answered";
  if (what.includes("/join?")) return "a ghost has entered a room";
  if (what.includes("/register")) return "a ghost is registered";
  return what.includes("/createRoom") ? "a room is made" : undefined;
});

type Work = "an event is stored" | "a stanza is stored" | "a job is done" | "a message is remembered";

function workOf(sql: string, values: readonly unknown[]): Work | undefined {
  if (/^delete from jobs where id/.test(sql)) return "a job is done";
  if (/^insert (or \w+ )?into messages/.test(sql)) return "a message is remembered";
  if (!/^insert into jobs/.test(sql)) return undefined;
  const job = values.join(" ");
  if (job.includes('"kind":"event"')) return "an event is stored";
  return job.includes('"kind":"stanza"') ? "a stanza is stored" : undefined;
}

const run = StatementSync.prototype.run as (...values: unknown[]) => StatementResultingChanges;
const inTransaction = new Set<Work>();

function watched(this: StatementSync, ...values: unknown[]): StatementResultingChanges {
  const sql = this.sourceSQL;
  if (sql !== "commit") {
    if (sql.startsWith("begin")) inTransaction.clear();
    const work = workOf(sql, values);
    if (work) inTransaction.add(work);
    return run.apply(this, values);
  }
  for (const work of inTransaction) reach(`${work}, before the commit`);
  const result = run.apply(this, values);
  for (const work of inTransaction) reach(`${work}, after the commit`);
  return result;
}
StatementSync.prototype.run = watched;
