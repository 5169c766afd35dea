/** A process's heartbeat: it says that it lives, tries for the lead, and learns who else is there. */
import type { Postgres } from "../store/postgres/connection.ts";
import type { ProcessInfo } from "./cluster.ts";

type Alone = Pick<Postgres, "alone">;

/** Each process is told on it for whom something is there: its ID, "lead", "others", or "beat" for all, where the lead changes hands. */
export const channel = "causeway_cluster";

/** All go by the clock of the database, in milliseconds. */
const clock = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
const databaseStart = "cast(extract(epoch from pg_postmaster_start_time()) * 1000 as bigint)";

export interface Me extends Omit<ProcessInfo, "isLead"> {
  /** Whether it would lead, or go on leading. */
  wantsLead: boolean;
}

export interface Seen extends Omit<ProcessInfo, "isLead"> {
  /** Milliseconds since its last heartbeat, or since the start of the database, which none reached before. */
  silentMs: number;
}

export interface Beat {
  /** Who has the lead, or had it last. */
  holder: string;
  /** Another one with each change of hands. */
  term: number;
  /** How many milliseconds the lead has still to go, as long as it is not renewed. */
  leftMs: number;
  processes: Seen[];
}

export interface BeatLimits {
  /** How long the lead is had without being renewed. */
  leaseMs: number;
  /** After how long nothing is kept of a process that is silent. */
  forgetMs: number;
}

export async function beat(db: Alone, me: Me, { leaseMs, forgetMs }: BeatLimits): Promise<Beat> {
  if (me.wantsLead) {
    await db.alone(
      `update lead set term = case when holder = ?1 then term else term + 1 end, holder = ?1, expires_at = ${clock} + ?2
       where holder = ?1 or expires_at <= ${clock}`,
      me.id,
      leaseMs,
    );
  } else await letGo(db, me.id);
  await db.alone(
    `insert into processes (id, host, version, started_at, seen_at, report) values (?, ?, ?, ?, ${clock}, ?)
     on conflict (id) do update set seen_at = excluded.seen_at, report = excluded.report`,
    me.id,
    me.host,
    me.version,
    me.startedAt,
    JSON.stringify(me.report),
  );
  const rows = await db.alone(
    `select holder, term, expires_at - ${clock} as left_ms, id, host, version, started_at, report, ${clock} - greatest(seen_at, ${databaseStart}) as silent_ms
     from lead, processes order by started_at, id`,
  );
  const processes = rows.map((row) => ({
    id: String(row.id),
    host: String(row.host),
    version: String(row.version),
    startedAt: Number(row.started_at),
    report: JSON.parse(String(row.report)),
    silentMs: Number(row.silent_ms),
  }));
  const [{ holder, term, left_ms: leftMs } = {}] = rows;
  if (holder === me.id && processes.some(({ silentMs }) => silentMs > forgetMs)) {
    await db.alone(`delete from processes where seen_at < ${clock} - ?`, forgetMs);
  }
  if (holder === me.id) await db.alone(forgetMail);
  return { holder: String(holder), term: Number(term), leftMs: Number(leftMs), processes };
}

/** Of processes that are gone. */
const forgetMail =
  "delete from mail where recipient <> 'lead' and recipient not in (select id from processes)";

/** Others may have the lead at once. */
const letGo = (db: Alone, self: string): Promise<unknown> =>
  db.alone("update lead set expires_at = 0 where holder = ?", self);

/** Each process has its next heartbeat now. */
export const tellAll = (db: Alone): Promise<unknown> => db.alone("select pg_notify(?, ?)", channel, "beat");

/** Nothing is left of the process. */
export async function leave(db: Alone, self: string): Promise<void> {
  await letGo(db, self);
  await db.alone("delete from processes where id = ?", self);
  await db.alone(forgetMail);
  await tellAll(db);
}
