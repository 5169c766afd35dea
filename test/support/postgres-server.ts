/** A PostgreSQL that tests have to themselves: in a temporary folder, on a port of its own, gone when they are done. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { findPostgres } from "../../scripts/postgres.mjs";
import { freePort } from "../servers/free-port.ts";
import { waitFor } from "./wait-for.ts";

export interface PostgresServer {
  /** Of the database "postgres"; `databaseUrl` has those of others. */
  url: string;
  /** "fast" breaks off what is under way; "immediate" also leaves it to the next start to put things in order. */
  stop(mode: "fast" | "immediate"): Promise<void>;
  /** With the same data on the same port, after `stop`. */
  start(): Promise<void>;
  /** Stops it and deletes the data. */
  close(): Promise<void>;
}

/** The same server's database of that name. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Asks one thing over a connection of its own. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  // The server may stop in the midst of it.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** PostgreSQL refuses to run as root: root runs it as somebody else. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const found = ["postgres", "nobody"].flatMap((name) => users.filter((user) => user[0] === name))[0];
  if (!found) throw new Error("neither postgres nor nobody is a user here, and PostgreSQL refuses root");
  return { uid: Number(found[2]), gid: Number(found[3]) };
}

const naming = /^causeway-postgres-(\d+)-/;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Again while the server, which has been told to stop, still writes there. */
function removeFolder(folder: string): void {
  for (let attempt = 0; existsSync(folder) && attempt < 100; attempt += 1) {
    rmSync(folder, { recursive: true, force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
}

/** A killed test run cannot clean up after itself; its process ID is in the name of what it left. */
function removeOrphans(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = naming.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** What is lost in a power cut does not matter to a test, and 200 connections are enough for it. */
const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "64MB",
};
const careless = { fsync: "off", full_page_writes: "off" };

/** @param options.isDurable whether it syncs the disk as others do, so that what it takes can be measured. */
export async function startPostgres(options: { isDurable?: boolean } = {}): Promise<PostgresServer> {
  const { programs, missing } = findPostgres();
  if (missing !== undefined) throw new Error(`no PostgreSQL: ${missing}`);
  const user = owner();
  removeOrphans();
  const folder = mkdtempSync(join(tmpdir(), `causeway-postgres-${process.pid}-`));
  if (user) chownSync(folder, user.uid, user.gid);
  const [data, logFile] = [join(folder, "data"), join(folder, "log")];
  // Its own rules of order, as most servers have them: what needs the order of bytes has to say so.
  const locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"];
  const initial = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", ...locale];
  const environment = { PATH: process.env.PATH, LC_ALL: "C.UTF-8" };
  await promisify(execFile)(join(programs, "initdb"), initial, { cwd: folder, env: environment, ...user });

  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const given = { ...settings, ...(!options.isDurable && careless), port: String(port) };
  const set = Object.entries(given).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  // The kernel ends it with this process, however that ends.
  const guard = existsSync("/usr/bin/setpriv") ? ["setpriv", "--pdeathsig", "QUIT"] : [];
  const [program = "", ...command] = [...guard, join(programs, "postgres"), "-D", data, ...set];
  let child: ChildProcess | undefined;

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    child.kill(signal);
    await once(child, "exit");
  }
  const log = (): string => readFileSync(logFile, "utf8");
  const leave = (): void => {
    child?.kill("SIGQUIT");
    removeFolder(folder);
  };
  process.once("exit", leave);

  const server: PostgresServer = {
    url,
    stop: (mode) => end(mode === "fast" ? "SIGINT" : "SIGQUIT"),
    async start() {
      const output = openSync(logFile, "a");
      const started = spawn(program, command, {
        cwd: folder,
        stdio: ["ignore", output, output],
        env: environment,
        ...user,
      });
      closeSync(output);
      child = started;
      // Whoever uses it keeps the process going, not the server.
      started.unref();
      await waitFor(() => {
        if (started.exitCode !== null) throw new Error(`PostgreSQL ended while starting:\n${log()}`);
        return query(url, "select 1").catch(() => undefined);
      }, "PostgreSQL to start");
    },
    async close() {
      process.off("exit", leave);
      await end("SIGINT");
      removeFolder(folder);
    },
  };
  try {
    await server.start();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}
