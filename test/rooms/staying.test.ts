import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import { createSeats } from "../../src/rooms/seats.ts";
import { createStaying, type StayingDeps } from "../../src/rooms/staying.ts";
import type { RoomLink } from "../../src/store/room-records.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { createLogLines } from "../support/log-lines.ts";
import { waitFor } from "../support/wait-for.ts";

const bot = "@_xmpp_bot:hs.test" as UserId;
const juliet = "@juliet:hs.test" as UserId;

const linkOf = (muc: string): RoomLink => ({
  roomId: `!${muc}:hs.test` as RoomId,
  muc: muc as BareJid,
  kind: "portal",
  mode: "puppets",
  password: undefined,
  linkedBy: undefined,
  archiveId: undefined,
  isAnonymous: true,
});

/** Rooms in which the bot and Juliet are, as far as is known. */
function setRooms(t: TestContext, mucs: readonly string[], more: Partial<StayingDeps> = {}) {
  const links = mucs.map(linkOf);
  const seats = createSeats(openSqliteStore({ path: ":memory:", now: Date.now }));
  const done: string[] = [];
  for (const { muc } of links) {
    seats.arrived(muc, bot, "Causeway");
    seats.arrived(muc, juliet, "Juliet");
  }
  const enter =
    (what: string) =>
    async ({ muc }: RoomLink, userId: UserId): Promise<FullJid> => {
      done.push(`${what} ${muc} ${userId}`);
      seats.arrived(muc, userId, "Juliet");
      return "" as FullJid;
    };
  const staying = createStaying({
    links: { all: () => links, ofMuc: (muc) => links.find((link) => link.muc === muc) },
    seats,
    joining: { enter: enter("enters"), enterAgain: enter("resyncs") },
    isMember: async () => true,
    ping: async (muc, userId) => {
      done.push(`pings ${muc} ${userId}`);
      return "in";
    },
    bot,
    log: createLogLines().log,
    ...more,
  });
  t.after(staying.stop);
  return { staying, seats, done };
}

test("a service that does not answer keeps no room of another one waiting", async (t) => {
  const dead = Array.from({ length: 8 }, (_, index) => `room${index}@dead.example`);
  const done: string[] = [];
  const { staying } = setRooms(t, [...dead, "verona@conference.example"], {
    joining: {
      enter: async () => "" as FullJid,
      enterAgain: ({ muc }) =>
        muc.endsWith("@dead.example") ? new Promise(() => undefined) : Promise.resolve(muc as never),
    },
    ping: async (muc, userId) => {
      done.push(`${muc} ${userId}`);
      return "in";
    },
  });
  staying.look(true);
  await waitFor(() => done.length > 0, "the room that answers to be looked after");
  assert.deepEqual(done, [`verona@conference.example ${juliet}`]);
});

test("a room that does not answer the bot is not asked about everybody else", async (t) => {
  const asked: string[] = [];
  const rooms = ["orchard@dead.example", "verona@conference.example"];
  const { staying } = setRooms(t, rooms, {
    ping: async (muc, userId) => {
      asked.push(`${muc} ${userId}`);
      return muc.endsWith("@dead.example") ? "unknown" : "in";
    },
  });
  staying.look(false);
  await waitFor(() => asked.length === 3, "all that can be asked to be asked");
  assert.deepEqual(asked, [`${rooms[0]} ${bot}`, `${rooms[1]} ${bot}`, `${rooms[1]} ${juliet}`]);
});

test("a room that lets somebody in and loses them at once is entered more and more slowly", async (t) => {
  const muc = "verona@conference.example" as BareJid;
  const { staying, seats, done } = setRooms(t, [muc], { pauses: [1, 1, 60_000] });
  const lose = (userId: UserId): void => {
    seats.gone(muc, userId, "out");
    staying.lost(muc, userId);
  };
  for (const times of [1, 2]) {
    lose(juliet);
    await waitFor(() => done.length === times, `entering for the ${times}. time`);
  }
  lose(juliet);
  lose(bot);
  await waitFor(() => done.length > 2, "somebody else to enter");
  assert.deepEqual(
    done,
    [juliet, juliet, bot].map((userId) => `enters ${muc} ${userId}`),
  );
});
