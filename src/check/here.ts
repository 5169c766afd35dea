/** The checks of this machine: files, database and ports. */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import express from "express";
import { databaseName, isPostgres, sqlitePathOf } from "../config/database.ts";
import { callbackPath, callbackUser, reachable } from "../config/prosody.ts";
import type { Config } from "../config/schema.ts";
import { createHttp, NoAnswerError } from "../http/client.ts";
import { listen } from "../http/server.ts";
import { parseUserId } from "../matrix/ids.ts";
import { inspectDatabase } from "../store/inspect.ts";
import { inspectPostgres } from "../store/postgres/inspect.ts";
import { parseBareJid, parseFullJid } from "../xmpp/jid.ts";
import { fail, type Ground, type Outcome, ok, warn } from "./check.ts";

export async function filesArePrivate({ configFile }: Ground): Promise<Outcome> {
  const folder = dirname(configFile);
  const open = [configFile, join(folder, "registration.yaml"), join(folder, "prosody.cfg.lua")].filter(
    (file) => ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0,
  );
  if (open.length === 0) return ok();
  return warn(`others than the owner can read ${open.join(", ")}`, `chmod 600 ${open.join(" ")}`);
}

const isPattern = (text: string): boolean =>
  text === "*" ||
  (text.startsWith("@")
    ? parseUserId(text) !== undefined
    : (parseBareJid(text) ?? parseFullJid(text)) !== undefined);

export async function somebodyMayUseIt({ config: { permissions } }: Ground): Promise<Outcome> {
  const lost = Object.keys(permissions).find((pattern) => !isPattern(pattern));
  if (lost !== undefined) {
    return fail(`nobody can match "${lost}"`, 'write a whole MXID, a JID, a domain or "*" instead');
  }
  const levels = Object.values(permissions);
  if (levels.every((level) => level === "block")) {
    return fail("nobody is let in", 'name who may use the bridge, such as { "capulet.example": "user" }');
  }
  const everybody = permissions["*"] !== undefined && permissions["*"] !== "block";
  return ok(everybody ? "everybody may use the bridge, people of other servers too" : undefined);
}

async function postgresIsUsable({ homeserver, xmpp, database }: Config): Promise<Outcome> {
  const name = databaseName(database);
  try {
    const installation = { homeserver: homeserver.domain, component: xmpp.component };
    const exists = await inspectPostgres(database, installation);
    return ok(exists ? undefined : `the first start makes the tables in ${name}`);
  } catch (error) {
    return fail(
      `the database ${name} cannot be used: ${(error as Error).message}`,
      "see that PostgreSQL runs, that address, user, password and name in `database` are right, and that the database is that user's own; docs/operators.md has the commands",
    );
  }
}

export async function databaseIsUsable({ config }: Ground): Promise<Outcome> {
  if (isPostgres(config.database)) return postgresIsUsable(config);
  const path = sqlitePathOf(config.database);
  if (path === ":memory:") {
    return warn(
      "the database is kept in memory, and whatever waits in it is lost at a stop",
      "set database to sqlite:PATH",
    );
  }
  try {
    const exists = await inspectDatabase(path);
    return ok(exists ? undefined : `the first start makes ${path}`);
  } catch (error) {
    return fail(
      `the database ${path} cannot be used: ${(error as Error).message}`,
      "the user that runs the bridge must be able to write the file and its folder; check that user, `database`, and the space on the disk",
    );
  }
}

const urlOf = ({ host, port }: { host: string; port: number }): string => `http://${reachable(host)}:${port}`;

interface Place {
  host: string;
  port: number;
}

/** Asks once, at our own machine. */
async function statusOf(place: Place, path: string, headers = {}, method: "GET" | "POST" = "GET") {
  const http = createHttp({ baseUrl: urlOf(place), headers, maxInFlight: 1, timeoutMs: 5000 });
  try {
    return await http.request({ method, path, ...(method === "POST" && { body: "{}" }) });
  } catch (error) {
    if (error instanceof NoAnswerError) return undefined;
    throw error;
  } finally {
    http.close();
  }
}

async function bridgeRuns({ admin }: Config): Promise<boolean> {
  const answer = await statusOf(admin, "/health/live");
  return answer?.status === 200 && answer.body.includes('"live"');
}

function portProblem(error: unknown, key: "listen" | "admin", { host, port }: Place): Outcome {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "EADDRINUSE":
      return fail(
        `another program than this bridge listens on ${host}:${port}`,
        `stop it, or set ${key}.port to a free one${key === "listen" ? ", and appservice.url with it" : ""}`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return fail(`${host} is no address of this machine`, `correct ${key}.host`);
    case "EACCES":
      return fail(
        `this user may not listen on port ${port}`,
        `set ${key}.port to one from 1024 on: ports below are the system's`,
      );
    default:
      return fail(`cannot listen on ${host}:${port} (${code ?? message})`, `correct ${key}`);
  }
}

/** Whether the bridge that runs was started with this configuration, as far as the secrets tell. */
async function runningBridgeFits({ config }: Ground): Promise<Outcome> {
  const { appservice, xmpp } = config;
  const json = { authorization: `Bearer ${appservice.hsToken}`, "content-type": "application/json" };
  const basic = Buffer.from(`${callbackUser}:${xmpp.callbackSecret}`).toString("base64");
  const [ping, callback] = await Promise.all([
    statusOf(config.listen, "/_matrix/app/v1/ping", json, "POST"),
    statusOf(config.listen, callbackPath, { authorization: `Basic ${basic}` }),
  ]);
  if (ping?.status === 200 && callback?.status === 405) return ok("the bridge is running");
  return fail("the bridge that runs has another configuration than this one", "restart it");
}

export async function listenIsOurs(ground: Ground): Promise<Outcome> {
  const { config, standIn } = ground;
  const mend = "restart the bridge, so that it runs with this configuration";
  if (config.listen.port === 0) {
    return fail(
      "listen.port is 0: the bridge would be at another port after each start",
      "set it to a fixed one",
    );
  }
  const running = await bridgeRuns(config);
  try {
    await standIn.open();
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    return running && inUse ? runningBridgeFits(ground) : portProblem(error, "listen", config.listen);
  }
  if (!running) return ok("free, as the bridge is not running");
  return fail("a bridge runs with this admin port, but it does not listen here", mend);
}

export async function adminIsOurs({ config }: Ground): Promise<Outcome> {
  try {
    await (await listen(express(), config.admin)).stop();
    return ok();
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    return inUse && (await bridgeRuns(config)) ? ok() : portProblem(error, "admin", config.admin);
  }
}
