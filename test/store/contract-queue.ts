/** What every backend promises of transactions and lanes. */
import assert from "node:assert/strict";
import { suite } from "node:test";
import fc from "fast-check";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { EventJob, Job, NewJob, Store } from "../../src/store/store.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Check } from "./contract.ts";

const juliet = "@juliet:hs.example" as UserId;
const garden = "!garden:hs.example" as RoomId;
const tomb = "!tomb:hs.example" as RoomId;

const job = (cause: string, lane = "a"): NewJob => ({
  lane,
  cause,
  work: { kind: "stanza", xml: `<${cause}/>` },
});

const event = (id: string, roomId = garden, lane = "a"): EventJob => ({
  lane,
  cause: id,
  work: {
    kind: "event",
    event: {
      event_id: id as EventId,
      type: "m.room.message",
      room_id: roomId,
      sender: juliet,
      origin_server_ts: 0,
      content: { body: id },
    },
  },
});

/** More than are forgotten at a time. */
const old = Array.from({ length: 1050 }, (_, n) => `$${n}`);

async function head(store: Store, lane = "a"): Promise<Job> {
  const next = await store.lanes.next(lane);
  assert.ok(next, `lane ${lane} is empty`);
  return next;
}

/** The causes that are left in a lane, in their order; empties it. */
async function drain(store: Store, lane = "a"): Promise<string[]> {
  const causes: string[] = [];
  for (let next = await store.lanes.next(lane); next; next = await store.lanes.next(lane)) {
    causes.push(next.cause);
    await store.lanes.complete(next);
  }
  return causes;
}

export function testQueue(backend: string, check: Check): void {
  suite(`transactions on ${backend}`, () => {
    const none: ReadonlySet<RoomId> = new Set();
    const accept = (store: Store, id: string, digest: string, ...events: string[]): Promise<EventJob[]> =>
      store.transactions.accept({ id, digest, jobs: events.map((one) => event(one)), unsure: none });

    check("a transaction's jobs are stored in order, and a repeat stores nothing", async ({ store }) => {
      assert.deepEqual(await accept(store, "t1", "d", "$1", "$2"), [event("$1"), event("$2")]);
      assert.deepEqual(await accept(store, "t1", "d", "$1", "$2"), []);
      assert.deepEqual(await drain(store), ["$1", "$2"]);
    });

    check("a repeat after the jobs were done stores nothing either", async ({ store }) => {
      await accept(store, "t1", "d", "$1");
      await drain(store);
      assert.deepEqual(await accept(store, "t1", "d", "$1"), []);
      assert.deepEqual(await drain(store), []);
    });

    check("an ID that comes again with other events is another transaction", async ({ store }) => {
      await accept(store, "t1", "d1", "$1");
      assert.deepEqual(await accept(store, "t1", "d2", "$2"), [event("$2")]);
    });

    check("an event that came before is left out of a new transaction", async ({ store }) => {
      await accept(store, "t1", "d1", "$1");
      assert.deepEqual(await accept(store, "t2", "d2", "$1", "$2", "$2"), [event("$2")]);
      assert.deepEqual(await drain(store), ["$1", "$2"]);
    });

    check("what is accepted is there after a restart, and still recognised", async ({ store, reopen }) => {
      await accept(store, "t1", "d1", "$1");
      const again = await reopen();
      assert.deepEqual(await accept(again, "t1", "d1", "$1"), []);
      assert.deepEqual(await drain(again), ["$1"]);
    });

    check("pruning forgets what is older than asked for, and no job that waits", async ({ store }, clock) => {
      await accept(store, "t1", "d1", "$1");
      clock.ms = 2000;
      await accept(store, "t2", "d2", "$2");
      await store.prune(2000, 0);
      assert.deepEqual(await accept(store, "t2", "d2", "$2"), []);
      assert.deepEqual(await accept(store, "t3", "d3", "$1", "$2"), [event("$1")]);
      assert.deepEqual(await drain(store), ["$1", "$2", "$1"]);
    });

    check("much is forgotten a little at a time, and others need not wait for it", async ({ store }) => {
      await accept(store, "t1", "d1", ...old);
      await drain(store);
      const pruning = store.prune(2000, 0).then(() => "forgotten");
      const accepted = accept(store, "t2", "d2", "$new").then(() => "accepted");
      assert.equal(await Promise.race([pruning, accepted]), "accepted");
      await pruning;
      assert.equal((await accept(store, "t3", "d3", ...old)).length, old.length);
    });

    check("closing breaks forgetting off, and the next time goes on with it", async ({ store, reopen }) => {
      await accept(store, "t1", "d1", ...old);
      await drain(store);
      const pruning = store.prune(2000, 0);
      const again = await reopen();
      await pruning;
      await again.prune(2000, 0);
      assert.equal((await accept(again, "t3", "d3", ...old)).length, old.length);
    });

    check(
      "events found later stand right behind the running job, in their order, ahead of what else waits",
      async ({ store }) => {
        await accept(store, "t1", "d1", "$1", "$4", "$5");
        const running = await head(store);
        const found = [event("$2"), event("$4"), event("$3")];
        assert.deepEqual(await store.transactions.acceptNext(running, found), [event("$2"), event("$3")]);
        assert.equal((await head(store)).id, running.id);
        assert.deepEqual(await drain(store), ["$1", "$2", "$4", "$3", "$5"]);
      },
    );

    check("ahead of the first event of an unsure room goes one job that catches up", async ({ store }) => {
      const { transactions } = store;
      await accept(store, "t1", "d1", "$1");
      await drain(store);
      const jobs = [event("$2"), event("$3"), event("$9", tomb, "b")];
      const fresh = await transactions.accept({
        id: "t2",
        digest: "d2",
        jobs,
        unsure: new Set([garden, tomb]),
      });
      assert.deepEqual(fresh, jobs);
      const { cause, work } = await head(store);
      assert.deepEqual([cause, work], ["catch-up/$2", { kind: "catch-up", roomId: garden, after: "$1" }]);
      assert.deepEqual(await drain(store), ["catch-up/$2", "$2", "$3"]);
      // Of a room that is new there is nothing to catch up with.
      assert.deepEqual(await drain(store, "b"), ["$9"]);
    });

    check("the rooms of the newest events come each with its newest event", async ({ store }) => {
      assert.deepEqual(await store.transactions.recentRooms(), []);
      const jobs = [event("$1"), event("$2", tomb), event("$3")];
      await store.transactions.accept({ id: "t1", digest: "d", jobs, unsure: none });
      const rooms = await store.transactions.recentRooms();
      assert.deepEqual(
        rooms.sort((a, b) => a.eventId.localeCompare(b.eventId)),
        [
          { roomId: tomb, eventId: "$2" },
          { roomId: garden, eventId: "$3" },
        ],
      );
    });
  });

  suite(`lanes on ${backend}`, () => {
    check("a job comes back as it went in, with when it was accepted", async ({ store }, clock) => {
      clock.ms = 5000;
      const work = {
        kind: "notice",
        roomId: garden,
        ghost: juliet,
        content: { body: "é\0\ud800", deep: [{ a: null }] },
      } as const;
      await store.lanes.add([{ lane: "a", cause: "c", work }]);
      const { id, ...rest } = await head(store);
      assert.equal(typeof id, "number");
      assert.deepEqual(rest, { lane: "a", cause: "c", work, acceptedAt: 5000, attempts: 0 });
    });

    check("whoever watches is told of lanes that get jobs, once for several", async ({ store }) => {
      const told: string[] = [];
      store.lanes.watch((lanes) => told.push(...lanes));
      await store.lanes.add([job("1"), job("2", "b"), job("3")]);
      await waitFor(() => told.length === 2, "the lanes");
      assert.deepEqual(told.toSorted(), ["a", "b"]);
      const next = await store.lanes.next("a");
      assert.ok(next);
      told.length = 0;
      await store.lanes.complete(next, [job("4", "tell")]);
      await waitFor(() => told.length === 1, "the lane of what is told");
      assert.deepEqual(told, ["tell"]);
    });

    check("an empty lane has no next job and does not wait", async ({ store }) => {
      assert.equal(await store.lanes.next("a"), undefined);
      assert.deepEqual(await store.lanes.waiting(), []);
      await store.lanes.add([]);
    });

    check(
      "each lane gives its jobs in the order of their adding, whatever is added between",
      async ({ store }) => {
        const batches = fc.array(fc.array(fc.constantFrom("a", "b", "constructor"), { maxLength: 4 }), {
          maxLength: 8,
        });
        await fc.assert(
          fc.asyncProperty(batches, async (list) => {
            let count = 0;
            const added = list.map((lanes) => lanes.map((lane) => job(`c${count++}`, lane)));
            for (const jobs of added) await store.lanes.add(jobs);
            const used = [...new Set(list.flat())].sort();
            assert.deepEqual((await store.lanes.waiting()).sort(), used);
            for (const lane of used) {
              const expected = added.flat().filter((one) => one.lane === lane);
              assert.deepEqual(
                await drain(store, lane),
                expected.map(({ cause }) => cause),
              );
            }
          }),
          { numRuns: 30 },
        );
      },
    );

    check("a lane that holds so many takes no more of what may be refused", async ({ store }) => {
      const add = (cause: string, lane?: string) => store.lanes.addWithin(2, job(cause, lane));
      assert.deepEqual([await add("1"), await add("2"), await add("3")], [true, true, false]);
      assert.equal(await add("4", "b"), true);
      await store.lanes.park(await head(store), "gone", []);
      assert.equal(await add("5"), true);
      assert.deepEqual(await drain(store), ["2", "5"]);
    });

    check("it is known whether so many wait in lanes of a name, parked ones aside", async ({ store }) => {
      const { lanes } = store;
      assert.equal(await lanes.isDeep("a ", 1), false);
      await lanes.add([job("1", "a 1"), job("2", "a \u{10fffe}"), job("3", "a"), job("4", "b 1")]);
      assert.deepEqual([await lanes.isDeep("a ", 2), await lanes.isDeep("a ", 3)], [true, false]);
      await lanes.park(await head(store, "a 1"), "gone", []);
      assert.equal(await lanes.isDeep("a ", 2), false);
    });

    check("a failed attempt is counted and its job stays at the head", async ({ store }) => {
      await store.lanes.add([job("1"), job("2")]);
      await store.lanes.failed(await head(store), "down");
      await store.lanes.failed(await head(store), "down");
      const { cause, attempts } = await head(store);
      assert.deepEqual([cause, attempts], ["1", 2]);
    });

    check(
      "a parked job leaves its lane and keeps its problem, and its follow-ups are stored",
      async ({ store }) => {
        await store.lanes.add([job("1"), job("2")]);
        const first = await head(store);
        await store.lanes.park(first, "gone", [job("1/told", "tell")]);
        assert.deepEqual(await store.lanes.parked(), [{ ...first, problem: "gone" }]);
        assert.deepEqual((await store.lanes.waiting()).sort(), ["a", "tell"]);
        assert.deepEqual([await drain(store), await drain(store, "tell")], [["2"], ["1/told"]]);
        assert.equal((await store.lanes.parked()).length, 1);
      },
    );

    check("a job that is over leaves nothing, and its follow-ups are stored", async ({ store }) => {
      await store.lanes.add([job("1"), job("2")]);
      await store.lanes.complete(await head(store), [job("1/told", "tell")]);
      assert.deepEqual([await drain(store), await drain(store, "tell")], [["2"], ["1/told"]]);
      assert.deepEqual(await store.lanes.parked(), []);
    });

    check("parked jobs are kept for a while and not for ever", async ({ store }, clock) => {
      await store.lanes.add([job("1"), job("2"), job("3")]);
      clock.ms = 1000;
      await store.lanes.park(await head(store), "gone", []);
      clock.ms = 3000;
      await store.lanes.park(await head(store), "gone", []);
      await store.prune(2000, 0);
      const parked = await store.lanes.parked();
      assert.deepEqual(
        parked.map(({ cause }) => cause),
        ["2"],
      );
      assert.deepEqual(await drain(store), ["3"]);
    });

    check("of very many jobs only a thousand are read to list them", async ({ store }, clock) => {
      const jobs = Array.from({ length: 1001 }, (_, n) => job(`c${n}`));
      await store.lanes.add(jobs);
      const queued = await store.lanes.queued();
      assert.deepEqual([queued.length, queued[0]?.cause, queued.at(-1)?.cause], [1000, "c0", "c999"]);
      for (const _ of jobs) {
        clock.ms += 1;
        await store.lanes.park(await head(store), "gone", []);
      }
      const parked = await store.lanes.parked();
      assert.deepEqual([parked.length, parked[0]?.cause, parked.at(-1)?.cause], [1000, "c1", "c1000"]);
    });

    check("all that is parked is put back at once, however much it is", async ({ store }, clock) => {
      await store.lanes.add([job("1"), job("2", "b"), job("3"), job("4", "c")]);
      for (const lane of ["a", "b", "a"]) await store.lanes.park(await head(store, lane), "gone", []);
      clock.ms = 7000;
      assert.deepEqual((await store.lanes.unparkAll()).sort(), ["a", "b"]);
      const { cause, retriedAt, attempts } = await head(store);
      assert.deepEqual([cause, retriedAt, attempts], ["1", 7000, 1]);
      assert.deepEqual([await drain(store), await drain(store, "b")], [["1", "3"], ["2"]]);
      assert.equal((await head(store, "c")).retriedAt, undefined);
      assert.deepEqual(await store.lanes.unparkAll(), []);
    });

    check("a job keeps its times when others take their place ahead of it", async ({ store }, clock) => {
      clock.ms = 1000;
      await store.transactions.accept({ id: "t1", digest: "d", jobs: [event("$1")], unsure: new Set() });
      await store.lanes.add([job("2")]);
      const running = await head(store);
      const [, behind] = await store.lanes.queued();
      assert.ok(behind);
      await store.lanes.park(behind, "gone", []);
      clock.ms = 5000;
      await store.lanes.unpark(behind.id);
      await store.transactions.acceptNext(running, [event("$3")]);
      const [, , moved] = await store.lanes.queued();
      assert.deepEqual([moved?.cause, moved?.acceptedAt, moved?.retriedAt], ["2", 1000, 5000]);
    });

    check("a job is not parked if what is to be told cannot be stored", async ({ store }) => {
      await store.lanes.add([job("1")]);
      const broken = { ...job("x"), lane: undefined } as unknown as NewJob;
      await assert.rejects(async () =>
        store.lanes.park(await head(store), "gone", [job("y", "tell"), broken]),
      );
      assert.deepEqual([await store.lanes.parked(), await store.lanes.waiting()], [[], ["a"]]);
    });

    check("jobs, attempts and parked jobs outlive a restart", async ({ store, reopen }) => {
      await store.lanes.add([job("1"), job("2"), job("3", "b")]);
      await store.lanes.park(await head(store), "gone", []);
      await store.lanes.failed(await head(store), "down");
      const again = await reopen();
      assert.deepEqual((await again.lanes.waiting()).sort(), ["a", "b"]);
      const { cause, attempts } = await head(again);
      assert.deepEqual([cause, attempts], ["2", 1]);
      assert.deepEqual(
        (await again.lanes.parked()).map(({ problem }) => problem),
        ["gone"],
      );
    });
  });
}
