/** What every backend of the store promises, as one suite that each runs. */
import assert from "node:assert/strict";
import { suite, type TestContext, test } from "node:test";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import type { Store } from "../../src/store/store.ts";
import type { BareJid, Jid } from "../../src/xmpp/jid.ts";
import { testMessages } from "./contract-messages.ts";
import { testOverview } from "./contract-overview.ts";
import { testPush } from "./contract-push.ts";
import { testQueue } from "./contract-queue.ts";
import { testRequests } from "./contract-requests.ts";
import { testRooms } from "./contract-rooms.ts";
import { testSignals } from "./contract-signals.ts";

export interface Clock {
  ms: number;
}

export interface OpenStore {
  store: Store;
  /** Closes the store and opens it again on the same data; the new one is closed with the test. */
  reopen(): Promise<Store>;
}

export type Check = (title: string, body: (store: OpenStore, clock: Clock) => Promise<void>) => void;

const juliet = "@juliet:hs.example" as UserId;
const romeo = "romeo@xmpp.example" as BareJid;
const garden = "!garden:hs.example" as RoomId;
const tomb = "!tomb:hs.example" as RoomId;

export function testStore(backend: string, open: (t: TestContext, clock: Clock) => Promise<OpenStore>): void {
  const check: Check = (title, body) =>
    void test(title, async (t) => {
      const clock = { ms: 1000 };
      await body(await open(t, clock), clock);
    });

  testQueue(backend, check);
  testRequests(backend, check);
  testPush(backend, check);
  testSignals(backend, check);
  testMessages(backend, check);
  testRooms(backend, check);
  testOverview(backend, check);

  suite(`direct rooms on ${backend}`, () => {
    const room = { userId: juliet, jid: romeo, roomId: garden, membership: "invite" };

    check("a room is found by its pair and by its ID, also after a restart", async ({ store, reopen }) => {
      await store.directRooms.save(room);
      const again = await reopen();
      assert.deepEqual(await again.directRooms.ofPair(juliet, romeo), room);
      assert.deepEqual(await again.directRooms.ofRoom(garden), room);
      assert.deepEqual(await again.directRooms.all(), [room]);
      assert.equal(await again.directRooms.ofPair(juliet, "mercutio@xmpp.example" as BareJid), undefined);
      assert.equal(await again.directRooms.ofRoom(tomb), undefined);
    });

    check("a pair has one room, the one saved last", async ({ store }) => {
      await store.directRooms.save({ ...room, roomId: undefined, membership: "leave" });
      assert.deepEqual(await store.directRooms.ofPair(juliet, romeo), {
        ...room,
        roomId: undefined,
        membership: "leave",
      });
      await store.directRooms.save(room);
      await store.directRooms.save({ ...room, roomId: tomb, membership: "join" });
      assert.equal(await store.directRooms.ofRoom(garden), undefined);
      assert.deepEqual(await store.directRooms.ofRoom(tomb), { ...room, roomId: tomb, membership: "join" });
    });

    check("a room has one pair, the one saved last", async ({ store }) => {
      const other = { ...room, userId: "@nurse:hs.example" as UserId };
      await store.directRooms.save(room);
      await store.directRooms.save(other);
      assert.deepEqual(await store.directRooms.ofRoom(garden), other);
      assert.deepEqual(await store.directRooms.all(), [other]);
    });

    check(
      "rooms are gone through by XMPP users, some at a time and each with all of theirs",
      async ({ store }) => {
        const mercutio = "mercutio@xmpp.example" as BareJid;
        const nurse = "@nurse:hs.example" as UserId;
        const rooms = [
          { ...room, jid: mercutio, roomId: tomb },
          { ...room, userId: nurse, roomId: undefined },
          room,
        ];
        for (const one of rooms) await store.directRooms.save(one);
        const inOrder = async (after?: Jid) =>
          (await store.directRooms.ofNext(1, after)).toSorted((a, b) => a.userId.localeCompare(b.userId));
        assert.deepEqual(await inOrder(), [rooms[0]]);
        assert.deepEqual(await inOrder(mercutio), [room, rooms[1]]);
        assert.deepEqual(await inOrder(romeo), []);
        assert.equal((await store.directRooms.ofNext(2, undefined)).length, 3);
      },
    );

    check("rooms that are being made are several at once", async ({ store }) => {
      const other = { ...room, userId: "@nurse:hs.example" as UserId, roomId: undefined };
      await store.directRooms.save({ ...room, roomId: undefined });
      await store.directRooms.save(other);
      assert.deepEqual(await store.directRooms.ofPair(other.userId, romeo), other);
      assert.deepEqual(await store.directRooms.ofPair(juliet, romeo), { ...room, roomId: undefined });
    });

    check("a forgotten pair has no room, forgotten twice or not", async ({ store }) => {
      await store.directRooms.save(room);
      await store.directRooms.forget(juliet, romeo);
      await store.directRooms.forget(juliet, romeo);
      assert.equal(await store.directRooms.ofPair(juliet, romeo), undefined);
      assert.equal(await store.directRooms.ofRoom(garden), undefined);
    });
  });

  suite(`the bot's rooms on ${backend}`, () => {
    const direct = { roomId: garden, userId: juliet };
    const shared = { roomId: tomb, userId: undefined };

    check("rooms are known until they are forgotten, also after a restart", async ({ store, reopen }) => {
      assert.equal(await store.botRooms.ofRoom(garden), undefined);
      await store.botRooms.save(direct);
      await store.botRooms.save(shared);
      const { botRooms } = await reopen();
      assert.deepEqual(await botRooms.ofRoom(garden), direct);
      assert.deepEqual(await botRooms.all(), [direct, shared]);
      await botRooms.forget(garden);
      await botRooms.forget(garden);
      assert.deepEqual(await botRooms.all(), [shared]);
    });

    check("a room that a third person has entered is no direct chat any more", async ({ store }) => {
      await store.botRooms.save(direct);
      await store.botRooms.save({ ...direct, userId: undefined });
      assert.deepEqual(await store.botRooms.all(), [{ ...direct, userId: undefined }]);
    });
  });

  suite(`ghosts and subscribers on ${backend}`, () => {
    const ghost = "@_xmpp_romeo=40xmpp.example:hs.example" as UserId;

    check(
      "a ghost that was saved is known, saved twice or not, also after a restart",
      async ({ store, reopen }) => {
        assert.equal(await store.ghosts.jidOf(ghost), undefined);
        await store.ghosts.save(ghost, romeo);
        await store.ghosts.save(ghost, romeo);
        assert.equal(await (await reopen()).ghosts.jidOf(ghost), romeo);
      },
    );

    check("a person has one ghost, the one saved last", async ({ store }) => {
      const other = "@_xmpp_romeo:hs.example" as UserId;
      await store.ghosts.save(ghost, romeo);
      await store.ghosts.save(other, romeo);
      assert.deepEqual(
        [await store.ghosts.jidOf(ghost), await store.ghosts.jidOf(other)],
        [undefined, romeo],
      );
      await store.ghosts.save(other, "mercutio@xmpp.example" as BareJid);
      assert.equal(await store.ghosts.jidOf(other), "mercutio@xmpp.example");
    });

    check("a subscription is had until it is removed, and is its pair's alone", async ({ store, reopen }) => {
      const { subscribers } = store;
      await subscribers.add(juliet, romeo);
      await subscribers.add(juliet, romeo);
      assert.equal(await subscribers.has(juliet, romeo), true);
      assert.equal(await subscribers.has("@nurse:hs.example" as UserId, romeo), false);
      await subscribers.remove("@nurse:hs.example" as UserId, romeo);
      const again = (await reopen()).subscribers;
      assert.equal(await again.has(juliet, romeo), true);
      assert.deepEqual(await again.all(), [{ userId: juliet, jid: romeo }]);
      await again.remove(juliet, romeo);
      assert.equal(await again.has(juliet, romeo), false);
    });
  });
}
