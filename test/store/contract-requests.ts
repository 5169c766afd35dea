/** What every backend promises of requests for links, of blocks, and of jobs that people handle. */
import assert from "node:assert/strict";
import { suite } from "node:test";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import type { LinkRequest } from "../../src/store/request-records.ts";
import type { BareJid, Jid } from "../../src/xmpp/jid.ts";
import type { Check } from "./contract.ts";

const juliet = "@juliet:hs.example" as UserId;
const request: LinkRequest = {
  code: "3F9A0C",
  roomId: "!garden:hs.example" as RoomId,
  muc: "garden@conference.xmpp.example" as BareJid,
  password: undefined,
  mode: undefined,
  askedBy: juliet,
  askedAt: 5,
  matrixBy: juliet,
  xmppBy: undefined,
  isRefused: false,
};

export function testRequests(backend: string, check: Check): void {
  suite(`requests and blocks on ${backend}`, () => {
    check(
      "a request is found by its code, also after a restart, until it is removed",
      async ({ store, reopen }) => {
        await store.linkRequests.save(request);
        const again = await reopen();
        assert.deepEqual(await again.linkRequests.ofCode("3F9A0C"), request);
        assert.equal(await again.linkRequests.ofCode("3f9a0c"), undefined);
        await again.linkRequests.remove("3F9A0C");
        assert.deepEqual(await again.linkRequests.all(), []);
      },
    );

    check("a request takes the place of an earlier one for the same rooms", async ({ store }) => {
      const full: LinkRequest = {
        ...request,
        code: "000001",
        password: "sesame",
        mode: "relay",
        xmppBy: "garden@conference.xmpp.example/Romeo" as Jid,
        isRefused: true,
      };
      await store.linkRequests.save(request);
      await store.linkRequests.save(full);
      assert.deepEqual(await store.linkRequests.all(), [full]);
    });

    check("blocks are kept until they are removed, also after a restart", async ({ store, reopen }) => {
      const block = { pattern: "xmpp.example", by: juliet, at: 7 };
      await store.blocks.save({ ...block, at: 6 });
      await store.blocks.save(block);
      const again = await reopen();
      assert.deepEqual(await again.blocks.all(), [block]);
      await again.blocks.remove("xmpp.example");
      assert.deepEqual(await again.blocks.all(), []);
    });

    check(
      "a parked job that is put back is at its old place and as old as ever, and counts from now",
      async ({ store }, clock) => {
        const job = (cause: string) => ({ lane: "a", cause, work: { kind: "bounce" as const, xml: "" } });
        await store.lanes.add([job("first"), job("second")]);
        const first = await store.lanes.next("a");
        assert.ok(first);
        await store.lanes.failed(first, "no answer");
        assert.deepEqual(
          (await store.lanes.queued()).map(({ cause, attempts, problem }) => [cause, attempts, problem]),
          [
            ["first", 1, "no answer"],
            ["second", 0, undefined],
          ],
        );
        await store.lanes.park(first, "no answer", []);
        clock.ms = 5000;
        await store.lanes.unpark(first.id);
        const next = await store.lanes.next("a");
        assert.deepEqual(next, { ...first, retriedAt: 5000, attempts: 1 });
        await store.lanes.drop(first.id);
        assert.equal((await store.lanes.next("a"))?.cause, "second");
      },
    );
  });
}
