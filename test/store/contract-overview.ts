/** What every backend promises of what operators look at. */
import assert from "node:assert/strict";
import { suite } from "node:test";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import type { Job, NewJob, Store } from "../../src/store/store.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import type { Check } from "./contract.ts";

const bot = "@bot:hs.example" as UserId;
const juliet = "@juliet:hs.example" as UserId;
const orchard = "orchard@muc.xmpp.example" as BareJid;
const job = (cause: string, lane: string): NewJob => ({
  lane,
  cause,
  work: { kind: "stanza", xml: "<message/>" },
});
const head = async (store: Store, lane: string): Promise<Job> => {
  const next = await store.lanes.next(lane);
  assert.ok(next);
  return next;
};

export function testOverview(backend: string, check: Check): void {
  suite(`overview on ${backend}`, () => {
    check("an empty store has nothing to tell", async ({ store: { overview } }) => {
      const { oldestAt, ...counts } = await overview.counts(bot);
      assert.equal(oldestAt, undefined);
      assert.deepEqual(
        Object.values(counts).filter((count) => count !== 0),
        [],
      );
      assert.deepEqual(
        [await overview.lanes(10), await overview.parked(10), await overview.hosted()],
        [[], [], []],
      );
    });

    check("lanes come with their depth and their first job, the oldest first", async ({ store }, clock) => {
      clock.ms = 1000;
      await store.lanes.add([job("1", "late"), job("2", "a")]);
      clock.ms = 2000;
      await store.lanes.add([job("3", "a"), job("4", "b")]);
      await store.lanes.complete(await head(store, "late"));
      await store.lanes.failed(await head(store, "a"), "down");
      const first = { cause: "2", acceptedAt: 1000, attempts: 1, problem: "down" };
      const second = { cause: "4", acceptedAt: 2000, attempts: 0, problem: undefined };
      const all = [
        { lane: "a", depth: 2, ...first },
        { lane: "b", depth: 1, ...second },
      ];
      assert.deepEqual(await store.overview.lanes(10), all);
      assert.deepEqual(await store.overview.lanes(1), all.slice(0, 1));
      const { queued, oldestAt } = await store.overview.counts(bot);
      assert.deepEqual([queued, oldestAt], [3, 1000]);
    });

    check("a job that was parked and is tried anew is no oldest one", async ({ store }, clock) => {
      clock.ms = 1000;
      await store.lanes.add([job("1", "a"), job("2", "b")]);
      const { id } = await head(store, "a");
      await store.lanes.park(await head(store, "a"), "gone", []);
      clock.ms = 5000;
      await store.lanes.unpark(id);
      assert.equal((await store.overview.counts(bot)).oldestAt, 1000);
    });

    check("parked jobs come newest first, and can be asked for by number", async ({ store }, clock) => {
      clock.ms = 1000;
      await store.lanes.add([job("1", "a"), job("2", "a"), job("3", "b")]);
      const [first, other] = [await head(store, "a"), await head(store, "b")];
      clock.ms = 3000;
      await store.lanes.park(first, "gone", []);
      clock.ms = 4000;
      await store.lanes.failed(other, "down");
      await store.lanes.park(other, "broken", []);
      const parked = [
        {
          id: other.id,
          lane: "b",
          cause: "3",
          acceptedAt: 1000,
          parkedAt: 4000,
          attempts: 1,
          problem: "broken",
        },
        {
          id: first.id,
          lane: "a",
          cause: "1",
          acceptedAt: 1000,
          parkedAt: 3000,
          attempts: 0,
          problem: "gone",
        },
      ];
      assert.deepEqual(await store.overview.parked(10), parked);
      assert.deepEqual(await store.overview.parked(1), parked.slice(0, 1));
      assert.equal(await store.overview.laneOfParked(other.id), "b");
      assert.equal(await store.overview.laneOfParked((await head(store, "a")).id), undefined);
      assert.equal(await store.overview.laneOfParked(999), undefined);
      const { queued, parked: count } = await store.overview.counts(bot);
      assert.deepEqual([queued, count], [1, 2]);
    });

    check("people are counted where they are, and the bot is nobody", async ({ store }) => {
      const link = {
        roomId: "!garden:hs.example" as RoomId,
        muc: orchard,
        kind: "portal",
        mode: "puppets",
        password: undefined,
        linkedBy: undefined,
        archiveId: undefined,
        isAnonymous: true,
      } as const;
      await store.links.save(link);
      await store.links.save({
        ...link,
        roomId: "!tomb:hs.example" as RoomId,
        muc: "crypt@muc.xmpp.example" as BareJid,
        mode: "relay",
      });
      await store.puppets.save({ muc: orchard, userId: juliet, nick: "Juliet", state: "in" });
      assert.deepEqual(await store.overview.occupancyOf(orchard, bot), {
        isHeard: false,
        fromXmpp: 0,
        fromMatrix: 1,
      });
      await store.puppets.save({ muc: orchard, userId: bot, nick: "Causeway", state: "in" });
      const nurse = "@nurse:hs.example" as UserId;
      await store.puppets.save({ muc: orchard, userId: nurse, nick: "Nurse", state: "kicked" });
      for (const [key, isIn] of [
        ["id-1", true],
        ["id-2", false],
      ] as const)
        await store.occupants.save({
          muc: orchard,
          key,
          nick: key,
          ghost: `@_xmpp_${key}:hs.example` as UserId,
          jid: `${orchard}/${key}` as FullJid,
          affiliation: "none",
          role: "participant",
          isIn,
        });
      assert.deepEqual(await store.overview.occupancyOf(orchard, bot), {
        isHeard: true,
        fromXmpp: 1,
        fromMatrix: 1,
      });
      const counts = await store.overview.counts(bot);
      assert.deepEqual(
        [counts.puppets, counts.occupants, counts.puppetRooms, counts.relayedRooms],
        [1, 1, 1, 1],
      );
    });

    check("rooms with guests come with their people and those people's clients", async ({ store }) => {
      const address = "#garden%hs.example@bridge.example" as BareJid;
      const roomId = "!garden:hs.example" as RoomId;
      for (const [user, resource] of [
        ["romeo", "phone"],
        ["romeo", "a/b"],
        ["mercutio", "x"],
      ])
        await store.guests.save({
          roomId,
          address,
          jid: `${user}@xmpp.example/${resource}` as FullJid,
          nick: "Romeo",
          ghost: `@_xmpp_${user}=40xmpp.example:hs.example` as UserId,
        });
      assert.deepEqual(await store.overview.hosted(), [{ roomId, address, people: 2, clients: 3 }]);
      const { guests, hostedRooms } = await store.overview.counts(bot);
      assert.deepEqual([guests, hostedRooms], [3, 1]);
    });
  });
}
