/** What operators look at: no list is read that is not shown. */
import type { RoomId } from "../matrix/ids.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { Overview, ParkedSummary, WaitingLane } from "./overview-records.ts";
import type { Row, Tables } from "./tables.ts";

/** A job that was given up and is tried anew is as old as that, so the very first may not be the oldest. */
const oldestOf = 100;

const counts = `select
  (select count(*) from jobs where parked_at is null) as queued,
  (select count(*) from jobs where parked_at is not null) as parked,
  (select min(since) from (select coalesce(retried_at, accepted_at) as since from jobs where parked_at is null order by id limit ${oldestOf}) as first) as oldest,
  (select count(*) from room_links where mode = 'relay') as relayed,
  (select count(*) from room_links where mode = 'puppets') as linked,
  (select count(distinct room_id) from guests) as hosted,
  (select count(*) from puppets where state = 'in' and user_id <> ?) as puppets,
  (select count(*) from occupants where is_in = 1) as occupants,
  (select count(*) from guests) as guests,
  (select count(*) from ghosts) as ghosts,
  (select count(*) from direct_rooms) as direct`;

// Which lanes there are comes from the index alone; only the heads that are shown are looked at.
const heads = `select lane, cause, accepted_at, attempts, problem, depth from
  (select min(id) as head, count(*) as depth from jobs where parked_at is null group by lane order by head limit ?) as heads
  join jobs on jobs.id = head order by head`;

const readLane = (row: Row): WaitingLane => ({
  lane: String(row.lane),
  depth: Number(row.depth),
  cause: String(row.cause),
  acceptedAt: Number(row.accepted_at),
  attempts: Number(row.attempts),
  problem: (row.problem ?? undefined) as string | undefined,
});

const readParked = (row: Row): ParkedSummary => ({
  id: Number(row.id),
  lane: String(row.lane),
  cause: String(row.cause),
  acceptedAt: Number(row.accepted_at),
  parkedAt: Number(row.parked_at),
  attempts: Number(row.attempts),
  problem: String(row.problem),
});

export function createOverview(tables: Tables): Overview {
  return {
    async counts(bot) {
      const row = (await tables.one(counts, bot)) ?? {};
      return {
        queued: Number(row.queued),
        parked: Number(row.parked),
        oldestAt: (row.oldest ?? undefined) as number | undefined,
        relayedRooms: Number(row.relayed),
        puppetRooms: Number(row.linked),
        hostedRooms: Number(row.hosted),
        puppets: Number(row.puppets),
        occupants: Number(row.occupants),
        guests: Number(row.guests),
        ghosts: Number(row.ghosts),
        directRooms: Number(row.direct),
      };
    },
    lanes: async (limit) => (await tables.all(heads, limit)).map(readLane),
    parked: async (limit) =>
      (
        await tables.all(
          "select id, lane, cause, accepted_at, parked_at, attempts, problem from jobs " +
            "where parked_at is not null order by parked_at desc, id desc limit ?",
          limit,
        )
      ).map(readParked),
    laneOfParked: async (id) =>
      (await tables.one("select lane from jobs where id = ? and parked_at is not null", id))?.lane as
        | string
        | undefined,
    async occupancyOf(muc, bot) {
      const row =
        (await tables.one(
          "select (select count(*) from puppets where muc = ?1 and state = 'in' and user_id = ?2) as heard, " +
            "(select count(*) from occupants where muc = ?1 and is_in = 1) as xmpp, " +
            "(select count(*) from puppets where muc = ?1 and state = 'in' and user_id <> ?2) as matrix",
          muc,
          bot,
        )) ?? {};
      return { isHeard: row.heard === 1, fromXmpp: Number(row.xmpp), fromMatrix: Number(row.matrix) };
    },
    hosted: async () =>
      (
        await tables.all(
          "select room_id, min(address) as address, count(distinct ghost) as people, count(*) as clients " +
            "from guests group by room_id order by room_id",
        )
      ).map((row) => ({
        roomId: row.room_id as RoomId,
        address: row.address as BareJid,
        people: Number(row.people),
        clients: Number(row.clients),
      })),
  };
}
